"""Plans beside their baseline, rules beside those in force, and the page that shows and approves them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.decisions import (
    compare_figures,
    lines_frame,
    open_proposals,
    plan_gain,
    releases,
    rule_changes,
)
from storage.ledger import Ledger, VersionState, open_ledger
from storage.settings import Settings

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
RULE = {
    "rule_id": "r1", "kind": "channel_reservation", "scope": {"sku": "SKU-1", "channel": "wholesale"}, "qty": 10,
    "reason": "protect the window",
}  # fmt: skip
DOCUMENT = {"effective_from": "2026-11-17T00:00:00Z", "rules": [RULE]}


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(workspace, tmp_path / "home"))


@pytest.fixture
def book(home: Path) -> Iterator[Ledger]:
    """A ledger with one plan and one proposal made from it."""
    with open_ledger(Settings.load(home)) as opened:
        plan = opened.record_plan(
            scenario="scarce", as_of=NOW, publication="20261116T050000", fingerprint="f" * 64, status="OPTIMAL",
            objective=Decimal("1500.50"), baseline_objective=Decimal(1200), created_by="otif", now=NOW,
            kpis={"baseline": {"units": 90, "terms": {"margin": "800.00"}}, "plan": {"units": 100, "fines": 3},
                  "gap": 0.0125, "releases": [{"sku": "SKU-1", "node_id": "tpl_west", "holder": "wholesale",
                  "quantity": 30, "released": 12, "lines_served": 4, "gain_cents": 4250}]},
            lines=[
                {"order_id": "100123", "line_id": "1", "channel": "dtc", "open_units": 5, "plan_units": 5,
                 "reason": None},
                {"order_id": "walmart-1", "line_id": "2", "channel": "wholesale", "open_units": 9, "plan_units": 4,
                 "reason": "NO_STOCK"},
            ],
        )  # fmt: skip
        opened.propose_rule_set(
            "live", DOCUMENT, created_by="otif", reason="Wholesale starves", now=NOW, plan_id=plan.plan_id
        )
        yield opened


def test_figures_stand_beside_their_baseline(book: Ledger) -> None:
    rows = compare_figures(book.get_plan(1))
    assert rows.rows() == [
        ("Objective", 1200.0, 1500.5, 300.5),
        ("Units", 90.0, 100.0, 10.0),
        ("Terms: margin", 800.0, None, None),
        ("Fines", None, 3.0, None),
    ]


def test_a_release_says_what_it_gains(book: Ledger) -> None:
    plan = book.get_plan(1)
    assert plan_gain(plan) == 300.5
    assert releases(plan).rows() == [("SKU-1", "tpl_west", "wholesale", 30, 12, 4, 42.5)]
    assert releases(replace(plan, kpis={})).is_empty()
    assert plan_gain(replace(plan, objective=None)) is None


def test_a_plan_without_lines_has_none_to_show(book: Ledger) -> None:
    assert lines_frame(book.plan_lines(1))["reason"].to_list() == ["", "NO_STOCK"]
    assert lines_frame([]).is_empty()


def test_rules_are_matched_by_what_they_are_about() -> None:
    other = RULE | {"rule_id": "r2", "qty": 12, "reason": "more"}
    second = {"rule_id": "r3", "kind": "safety_stock", "scope": {"sku": "SKU-2"}, "qty": 3}
    changes = rule_changes(DOCUMENT, {"rules": [other, second]})
    assert [(change.change, change.kind, change.before, change.after) for change in changes] == [
        ("changed", "channel_reservation", "qty 10", "qty 12"),
        ("added", "safety_stock", "", "qty 3"),
    ]
    assert changes[0].scope == "channel wholesale, sku SKU-1"
    assert [change.change for change in rule_changes(DOCUMENT, {"rules": []})] == ["removed"]
    assert rule_changes(DOCUMENT, {"rules": [RULE | {"rule_id": "r9"}]}) == ()


def test_what_waits_for_a_person_becomes_a_decision_of_the_report(book: Ledger) -> None:
    (decision,) = open_proposals(book)
    assert decision.title == "Approve rule set live, version 1"
    assert decision.gain == "plan gains $300"
    assert decision.detail == "Changes 1 rule. Wholesale starves"
    book.approve_version("live", 1, by="Dana", now=NOW)
    assert open_proposals(book)[0].title == "Push rule set live, version 1"
    book.reject_version("live", 1, by="Dana", now=NOW)
    assert open_proposals(book) == ()


def open_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("OTIF_HOME", str(home))
    return AppTest.from_file(str(APP), default_timeout=60).run().switch_page("app_pages/scenarios.py").run()


def test_the_page_shows_the_plan_and_approves_with_a_name(
    book: Ledger, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(home, monkeypatch)
    assert not app.exception
    markup = " ".join(str(element.proto.body) for element in app.get("html"))
    assert "$300" in markup
    assert "within 1.25% of the best" in markup
    app.text_input[0].set_value("Dana")
    next(button for button in app.button if button.label == "Approve").click().run()
    assert not app.error
    assert book.get_version("live", 1).state is VersionState.APPROVED
    assert "Approved by Dana" in app.main.caption[-2].value


def test_the_page_refuses_an_approval_by_nobody(book: Ledger, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(home, monkeypatch)
    next(button for button in app.button if button.label == "Approve").click().run()
    assert app.error
    assert book.get_version("live", 1).state is VersionState.PROPOSED
