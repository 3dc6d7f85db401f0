"""Each kind of change does what it says to the frames, and names that the data does not have are refused."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from optimizer.allocation import allocate
from optimizer.errors import InvalidScenarioError
from optimizer.scenarios import Scenario, parse_scenario, run_scenario
from optimizer.scenarios.apply import apply_scenario


def changed(world, *changes, **more):
    scenario = Scenario.model_validate({"name": "x", "changes": list(changes), **more})
    return apply_scenario(world, scenario)


def units(world, order):
    allocations = allocate(world.data()).allocations
    return int(allocations.filter(pl.col("order_id") == order)["quantity"].sum())


def test_found_units_ship_and_lost_units_do_not(world):
    more, notes = changed(world, {"change": "supply", "sku": "A", "node": "west", "add": 20})
    assert units(more, "po1") == 12
    assert notes == ("changes[1] supply: +20 units of A at west",)
    less, _ = changed(world, {"change": "supply", "sku": "B", "node": "east", "add": -40})
    assert units(less, "s3") == 0


def test_units_can_appear_where_there_were_none(world):
    more, _ = changed(world, {"change": "supply", "sku": "B", "node": "west", "add": 5})
    assert more.frame("inventory").filter(pl.col("node_id") == "west", pl.col("sku") == "B")["on_hand"].to_list() == [5]


def test_receipts_come_late_short_or_become_certain(world):
    late, _ = changed(world, {"change": "receipts", "skus": ["A"], "late_days": 3, "lost_percent": 50})
    row = late.frame("inbound_receipts").row(0, named=True)
    base = world.frame("inbound_receipts").row(0, named=True)
    assert row["quantity"] == 3
    assert row["expected_at"] - base["expected_at"] == timedelta(days=3)
    unsure, _ = changed(world, {"change": "receipts", "confirm": False})
    assert unsure.frame("inbound_receipts")["is_confirmed"].to_list() == [False]


def test_a_transfer_takes_free_units_and_brings_them_later(world):
    moved, _ = changed(
        world, {"change": "transfer", "from_node": "east", "to_node": "west", "skus": ["B"], "percent": 50, "days": 2}
    )
    left = moved.frame("inventory").filter(pl.col("sku") == "B", pl.col("node_id") == "east")["on_hand"].to_list()
    assert left == [20]
    assert moved.frame("inbound_receipts").filter(pl.col("sku") == "B")["quantity"].to_list() == [20]


def test_a_surge_copies_whole_orders_by_share(world):
    doubled, _ = changed(world, {"change": "demand", "percent": 100, "lines": {"channels": ["dtc"]}})
    added = doubled.frame("open_lines").filter(pl.col("order_id").str.starts_with("surge"))
    assert sorted(added["order_id"].to_list()) == ["surge1-s1", "surge1-s2", "surge1-s3"]
    third, _ = changed(world, {"change": "demand", "percent": 34, "lines": {"channels": ["dtc"]}})
    assert third.frame("open_lines").height == 7


def test_a_node_can_pick_less_close_slip_and_move_its_cut_off(world):
    less, _ = changed(world, {"change": "node", "node": "east", "capacity_percent": 10, "cut_off": "9:00"})
    node = less.frame("nodes").filter(pl.col("node_id") == "east").row(0, named=True)
    assert (node["daily_capacity_units"], node["cut_off_time"]) == (5, "09:00")
    shut, _ = changed(world, {"change": "node", "node": "east", "closed_from": "2026-11-16", "closed_to": "2026-11-18"})
    days = allocate(shut.data()).allocations.filter(pl.col("node_id") == "east")["ship_date"]
    assert days.min().isoformat() >= "2026-11-19"
    slow, _ = changed(world, {"change": "node", "node": "east", "slip_days": 2})
    assert slow.frame("lanes").filter(pl.col("node_id") == "east")["transit_days"].to_list() == [3, 3, 5, 5]


def test_critical_lines_leave_a_late_carrier_and_others_stay(world):
    delayed, notes = changed(
        world,
        {
            "change": "carrier_delay",
            "carrier": "swift",
            "late_days": 2,
            "critical": {"channels": ["dtc"]},
            "secondary": [{"carrier": "courier", "service": "van", "transit_days": 1, "cost_per_unit": 1.2}],
        },
    )
    plan = allocate(delayed.data()).allocations
    dtc = plan.filter(pl.col("channel") == "dtc")
    assert set(dtc["carrier"].to_list()) == {"courier"}
    assert "courier" not in plan.filter(pl.col("channel") == "wholesale")["carrier"].to_list()
    assert any("3 critical lines leave swift" in note for note in notes)


def test_an_expedited_service_is_for_the_chosen_lines_and_up_to_its_units(world):
    flown, _ = changed(
        world,
        {"change": "expedite", "carrier": "air", "service": "next_day", "transit_days": 0, "cost_per_unit": 0.5,
         "units_per_day": 2, "lines": {"channels": ["dtc", "amazon"]}},
    )  # fmt: skip
    by_day = allocate(flown.data()).allocations.filter(pl.col("carrier") == "air")
    assert by_day.height > 0
    assert by_day.group_by("node_id", "ship_date").agg(pl.col("quantity").sum())["quantity"].max() <= 2
    assert "wholesale" not in by_day["channel"].to_list()


def test_a_carrier_limit_binds(world):
    tight, _ = changed(
        world,
        {"change": "carrier_limit", "carrier": "swift", "node": "east", "units_per_day": 1},
        {"change": "carrier_limit", "carrier": "blue", "node": "east", "units_per_day": 1},
    )
    loads = allocate(tight.data()).allocations.filter(pl.col("node_id") == "east")
    assert loads.group_by("carrier", "ship_date").agg(pl.col("quantity").sum())["quantity"].max() == 1


def test_a_moved_window_moves_its_dates_and_only_for_the_customer(world):
    moved, _ = changed(
        world, {"change": "window", "lines": {"customers": ["target"]}, "start_days": -2, "end_days": -6}
    )
    before, after = world.frame("open_lines"), moved.frame("open_lines")
    assert after["need_at"][0] - before["need_at"][0] == timedelta(days=-6)
    assert after["ship_not_before_at"][0] - before["ship_not_before_at"][0] == timedelta(days=-2)
    assert after["need_at"][2:].equals(before["need_at"][2:])


def test_a_throttled_promise_is_later_and_loses_a_share_of_orders(world):
    slow, notes = changed(
        world, {"change": "promise_throttle", "lines": {"channels": ["dtc"]}, "days": 2, "lost_percent": 34}
    )
    assert slow.frame("open_lines").height == 5
    assert "1 of them are not placed" in notes[0]


def test_released_holds_ship(world):
    assert units(world, "po2") == 0
    free, _ = changed(world, {"change": "release_holds", "lines": {"hold_types": ["credit"]}})
    assert units(free, "po2") == 10


def test_a_substitute_serves_what_stays_short_and_counts_for_the_line(world):
    swapped, notes = changed(world, {"change": "substitute", "sku": "A", "by": "B", "lines": {"channels": ["amazon"]}})
    lines = swapped.frame("open_lines").filter(pl.col("order_id") == "m1")
    assert int(lines["open_quantity"].sum()) == 2
    assert units(swapped, "m1") == 2
    assert "B stands in for" in notes[0]


def test_reserves_are_scaled_or_moved(world):
    half, _ = changed(world, {"change": "reserve", "channel": "wholesale", "percent": 50})
    assert half.frame("channel_reservations")["quantity"].to_list() == [3]
    moved, _ = changed(world, {"change": "reserve", "channel": "wholesale", "percent": 50, "move_to": "dtc"})
    rows = moved.frame("channel_reservations").select("channel", "quantity").sort("channel").rows()
    assert rows == [("dtc", 3), ("wholesale", 3)]
    none, _ = changed(world, {"change": "safety_stock", "percent": 0})
    assert none.frame("inventory")["safety_stock"].sum() == 0


def test_policy_changes_rank_fine_and_ship_complete(world):
    other, _ = changed(
        world,
        {"change": "policy", "lines": {"orders": ["s1"]}, "rank": 0, "fine_percent": 10, "ship_complete": True},
    )
    line = other.frame("open_lines").filter(pl.col("order_id") == "s1").row(0, named=True)
    assert (line["priority_rank"], line["fine_rate"], line["is_ship_complete"]) == (0, 0.1, True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"change": "supply", "sku": "AA", "node": "east", "add": 1}, "unknown SKU 'AA' (did you mean A?)"),
        ({"change": "supply", "sku": "A", "node": "easst", "add": 1}, "unknown node 'easst' (did you mean east?)"),
        ({"change": "window", "lines": {"customers": ["targt"]}}, "unknown customer 'targt' (did you mean target?)"),
        (
            {"change": "carrier_delay", "carrier": "swft", "late_days": 1},
            "unknown carrier 'swft' (did you mean swift?)",
        ),
        (
            {"change": "reserve", "channel": "retail"},
            "unknown channel 'retail'; expected one of amazon, dtc, wholesale",
        ),
        ({"change": "supply", "sku": "B", "node": "west", "add": -1}, "there is no stock of B at west"),
        ({"change": "node", "node": "west", "capacity_percent": 50}, "west has no daily capacity"),
        ({"change": "policy", "lines": {}}, "changes nothing"),
        ({"change": "receipts", "receipts": ["r9"]}, "unknown receipt 'r9' (did you mean r1?)"),
    ],
)
def test_a_name_that_the_data_does_not_have_is_refused(world, change, says):
    with pytest.raises(InvalidScenarioError) as refused:
        changed(world, {"change": "safety_stock", "percent": 100}, change)
    assert refused.value.faults[0].startswith(f"changes[2] {change['change']}: ")
    assert says in refused.value.faults[0]


def test_unknown_options_and_weights_are_refused_with_a_guess(world):
    with pytest.raises(InvalidScenarioError) as refused:
        changed(world, options={"horizon_day": 3, "weights": {"split_cent": 1}})
    assert "did you mean horizon_days?" in refused.value.faults[0]
    assert "did you mean split_cents?" in refused.value.faults[1]


def test_weights_of_a_scenario_are_laid_over_those_in_force(world):
    other, _ = changed(world, options={"weights": {"split_cents": 5}, "horizon_days": 7})
    assert other.options.weights.split_cents == 5
    assert other.options.weights.pick_pack_cents == 0
    assert other.options.reservations == "decide"


def test_a_second_stage_keeps_what_has_shipped_and_plans_the_rest_again(world):
    text = "name: noon\nlater:\n  after_hours: 18\n  changes:\n    - {change: release_holds}\n"
    run = run_scenario(world, parse_scenario(text))
    assert run.committed.height > 0
    assert run.committed["ship_date"].unique().to_list()[0].isoformat() == "2026-11-16"
    shipped = run.allocations.filter(pl.col("order_id") == "po2")["quantity"].sum()
    assert shipped == 10
    lines = world.frame("open_lines").select("order_id", "line_id", "open_quantity")
    over = (
        run.allocations.group_by("order_id", "line_id")
        .agg(pl.col("quantity").sum())
        .join(lines, on=["order_id", "line_id"])
        .filter(pl.col("quantity") > pl.col("open_quantity"))
    )
    assert over.is_empty()


def test_without_a_change_two_stages_are_worth_what_one_is(world):
    one = run_scenario(world, Scenario(name="one"))
    two = run_scenario(world, parse_scenario("name: two\nlater: {after_hours: 18}\n"))
    # The tie-break on waiting counts days from each stage's own first day.
    terms = [dict(run.money_terms()) for run in (one, two)]
    assert sum(terms[0].values()) - terms[0]["waiting"] == sum(terms[1].values()) - terms[1]["waiting"]


def test_a_second_stage_in_the_past_is_refused(world):
    with pytest.raises(InvalidScenarioError, match="is not after the plan's as-of"):
        run_scenario(world, parse_scenario("name: x\nlater: {at: 2026-11-01T00:00:00}\n"))
