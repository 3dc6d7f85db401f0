"""Each constraint on an instance small enough to solve by hand: once it binds, once it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from optimizer.allocation import CarrierCap, Reserve, Status, allocate

MONDAY = date(2026, 11, 16)


def shipped(result):
    units = {}
    for order_id, line_id, node_id, quantity in result.allocations.select(
        "order_id", "line_id", "node_id", "quantity"
    ).iter_rows():
        units[order_id, line_id, node_id] = units.get((order_id, line_id, node_id), 0) + quantity
    return units


def reasons(result):
    return dict(result.shorts.select("order_id", "reason").iter_rows())


def test_a_line_ships_what_is_open_and_no_more(world):
    result = allocate(world.make([world.line(open_quantity=3)]))
    assert result.allocations.select("ship_date", "quantity", "carrier", "cost_cents").row(0) == (
        MONDAY,
        3,
        "swift",
        300,
    )
    assert (result.status, result.gap, result.path) == (Status.OPTIMAL, 0.0, "exact")
    assert result.objective_cents == 3 * (2000 - 1000 - 100)
    assert result.terms["margin"] == 3000
    assert result.shorts.is_empty()


def test_stock_that_is_short_goes_where_it_brings_most(world):
    cheap, dear = world.line("1", unit_price=15), world.line("2", unit_price=30)
    result = allocate(world.make([cheap, dear], [world.stock(on_hand=1)]))
    assert shipped(result) == {("2", "1", "n1"): 1}
    assert result.shorts.select("order_id", "reason", "competing_lines").row(0) == ("1", "LOWER_PRIORITY", ["2/1"])


def test_stock_for_all_serves_all(world):
    result = allocate(world.make([world.line("1"), world.line("2")], [world.stock(on_hand=2)]))
    assert shipped(result) == {("1", "1", "n1"): 1, ("2", "1", "n1"): 1}


def test_quarantine_cannot_be_sold(world):
    result = allocate(world.make([world.line(open_quantity=5)], [world.stock(on_hand=5, quarantine=3)]))
    assert shipped(result) == {("1", "1", "n1"): 2}
    assert reasons(result) == {"1": "NO_STOCK"}


def test_safety_stock_is_kept(world):
    result = allocate(world.make([world.line(open_quantity=5)], [world.stock(on_hand=5, safety_stock=2)]))
    assert shipped(result) == {("1", "1", "n1"): 3}
    assert reasons(result) == {"1": "SAFETY_BUFFER"}


def test_safety_stock_is_released_where_the_plan_decides(world):
    data = world.make(
        [world.line(open_quantity=5)], [world.stock(on_hand=5, safety_stock=2)], safety_stock=Reserve.DECIDE
    )
    result = allocate(data)
    assert shipped(result) == {("1", "1", "n1"): 5}
    released = result.releases.row(0, named=True)
    assert (released["holder"], released["quantity"], released["released"]) == ("(safety stock)", 2, 2)
    assert (released["lines_served"], released["gain_cents"]) == (1, 2 * (900 + 1800 - 50))
    assert result.terms["release"] == -100


def test_a_reservation_is_used_by_its_channel_only(world):
    lines = [
        world.line("1", open_quantity=5),
        world.line("2", channel="amazon", channel_type="marketplace", open_quantity=5),
    ]
    data = world.make(lines, [world.stock(on_hand=6)], reservations=[world.reservation("amazon", 4)])
    result = allocate(data)
    assert shipped(result) == {("1", "1", "n1"): 2, ("2", "1", "n1"): 4}
    assert reasons(result) == {"1": "LOWER_PRIORITY", "2": "LOWER_PRIORITY"}


def test_a_reservation_nobody_uses_starves_the_others(world):
    data = world.make(
        [world.line(open_quantity=5)], [world.stock(on_hand=6)], reservations=[world.reservation("amazon", 4)]
    )
    assert shipped(allocate(data)) == {("1", "1", "n1"): 2}
    assert reasons(allocate(data)) == {"1": "CHANNEL_RESERVED"}


def test_a_reservation_is_released_only_as_far_as_needed(world):
    data = world.make(
        [world.line(open_quantity=5)], [world.stock(on_hand=6)], reservations=[world.reservation("amazon", 4)]
    )
    result = allocate(data, replace(data.options, reservations=Reserve.DECIDE))
    assert shipped(result) == {("1", "1", "n1"): 5}
    assert result.releases["released"].to_list() == [3]


def test_a_release_that_costs_more_than_it_brings_is_not_made(world):
    data = world.make(
        [world.line(open_quantity=5)], [world.stock(on_hand=6)], reservations=[world.reservation("amazon", 4)]
    )
    dear = replace(data.options, reservations=Reserve.DECIDE, weights=replace(world.QUIET, release_cents=100_000))
    result = allocate(data, dear)
    assert shipped(result) == {("1", "1", "n1"): 2}
    assert result.releases.is_empty()


def test_a_reservation_covers_stock_that_arrives_later(world):
    data = world.make(
        [world.line(open_quantity=5)],
        [world.stock(on_hand=0)],
        receipts=[world.receipt(6, 1)],
        reservations=[world.reservation("amazon", 4)],
    )
    assert shipped(allocate(data)) == {("1", "1", "n1"): 2}


def test_a_receipt_serves_from_the_day_after_it_is_due(world):
    data = world.make([world.line(open_quantity=3)], [world.stock(on_hand=1)], receipts=[world.receipt(5, 1)])
    result = allocate(data)
    assert result.allocations.select("ship_date", "quantity").rows() == [(MONDAY, 1), (date(2026, 11, 18), 2)]


@pytest.mark.parametrize(
    "change",
    [{"is_confirmed": False}, {"expected_at": None}, {"is_confirmed": None}],
    ids=["unconfirmed", "undated", "unknown"],
)
def test_a_receipt_without_a_confirmed_date_counts_for_nothing(world, change):
    data = world.make([world.line()], [], receipts=[world.receipt(5, 1, **change)])
    result = allocate(data)
    assert result.allocations.is_empty()
    assert (result.path, result.status) == ("empty", Status.OPTIMAL)
    assert any("no confirmed date" in note for note in result.notes)


def test_an_overdue_receipt_counts_for_nothing(world):
    data = world.make([world.line()], [], receipts=[world.receipt(5, -2)])
    assert allocate(data).allocations.is_empty()
    assert any("has passed" in note for note in data.notes)


def test_a_haircut_is_taken_off_receipts(world):
    data = world.make([world.line(open_quantity=9)], [], receipts=[world.receipt(9, 1)], receipt_haircut_bp=2000)
    assert shipped(allocate(data)) == {("1", "1", "n1"): 7}


def test_early_shipments_leave_enough_for_what_is_kept_until_later(world, day):
    # Amazon's line may not ship before Thursday; its two units must still be there.
    lines = [
        world.line("1", open_quantity=9),
        world.line("2", channel="amazon", open_quantity=2, ship_not_before_at=day(3)),
    ]
    data = world.make(lines, [world.stock(on_hand=5)], reservations=[world.reservation("amazon", 2)])
    result = allocate(data)
    assert shipped(result) == {("1", "1", "n1"): 3, ("2", "1", "n1"): 2}


def test_a_full_node_pushes_units_to_the_next_day(world):
    data = world.make([world.line(open_quantity=5)], nodes=[world.node(daily_capacity_units=2)])
    assert allocate(data).allocations["quantity"].to_list() == [2, 2, 1]


def test_a_node_without_capacity_ships_nothing(world):
    data = world.make([world.line()], nodes=[world.node(daily_capacity_units=0)])
    result = allocate(data)
    assert result.allocations.is_empty()
    assert reasons(result) == {"1": "LABOUR_CAP"}


def test_a_capacity_that_everything_fits_is_no_row(world):
    result = allocate(world.make([world.line(open_quantity=5)], nodes=[world.node(daily_capacity_units=5)]))
    assert result.allocations["quantity"].to_list() == [5]


def test_lines_that_do_not_fit_the_horizon_are_short_of_labour(world):
    data = world.make([world.line(open_quantity=5)], nodes=[world.node(daily_capacity_units=2)], horizon_days=2)
    assert shipped(allocate(data)) == {("1", "1", "n1"): 4}
    assert reasons(allocate(data)) == {"1": "LABOUR_CAP"}


def test_a_carrier_takes_its_daily_limit_and_another_the_rest(world):
    lanes = [world.lane(), world.lane(carrier="dear", cost_per_unit=4)]
    caps = (CarrierCap(carrier="swift", node_id="n1", units=2),)
    data = world.make([world.line(open_quantity=5)], lanes=lanes, carrier_caps=caps, horizon_days=1)
    rows = allocate(data).allocations.select("carrier", "quantity").rows()
    assert sorted(rows) == [("dear", 3), ("swift", 2)]


def test_a_carrier_limit_that_leaves_units_behind_is_the_reason(world):
    caps = (CarrierCap(carrier="swift", node_id="n1", units=2),)
    data = world.make([world.line(open_quantity=5)], carrier_caps=caps, horizon_days=1)
    assert reasons(allocate(data)) == {"1": "CARRIER_CAP"}


def test_a_lane_that_says_what_it_picks_up_is_the_reason_too(world):
    data = world.make([world.line(open_quantity=5)], lanes=[world.lane(daily_capacity_units=2)], horizon_days=1)
    assert reasons(allocate(data)) == {"1": "CARRIER_CAP"}


def test_a_carrier_limit_holds_on_its_dates_only(world):
    caps = (CarrierCap(carrier="swift", node_id="n1", units=0, first_date=MONDAY, last_date=MONDAY),)
    result = allocate(world.make([world.line()], carrier_caps=caps))
    assert result.allocations["ship_date"].to_list() == [date(2026, 11, 17)]


def test_the_tightest_of_two_limits_holds(world):
    caps = (CarrierCap(carrier="swift", node_id="n1", units=4), CarrierCap(carrier="swift", node_id="n1", units=1))
    result = allocate(world.make([world.line(open_quantity=2)], carrier_caps=caps))
    assert result.allocations["quantity"].to_list() == [1, 1]


def test_a_ship_complete_order_waits_for_its_last_line(world):
    lines = [
        world.line("1", "1", is_ship_complete=True),
        world.line("1", "2", sku="B", is_ship_complete=True, open_quantity=2),
    ]
    data = world.make(lines, [world.stock(), world.stock("B", on_hand=1)])
    result = allocate(data)
    assert result.allocations.is_empty()
    assert dict(result.shorts.select("line_id", "reason").iter_rows()) == {"1": "SHIP_COMPLETE", "2": "SHIP_COMPLETE"}


def test_a_ship_complete_order_names_the_line_that_has_no_stock(world):
    lines = [world.line("1", "1", is_ship_complete=True), world.line("1", "2", sku="B")]
    result = allocate(world.make(lines))
    assert dict(result.shorts.select("line_id", "reason").iter_rows()) == {"1": "SHIP_COMPLETE", "2": "NO_STOCK"}


def test_a_ship_complete_order_ships_whole(world):
    lines = [world.line("1", "1", is_ship_complete=True), world.line("1", "2", sku="B", open_quantity=2)]
    result = allocate(world.make(lines, [world.stock(), world.stock("B", on_hand=2)]))
    assert shipped(result) == {("1", "1", "n1"): 1, ("1", "2", "n1"): 2}


def test_a_ship_complete_order_that_costs_more_than_it_brings_stays(world):
    lines = [world.line("1", "1", is_ship_complete=True), world.line("1", "2", sku="B", unit_price=1, unit_cost=90)]
    result = allocate(world.make(lines, [world.stock(), world.stock("B")]))
    assert result.allocations.is_empty()


def two_nodes(world):
    return {
        "nodes": [world.node("n1"), world.node("n2")],
        "lanes": [world.lane("n1"), world.lane("n2", cost_per_unit=2)],
    }


def test_an_order_is_not_split_for_less_than_a_split_costs(world):
    lines = [world.line("1", "1"), world.line("1", "2", sku="B")]
    inventory = [world.stock("A", "n1"), world.stock("A", "n2"), world.stock("B", "n2")]
    result = allocate(world.make(lines, inventory, **two_nodes(world)))
    assert shipped(result) == {("1", "1", "n2"): 1, ("1", "2", "n2"): 1}
    assert result.terms["split"] == 0


def test_an_order_is_split_where_that_pays(world):
    lines = [world.line("1", "1"), world.line("1", "2", sku="B")]
    result = allocate(world.make(lines, [world.stock("A", "n1"), world.stock("B", "n2")], **two_nodes(world)))
    assert shipped(result) == {("1", "1", "n1"): 1, ("1", "2", "n2"): 1}
    assert result.terms["split"] == -800


def test_a_split_that_costs_more_than_the_line_is_uneconomic(world):
    lines = [world.line("1", "1"), world.line("1", "2", sku="B")]
    weights = replace(world.QUIET, split_cents=50_000)
    result = allocate(
        world.make(lines, [world.stock("A", "n1"), world.stock("B", "n2")], weights=weights, **two_nodes(world))
    )
    assert result.allocations.height == 1
    assert result.shorts["reason"].to_list() == ["UNECONOMIC"]


def test_a_line_on_hold_is_never_allocated(world):
    lines = [world.line("1", is_on_hold=True, hold_type="credit"), world.line("2", is_on_hold=True)]
    result = allocate(world.make(lines))
    assert result.allocations.is_empty()
    assert reasons(result) == {"1": "HOLD_CREDIT", "2": "HOLD_OTHER"}
    assert result.objective_cents == 0


def test_a_window_that_is_not_open_yet(world, day):
    result = allocate(world.make([world.line(ship_not_before_at=day(3))]))
    assert result.allocations["ship_date"].to_list() == [date(2026, 11, 19)]
    result = allocate(world.make([world.line(ship_not_before_at=day(40))]))
    assert reasons(result) == {"1": "WINDOW_NOT_OPEN"}


def test_a_cancel_date_ends_what_may_ship(world, day):
    data = world.make([world.line(cancel_after_at=day(1))], [], receipts=[world.receipt(5, 2)])
    assert reasons(allocate(data)) == {"1": "NO_STOCK"}
    assert reasons(allocate(world.make([world.line(cancel_after_at=day(-1))]))) == {"1": "PAST_CANCEL"}


def test_a_window_between_two_ship_days_cannot_be_met(world, day):
    data = world.make([world.line(ship_not_before_at=day(5), cancel_after_at=day(6))])
    assert reasons(allocate(data)) == {"1": "PAST_CANCEL"}


def test_a_zone_no_lane_reaches(world):
    assert reasons(allocate(world.make([world.line(lane_zone="moon")]))) == {"1": "NO_LANE"}


def test_a_late_wholesale_unit_pays_its_fine_once(world, day):
    data = world.make(
        [world.line(channel="wholesale", channel_type="wholesale", fine_rate="0.03", open_quantity=10, need_at=day(-1))]
    )
    result = allocate(data)
    assert (result.terms["chargeback"], result.terms["lateness"]) == (-10 * 60, 0)
    assert result.lates.select("late_quantity", "days_late", "reason").row(0) == (10, 3, "CUTOFF")


def test_a_short_wholesale_unit_pays_its_fine_and_goodwill(world):
    data = world.make(
        [world.line(channel="wholesale", channel_type="wholesale", fine_rate="0.03", open_quantity=10)], []
    )
    terms = allocate(data).terms
    assert (terms["chargeback"], terms["churn"]) == (-10 * 60, -10 * 200)


def test_a_late_consumer_may_cancel(world, day):
    result = allocate(world.make([world.line(need_at=day(0))]))
    # Arrives Tuesday 20:00 in New York, two started days late: 6 % of the margin of 1000 and one contact.
    assert (result.terms["lateness"], result.terms["cancellation"]) == (-300, -60)


def test_a_faster_lane_is_paid_for_when_lateness_costs_more(world, day):
    lanes = [world.lane(transit_days=4), world.lane(service="express", transit_days=1, cost_per_unit=2)]
    result = allocate(world.make([world.line(need_at=day(3))], lanes=lanes))
    assert result.allocations["service"].to_list() == ["express"]
    dear = [world.lane(transit_days=4), world.lane(service="express", transit_days=1, cost_per_unit=20)]
    result = allocate(world.make([world.line(need_at=day(3))], lanes=dear))
    assert result.allocations["service"].to_list() == ["ground"]
    assert result.lates["reason"].to_list() == ["UNECONOMIC"]


def test_a_late_ship_date_is_late_even_without_a_needed_date(world, day):
    result = allocate(world.make([world.line(ship_by_at=day(-2))]))
    assert result.lates["days_late"].to_list() == [3]


def test_a_line_that_costs_more_than_it_brings_is_not_shipped(world):
    result = allocate(world.make([world.line(unit_cost=90)]))
    assert result.allocations.is_empty()
    assert reasons(result) == {"1": "UNECONOMIC"}
