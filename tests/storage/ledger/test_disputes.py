"""Disputes in the ledger: attempts, answers, words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from storage.errors import LedgerError
from storage.ledger import Ledger, open_ledger
from storage.settings import Settings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def file(ledger: Ledger, *, now: datetime = NOW, amount: str = "40.50") -> None:
    ledger.file_dispute("D1", customer_id="kohls", amount=Decimal(amount), by="maria", now=now, text="POD attached")


def test_a_filed_dispute_waits_for_its_answer_before_it_is_filed_again(ledger: Ledger) -> None:
    file(ledger)
    with pytest.raises(LedgerError, match="waits for its answer"):
        file(ledger, now=NOW + DAY)
    ledger.settle_dispute(
        "D1", customer_id="kohls", outcome="lost", recovered=Decimal(0), by="maria", now=NOW + DAY, text="POD unclear"
    )
    file(ledger, now=NOW + 2 * DAY, amount="30")
    steps = ledger.dispute_steps(["D1"])
    assert [(step.action, step.amount) for step in steps] == [
        ("filed", Decimal("40.50")),
        ("lost", Decimal(0)),
        ("filed", Decimal(30)),
    ]
    assert (steps[0].by, steps[0].text, steps[0].at) == ("maria", "POD attached", NOW)


def test_words_and_an_acceptance_carry_no_money_and_leave_a_dispute_as_it_is(ledger: Ledger) -> None:
    file(ledger)
    ledger.note_on_dispute("D1", customer_id="kohls", text=" called ", by="jo", now=NOW)
    ledger.note_on_dispute("D2", customer_id="kohls", text="not worth it", by="jo", now=NOW, is_accepted=True)
    assert [(step.document_id, step.action, step.text) for step in ledger.dispute_steps()] == [
        ("D1", "filed", "POD attached"),
        ("D1", "noted", "called"),
        ("D2", "accepted", "not worth it"),
    ]
    with pytest.raises(LedgerError, match="waits"):
        file(ledger)


@pytest.mark.parametrize(("outcome", "recovered"), [("lost", "1"), ("won", "0"), ("partial", "0"), ("won", "-1")])
def test_an_answer_and_its_money_must_agree(ledger: Ledger, outcome: str, recovered: str) -> None:
    file(ledger)
    with pytest.raises(LedgerError, match="recovers 0"):
        ledger.settle_dispute(
            "D1", customer_id="kohls", outcome=outcome, recovered=Decimal(recovered), by="maria", now=NOW
        )  # type: ignore[arg-type]
    assert len(ledger.dispute_steps()) == 1


def test_nobody_and_nothing_are_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="named person"):
        ledger.file_dispute("D1", customer_id="kohls", amount=Decimal(1), by=" ", now=NOW)
    with pytest.raises(LedgerError, match="asks for nothing"):
        ledger.file_dispute("D1", customer_id="kohls", amount=Decimal(0), by="maria", now=NOW)
    with pytest.raises(LedgerError, match="note is empty"):
        ledger.note_on_dispute("D1", customer_id="kohls", text=" ", by="maria", now=NOW)
    with pytest.raises(LedgerError, match="expected won, lost or partial"):
        ledger.settle_dispute("D1", customer_id="k", outcome="maybe", recovered=Decimal(0), by="m", now=NOW)  # type: ignore[arg-type]
    assert ledger.dispute_steps() == []


def test_a_ledger_of_the_first_schema_gets_its_disputes_when_it_is_opened(ledger_settings: Settings) -> None:
    with open_ledger(ledger_settings) as ledger, ledger._engine.begin() as connection:
        connection.execute(text("drop table dispute_steps"))
        connection.execute(text("delete from schema_version where version > 1"))
    with open_ledger(ledger_settings) as ledger:
        file(ledger)
        assert len(ledger.dispute_steps()) == 1
