"""A compared plan on the page: service by lens, money, moves, orders, reasons; and a plan that has none of them."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import comparing
from dashboards.decisions import lines_frame
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
        "orders_in_all": {"peak": 7},
    },
    "explained": [
        {"order_id": "po1", "line_id": "1", "sku": "A", "reason": "NO_STOCK", "why": "there are no units in time",
         "competing_lines": ["s1/1"],
         "remedies": [{"kind": "units", "words": "5 more units", "cost_cents": -1250, "arrives": "2026-11-18",
                       "displaced": [{"order_id": "s1", "line_id": "1", "units_lost": 2, "units_later": 0}]}]},
        {"order_id": "po2", "line_id": "1", "sku": "B", "reason": "PAST_CANCEL", "why": "its cancel date has passed",
         "competing_lines": [], "remedies": []},
    ],
    "marginals": [{"words": "a unit of A", "next_cents": 4700, "valid_units": 3}],
    "broken": [{"name": "PO in full", "units": 5, "cents": 10_000}],
    "conflicts": [{"words": "PO in full cannot hold on SKU A; 5 units short",
                   "ways_out": [{"words": "PO in full (5 units)", "cost_cents": 10_000}]}],
}  # fmt: skip


def line(order_id, **given):
    """A plan's line as `otif allocate` records it; served in full and on time unless a test says otherwise."""
    nothing = dict.fromkeys(("short_units", "late_units", "split_units", "displaced_units"), 0)
    reasons = {"reason": None, "late_reason": None, "split_reason": None, "competing_lines": [], "why": ""}
    who = {"order_id": order_id, "line_id": "1", "sku": "A", "channel": "dtc", "open_units": 9, "text": "Dear buyer"}
    return {**who, **nothing, **reasons, **given}


LINES = [
    line("po0"),
    line("po1", short_units=5, displaced_units=4, reason="NO_STOCK", competing_lines=["s1/1", "s2/1"], why="5 short"),
    line("po2", late_units=2, displaced_units=2, late_reason="CUTOFF", why="2 late"),
    line("po3", short_units=6, reason="HOLD_FRAUD", split_units=1, split_reason="WORTH_A_PARCEL"),
]


def record(home: Path, kpis: dict, lines: tuple = ()) -> Plan:
    with open_ledger(Settings.load(home)) as ledger:
        return ledger.record_plan(
            scenario="peak", as_of=NOW, publication="20261116T050000", fingerprint="f" * 64, status="optimal",
            objective=Decimal(200), baseline_objective=Decimal(100), created_by="otif", now=NOW, kpis=kpis,
            lines=list(lines),
        )  # fmt: skip


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(workspace, tmp_path / "home"))


def test_service_says_share_and_count_and_nothing_where_nothing_is_due(home):
    table = comparing.service(record(home, KPIS), level="unit")
    assert table.rows() == [("Shipped in full", "All", 10, "50.0%", "80.0%")]
    assert comparing.service(record(home, KPIS), level="order").is_empty()


def test_scenarios_that_count_otherwise_each_say_of_how_many(home):
    other = [measure("baseline", "(all)", 5), measure("peak", "(all)", 8, denominator=16)]
    kpis = {"comparison": {**KPIS["comparison"], "measures": other}}
    assert comparing.service(record(home, kpis), level="unit").row(0)[2:] == (None, "50.0% of 10", "50.0% of 16")


def test_money_is_whole_and_zero_terms_are_left_out(home):
    assert comparing.money(record(home, KPIS)).rows() == [("Margin", 123, 200)]


def test_a_clash_is_told_before_its_ways_out(home):
    assert comparing.clashes(record(home, KPIS), currency="USD").splitlines() == [
        "**PO in full cannot hold on SKU A; 5 units short.**",
        "",
        "- Way out at $100: give up PO in full (5 units).",
        "",
        "This plan breaks PO in full by 5 units, priced at $100.",
    ]


def test_remedies_say_what_the_plan_gains_and_who_pays(home):
    rows = comparing.remedies(KPIS["explained"][0], currency="USD")
    assert rows == [("+$12", "5 more units", "arrives Wed 18 Nov · paid by s1 (2 less)")]


def test_changed_orders_give_reasons_in_words_and_how_many_there_are(home):
    plan = record(home, KPIS)
    assert comparing.orders(plan, "peak").select("reason", "arrives_before").row(0) == ("No stock", date(2026, 11, 17))
    assert comparing.orders_in_all(plan, "peak") == 7
    assert comparing.orders(plan, "other").is_empty()


def test_lines_are_sorted_by_what_is_wrong_with_them():
    frame = lines_frame(LINES)
    assert comparing.kinds(frame) == {"short": 2, "late": 1, "split": 1, "displaced": 2}
    picked = {
        kind: comparing.lines(frame, kind).select("order_id", "units", "reason").rows() for kind in comparing.KINDS
    }
    assert picked["short"] == [("po3", 6, "Hold fraud"), ("po1", 5, "No stock")]
    assert picked["late"] == [("po2", 2, "Cutoff")]
    assert picked["split"] == [("po3", 1, "Worth a parcel")]
    assert picked["displaced"] == [("po1", 4, "No stock"), ("po2", 2, "Cutoff")]
    assert comparing.lines(frame, "short")["taken"].to_list() == ["", "s1/1, s2/1"]
    assert comparing.kinds(lines_frame([line("po0")])) == {}
    alone = lines_frame([line("po2", late_units=2, late_reason="CUTOFF")])
    assert comparing.lines(alone, "late")["taken"].to_list() == [""]


def test_a_plan_of_an_older_version_has_nothing_to_compare(home):
    plan = record(home, {"gap": 0.1})
    assert comparing.names(plan) == []
    assert comparing.clashes(plan, currency="USD") == ""
    assert comparing.explained(plan) == []
    assert comparing.marginals(plan).is_empty()
    assert comparing.kinds(lines_frame([{"order_id": "1", "reason": "NO_STOCK"}])) == {}
    assert comparing.money(plan).is_empty()


def opened(home, monkeypatch, view):
    monkeypatch.setenv("OTIF_HOME", str(home))
    app = AppTest.from_file(str(APP), default_timeout=60).run().switch_page("app_pages/scenarios.py").run()
    if view:
        app.session_state["scenarios_view"] = view
        app.run()
    assert not app.exception
    return app


def test_the_page_opens_with_the_comparison_and_the_clash(home, monkeypatch):
    record(home, KPIS)
    app = opened(home, monkeypatch, None)
    assert any("Service on the same orders" in element.value for element in app.markdown)
    assert "cannot hold on SKU A" in app.warning[0].value


def test_the_page_says_what_would_have_to_change(home, monkeypatch):
    record(home, KPIS)
    app = opened(home, monkeypatch, "What would help")
    shown = " ".join(element.value for element in app.markdown)
    assert "**po1**, A: there are no units in time; its units went to s1/1" in shown
    assert "What one more is worth" in shown
    assert any("No single change" in element.value for element in app.caption)


def test_the_page_shows_lines_by_kind_and_orders_that_change(home, monkeypatch):
    record(home, KPIS, LINES)
    app = opened(home, monkeypatch, "Lines")
    assert app.dataframe[0].value["order_id"].to_list() == ["po3", "po1"]
    app = opened(home, monkeypatch, "Orders")
    assert any("7 orders that peak treats otherwise than baseline" in element.value for element in app.caption)


@pytest.mark.parametrize("view", [None, "Lines", "What would help"])
def test_the_page_is_calm_about_a_plan_without_reasons(home, monkeypatch, view):
    record(home, {"gap": 0.1})
    app = opened(home, monkeypatch, view)
    assert not app.warning
