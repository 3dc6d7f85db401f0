"""The dispute queue, the evidence pack and the page on them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.errors import QuestionError
from dashboards.queries.disputes import dispute_queue, rules_in_force
from dashboards.reports.dispute_pack import build_pack
from storage.duck import Connection
from storage.ledger import DisputeStep, open_ledger
from storage.settings import Settings

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)


def test_the_queue_keeps_its_rank_and_its_filters(connection: Connection, bare_connection: Connection) -> None:
    assert dispute_queue(connection)["deduction_id"].to_list() == ["d4", "d1"]
    assert dispute_queue(connection, customers=["walmart"])["deduction_id"].to_list() == ["d1"]
    assert dispute_queue(connection, states=["to_file"], limit=5)["document_id"].to_list() == ["d4"]
    assert dispute_queue(bare_connection).is_empty()


def test_only_rules_of_the_shipping_day_are_shown_and_the_applied_one_first(connection: Connection) -> None:
    rules = rules_in_force(connection, customer_id="kohls", deduction_id="d4")
    assert rules.select("rule_violation", "is_applied").rows() == [("short", True)]


def test_a_pack_holds_claim_rule_chain_verdict_and_steps_for_people_and_machines(connection: Connection) -> None:
    step = DisputeStep("d4", "kohls", "filed", Decimal("40.00"), "maria", "<b>POD</b>", NOW)
    pack = build_pack(connection, "d4", steps=[step], company="Larkfield & Co")
    facts = json.loads(pack.document)
    assert (facts["claim"]["amount"], facts["claim"]["disputable_amount"]) == (70, 40)
    assert [link["verdict"] for link in facts["chain"]] == ["ok", "deducted"]
    assert facts["rules"][0]["effective_from"] == "2013-08-15"
    assert (facts["steps"][0]["amount"], facts["steps"][0]["by"]) == ("40.00", "maria")
    for words in (
        "Deduction d4 of kohls", "The deduction is right in part", "850.edi#1", "&lt;b&gt;POD", "2013-08-15",
        "Larkfield &amp; Co",
        "0 of 1", "60%",
    ):  # fmt: skip
        assert words in pack.html
    assert pack == build_pack(connection, "d4", steps=[step], company="Larkfield & Co")


def test_a_deduction_without_an_order_has_a_pack_that_says_so(connection: Connection) -> None:
    assert "not known, so there is no chain" in build_pack(connection, "d2").html
    with pytest.raises(QuestionError, match="no deduction 'd9'"):
        build_pack(connection, "d9")


def test_filing_on_the_page_is_one_attempt_with_a_name(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(shutil.copytree(workspace, tmp_path / "home"))
    monkeypatch.setenv("OTIF_HOME", str(home))
    app = AppTest.from_file(str(APP), default_timeout=60).run().switch_page("app_pages/disputes.py").run()
    assert not app.exception
    app.text_input(key="disputes_person").input("Maria")
    app.button[0].click().run()
    assert not app.exception
    with open_ledger(Settings.load(home)) as ledger:
        assert [(step.document_id, step.action, step.amount, step.by) for step in ledger.dispute_steps()] == [
            ("d4", "filed", Decimal("40.00"), "Maria")
        ]
    app.multiselect(key="disputes_state").select("waiting").run()
    assert "d1: short ship, walmart" in app.subheader[0].value
