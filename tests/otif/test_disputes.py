"""What people decide about deductions comes back as events, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from otif.disputes import land_decisions
from storage.duck import connect
from storage.ledger import open_ledger
from storage.settings import Settings

NOW = datetime(2026, 11, 16, 5, 0, 0, 250, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "otif.toml").write_text('[company]\nname = "Test"\nzone = "UTC"\n', encoding="utf-8")
    return Settings.load(tmp_path)


def landed(settings: Settings) -> list[tuple[object, ...]]:
    connection = connect(settings.database, read_only=True)
    try:
        return connection.execute(
            "select event_type, event_at, source, document_id, reference_id, customer_id, amount, outcome "
            "from landing.finance_events order by event_at"
        ).fetchall()
    finally:
        connection.close()


def test_nothing_lands_while_nobody_has_filed_a_dispute(settings: Settings) -> None:
    with open_ledger(settings) as ledger:
        ledger.note_on_dispute("D1", customer_id="kohls", text="looked at it", by="jo", now=NOW)
    assert land_decisions(settings) == []
    assert not settings.database.exists()


def test_each_step_lands_once_however_often_the_models_are_built(settings: Settings) -> None:
    later = NOW + timedelta(days=3)
    with open_ledger(settings) as ledger:
        ledger.file_dispute("D1", customer_id="kohls", amount=Decimal("40.50"), by="maria", now=NOW)
    land_decisions(settings)
    with open_ledger(settings) as ledger:
        ledger.settle_dispute(
            "D1", customer_id="kohls", outcome="partial", recovered=Decimal("12.25"), by="maria", now=later
        )
        ledger.file_dispute("D1", customer_id="kohls", amount=Decimal("28.25"), by="maria", now=later)
    land_decisions(settings)
    land_decisions(settings)
    stamps = [moment.replace(tzinfo=None) for moment in (NOW, later)]
    assert sorted(landed(settings), key=lambda row: (row[1], row[0] == "dispute.filed")) == [
        ("dispute.filed", stamps[0], "ledger", "D1/1", "D1", "kohls", Decimal("40.5000"), None),
        ("dispute.resolved", stamps[1], "ledger", "D1/1", "D1", "kohls", Decimal("12.2500"), "partial"),
        ("dispute.filed", stamps[1], "ledger", "D1/2", "D1", "kohls", Decimal("28.2500"), None),
    ]
