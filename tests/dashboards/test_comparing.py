"""A compared plan on the page: service by lens, money, moves, orders, reasons; and a plan that has none of them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import comparing
from storage.ledger import Plan, open_ledger
from storage.settings import Settings

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)


def measure(scenario, channel, numerator, lens="fill", level="unit", denominator=10):
    share = {"numerator": numerator, "denominator": denominator}
    return {"scenario": scenario, "channel": channel, "lens": lens, "level": level, **share}


KPIS = {
    "gap": 0.0,
    "comparison": {
        "names": ["baseline", "peak"],
        "measures": [
            measure("baseline", "(all)", 5),
            measure("peak", "(all)", 8),
            measure("peak", "dtc", 0, denominator=0),
        ],
        "money": [
            {"scenario": "baseline", "term": "margin", "cents": 12_345},
            {"scenario": "peak", "term": "margin", "cents": 20_000},
            {"scenario": "baseline", "term": "split", "cents": 0},
        ],
        "moves": [{"scenario": "peak", "units_planned": 5, "units_moved": 3}],
        "orders": [
            {"scenario": "peak", "order_id": "po1", "channel": "dtc", "units_open": 9, "units_before": 9,
             "units_after": 4, "arrives_before": "2026-11-17", "arrives_after": None, "what": "5 fewer units",
             "reason": "NO_STOCK"},
        ],
    },
    "explained": [
        {"order_id": "po1", "line_id": "1", "sku": "A", "reason": "NO_STOCK", "competing_lines": ["s1/1"],
         "remedies": [{"kind": "units", "words": "5 more units", "cost_cents": -1250, "arrives": "2026-11-18",
                       "displaced": [{"order_id": "s1", "line_id": "1", "units_lost": 2, "units_later": 0}]}]},
        {"order_id": "po2", "line_id": "1", "sku": "B", "reason": "PAST_CANCEL", "competing_lines": [],
         "remedies": []},
    ],
    "marginals": [{"words": "a unit of A", "next_cents": 4700, "valid_units": 3}],
    "broken": [{"name": "PO in full", "units": 5, "cents": 10_000}],
    "conflict": {"words": "PO in full cannot hold on SKU A; 5 units short",
                 "ways_out": [{"gives_up": "PO in full", "cost_cents": 10_000}]},
    "lates": [{"order_id": "s2", "line_id": "1", "sku": "A", "channel": "dtc", "late_quantity": 1, "days_late": 2,
               "reason": "CUTOFF"}],
}  # fmt: skip


def record(home: Path, kpis: dict) -> Plan:
    with open_ledger(Settings.load(home)) as ledger:
        return ledger.record_plan(
            scenario="peak", as_of=NOW, publication="20261116T050000", fingerprint="f" * 64, status="optimal",
            objective=Decimal(200), baseline_objective=Decimal(100), created_by="otif", now=NOW, kpis=kpis, lines=[],
        )  # fmt: skip


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(workspace, tmp_path / "home"))


def test_service_says_share_and_count_and_nothing_where_nothing_is_due(home):
    table = comparing.service(record(home, KPIS), level="unit")
    assert table.rows()[0] == ("Shipped in full", "All", "50.0% of 10", "80.0% of 10")
    assert table.rows()[1] == ("Shipped in full", "dtc", "–", "–")
    assert comparing.service(record(home, KPIS), level="order").is_empty()


def test_money_is_whole_and_zero_terms_are_left_out(home):
    assert comparing.money(record(home, KPIS)).rows() == [("Margin", 123, 200)]


def test_a_clash_is_told_before_its_ways_out(home):
    assert comparing.conflict(record(home, KPIS), currency="USD") == [
        "PO in full cannot hold on SKU A; 5 units short.",
        "PO in full is broken by 5 units, priced at $100.",
        "Way out at $100: give up PO in full.",
    ]


def test_remedies_say_what_the_plan_gains_and_who_pays(home):
    rows = comparing.remedies(KPIS["explained"][0], currency="USD").rows()
    assert rows == [("5 more units", "+$12", "2026-11-18", "s1 (2 less)")]


def test_orders_and_lates_give_reasons_in_words(home):
    plan = record(home, KPIS)
    assert comparing.orders(plan, "peak")["reason"].to_list() == ["No stock"]
    assert comparing.orders(plan, "other").is_empty()
    assert comparing.lates(plan)["reason"].to_list() == ["Cutoff"]


def test_a_plan_of_an_older_version_has_nothing_to_compare(home):
    plan = record(home, {"gap": 0.1})
    assert comparing.names(plan) == []
    assert comparing.conflict(plan, currency="USD") == []
    assert comparing.explained(plan) == []
    assert comparing.marginals(plan).is_empty()
    assert comparing.lates(plan).is_empty()
    assert comparing.money(plan).is_empty()


def test_the_page_shows_comparison_reasons_and_what_would_have_to_change(home, monkeypatch):
    record(home, KPIS)
    monkeypatch.setenv("OTIF_HOME", str(home))
    app = AppTest.from_file(str(APP), default_timeout=60).run().switch_page("app_pages/scenarios.py").run()
    assert not app.exception
    shown = " ".join(element.value for element in app.markdown)
    assert "Service on the same orders" in shown
    assert "po1, A: No stock, its units went to s1/1" in shown
    assert "What one more is worth" in shown
    assert "cannot hold on SKU A" in app.warning[0].value
    assert any("No single change" in element.value for element in app.caption)
