"""Scenario files: what they say survives a round trip, and every fault says where, what and what was expected."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InvalidScenarioError
from optimizer.scenarios import Scenario, dump_scenario, parse_scenario
from optimizer.scenarios import model as m
from optimizer.scenarios.apply import kinds
from optimizer.scenarios.document import CHANGES

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12)
LISTS = st.lists(NAMES, max_size=3).map(tuple)
DAYS = st.integers(-300, 300)
FEW = st.integers(0, 60)
SHARE = st.integers(1, 100)
MOMENTS = st.datetimes(timezones=st.just(None)).map(lambda at: at.replace(microsecond=0))
LINES = st.builds(
    m.Lines, orders=LISTS, channels=LISTS, customers=LISTS, skus=LISTS, zones=LISTS, hold_types=LISTS,
    max_rank=st.none() | st.integers(0, 99),
)  # fmt: skip
SERVICE = {
    "carrier": NAMES,
    "service": NAMES,
    "transit_days": FEW,
    "cost_per_unit": st.integers(0, 9999).map(lambda cents: cents / 100),
    "nodes": LISTS,
    "zones": LISTS,
}
CHANGE = st.one_of(
    st.builds(m.Supply, sku=NAMES, node=NAMES, add=st.integers(-999, 999)),
    st.builds(m.Receipts, skus=LISTS, late_days=DAYS, lost_percent=SHARE, confirm=st.none() | st.booleans()),
    st.builds(m.NewReceipt, sku=NAMES, node=NAMES, quantity=SHARE, expected=MOMENTS | st.dates()),
    st.builds(m.NewReceipt, sku=NAMES, node=NAMES, quantity=SHARE, in_days=FEW),
    st.builds(m.Transfer, from_node=NAMES, to_node=NAMES, skus=LISTS, percent=SHARE, days=FEW),
    st.builds(m.Demand, lines=LINES, percent=SHARE),
    st.builds(m.Node, node=NAMES, capacity_percent=st.none() | SHARE, slip_days=FEW, cut_off=st.just("17:30")),
    st.builds(m.CarrierDelay, carrier=NAMES, late_days=FEW, critical=st.none() | LINES,
              secondary=st.lists(st.builds(m.Service, **SERVICE), max_size=2).map(tuple)),
    st.builds(m.Expedite, lines=st.none() | LINES, units_per_day=st.none() | FEW, **SERVICE),
    st.builds(m.CarrierLimit, carrier=NAMES, node=NAMES, units_per_day=FEW, first=st.none() | st.dates()),
    st.builds(m.Window, lines=LINES, start_days=DAYS, end_days=DAYS, cancel_days=DAYS),
    st.builds(m.PromiseThrottle, lines=LINES, days=st.integers(1, 60), captured_after=st.none() | MOMENTS),
    st.builds(m.ReleaseHolds, lines=LINES),
    st.builds(m.Substitute, sku=st.just("a"), by=st.just("b"), lines=LINES),
    st.builds(m.Reserve, channel=NAMES, percent=SHARE, move_to=st.none() | NAMES),
    st.builds(m.SafetyStock, skus=LISTS, percent=SHARE),
    st.builds(m.Policy, lines=LINES, rank=st.none() | FEW, fine_percent=st.none() | st.integers(0, 100).map(float)),
)  # fmt: skip
OPTIONS = st.dictionaries(st.sampled_from(["horizon_days", "dock_days"]), FEW)
SCENARIOS = st.builds(
    Scenario,
    name=NAMES,
    description=st.just("") | NAMES,
    options=OPTIONS,
    changes=st.lists(CHANGE, max_size=4).map(tuple),
    later=st.none()
    | st.builds(m.Later, at=MOMENTS, options=OPTIONS, changes=st.lists(CHANGE, max_size=2).map(tuple))
    | st.builds(m.Later, after_hours=st.integers(1, 99)),
)


@settings(max_examples=60, deadline=None)
@given(scenario=SCENARIOS)
def test_a_scenario_written_and_read_again_is_the_same(scenario):
    text = dump_scenario(scenario)
    assert parse_scenario(text) == scenario
    assert dump_scenario(parse_scenario(text)) == text


def test_every_kind_of_change_can_be_applied():
    assert sorted(kinds()) == sorted(CHANGES)


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("name: x\nchanges:\n  - change: suply\n", "line 3, changes[1]", "did you mean supply?"),
        ("name: x\nchanges:\n  - {change: supply, skuu: A, node: n, add: 1}\n", "changes[1].skuu", "did you mean sku?"),
        ("name: x\nchanges:\n  - {change: supply, sku: A, node: n}\n", "line 3, changes[1].add", "is missing"),
        ("name: x\nchanges:\n  - {sku: A}\n", "line 3, changes[1]", "`change` is missing; expected one of supply"),
        ("changes: []\n", "line 1, name", "is missing"),
        ("name: x\nlater:\n  after_hours: 0\n", "line 3, later.after_hours", "greater than 0"),
        ("name: x\nlater: {}\n", "line 2, later", "expected either at or after_hours"),
        ("name: x\nnam: y\n", "line 2, nam", "did you mean name?"),
        ("name: x\nchanges:\n  - {change: window, lines: {chanels: []}}\n", "lines.chanels", "did you mean channels?"),
        ("- a\n- b\n", "scenario", "expected a mapping"),
        ("name: [\n", "scenario", "line 2"),
        ("name: x\nchanges:\n  - {change: node, node: n, closed_to: 2026-11-17}\n", "changes[1]", "both or neither"),
    ],
)  # fmt: skip
def test_a_fault_says_where_what_and_what_was_expected(text, where, expected):
    with pytest.raises(InvalidScenarioError) as refused:
        parse_scenario(text)
    assert where in refused.value.faults[0]
    assert expected in refused.value.faults[0]


def test_all_faults_of_a_file_are_listed_at_once():
    text = "name: x\nchanges:\n  - {change: supply, sku: A}\n  - {change: nodes}\n"
    with pytest.raises(InvalidScenarioError) as refused:
        parse_scenario(text, where="a.yml")
    assert len(refused.value.faults) == 3
    assert all(fault.startswith("a.yml, line ") for fault in refused.value.faults)


def test_the_library_holds_ten_scenarios_that_survive_a_round_trip(project_root):
    files = sorted((project_root / "data/scenarios").glob("*.yml"))
    assert len(files) == 10
    for file in files:
        scenario = parse_scenario(file.read_text(encoding="utf-8"), where=file.name)
        assert scenario.description
        assert parse_scenario(dump_scenario(scenario)) == scenario
        assert yaml.safe_load(dump_scenario(scenario))["name"] == scenario.name
