"""Each optional rule on an instance small enough to solve by hand: once it binds, once it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from optimizer.allocation import CarrierCap, Reserve, allocate
from optimizer.allocation.plan import prepare

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2026, 11, day) for day in (16, 17, 18, 19))
FRIDAY, NEXT_MONDAY = date(2026, 11, 20), date(2026, 11, 23)


def units(result, *by):
    """Units of a plan by the given columns."""
    totals = result.allocations.group_by(by).agg(pl.col("quantity").sum())
    return {row[:-1] if len(by) > 1 else row[0]: row[-1] for row in totals.rows()}


def two_nodes(world):
    return {
        "nodes": [world.node("n1"), world.node("n2")],
        "lanes": [world.lane("n1"), world.lane("n2", cost_per_unit=2)],
    }


def wholesale(world, *given, **more):
    return world.line(*given, **{"channel": "wholesale", "channel_type": "wholesale", "customer_id": "target", **more})


# Calendars


def test_a_closed_day_of_a_node_ships_nothing_and_an_extra_day_ships(world):
    closed = {"node_days": [{"node_id": "n1", "ship_date": MONDAY, "is_closed": True}]}
    assert units(allocate(world.make([world.line()], extras=closed)), "ship_date") == {TUESDAY: 1}
    saturday = {"node_days": [{"node_id": "n1", "ship_date": date(2026, 11, 21), "is_closed": False}]}
    late = world.make([world.line(ship_not_before_at=world.AS_OF.replace(day=21))], extras=saturday)
    assert units(allocate(late), "ship_date") == {date(2026, 11, 21): 1}


def test_a_day_has_its_own_cut_off_and_capacity(world, day):
    own = {"node_days": [{"node_id": "n1", "ship_date": MONDAY, "cut_off_time": "11:00", "capacity_units": 1}]}
    result = allocate(world.make([world.line(open_quantity=3)], extras=own))
    assert units(result, "ship_date") == {MONDAY: 1, TUESDAY: 2}
    noon = world.make([world.line()], extras=own, as_of=day(0.6))
    assert units(allocate(noon), "ship_date") == {TUESDAY: 1}


def test_a_lane_has_its_own_cut_off_and_pickup_days(world, day):
    early = [world.lane(cut_off_time="10:00")]
    assert units(allocate(world.make([world.line()], lanes=early, as_of=day(0.5))), "ship_date") == {TUESDAY: 1}
    assert units(allocate(world.make([world.line()], lanes=early, as_of=day(0.3))), "ship_date") == {MONDAY: 1}
    thursdays = [world.lane(pickup_days="4")]
    assert units(allocate(world.make([world.line()], lanes=thursdays)), "ship_date") == {THURSDAY: 1}


def test_a_carrier_travels_on_its_days_of_service_only(world):
    weekdays = [world.lane(transit_days=6, transit_weekdays="1,2,3,4,5")]
    assert units(allocate(world.make([world.line()], lanes=weekdays)), "arrival_date") == {date(2026, 11, 24): 1}
    closed = {"carrier_closures": [{"carrier": "swift", "closed_on": TUESDAY}]}
    assert units(allocate(world.make([world.line()], extras=closed)), "arrival_date") == {WEDNESDAY: 1}


def test_a_closed_carrier_does_not_pick_up(world):
    closed = {"carrier_closures": [{"carrier": "swift", "closed_on": MONDAY}]}
    assert units(allocate(world.make([world.line()], extras=closed)), "ship_date") == {TUESDAY: 1}


def test_a_cheaper_lane_on_a_later_day_waits_for_it(world):
    lanes = [world.lane(cost_per_unit=9), world.lane(carrier="slow", cost_per_unit=1, pickup_days="3")]
    result = allocate(world.make([world.line()], lanes=lanes))
    assert units(result, "ship_date", "carrier") == {(WEDNESDAY, "slow"): 1}


def test_goods_do_not_arrive_before_the_delivery_window_opens(world, day):
    opens = world.line(deliver_not_before_at=day(3))
    assert units(allocate(world.make([opens])), "arrival_date") == {THURSDAY: 1}
    assert units(allocate(world.make([world.line(deliver_not_before_at=day(-1))])), "arrival_date") == {TUESDAY: 1}


# Eligibility


def test_export_without_its_data_is_held_and_with_it_ships(world):
    given = {"is_export": True, "origin_country": "PT", "declared_value": 20, "importer_reference": "GB123"}
    lacking = world.line("1", hs_code="6109", **given)
    complete = world.line("2", hs_code="6109.10", **given)
    data = world.make([lacking, complete])
    assert units(allocate(data), "order_id") == {"2": 1}
    assert data.lines.filter(order_id="1")["hold_type"].to_list() == ["export_data"]


@pytest.mark.parametrize(
    ("node_can", "lane_can", "served"),
    [("hazmat", "hazmat,cold", 1), ("hazmat", "cold", 0), (None, "hazmat", 0)],
)
def test_goods_go_only_where_they_may_be_handled(world, node_can, lane_can, served):
    nodes = [world.node(handling=node_can), world.node("n2", handling="cold")]
    lanes = [world.lane(handling=lane_can)]
    result = allocate(world.make([world.line(handling="HAZMAT")], nodes=nodes, lanes=lanes))
    assert result.allocations.height == served


def test_handling_is_not_asked_where_nobody_says_it(world):
    data = world.make([world.line(handling="hazmat")])
    assert allocate(data).allocations.height == 1
    assert any("handling classes are not checked" in note for note in data.notes)


def test_a_routing_guide_names_the_only_carriers(world):
    lanes = [world.lane(), world.lane(carrier="guided", cost_per_unit=5)]
    guide = {"routing_guide": [{"customer_id": "target", "carrier": "guided"}]}
    lines = [wholesale(world, "1"), world.line("2", customer_id="someone")]
    result = allocate(world.make(lines, lanes=lanes, extras=guide))
    assert units(result, "order_id", "carrier") == {("1", "guided"): 1, ("2", "swift"): 1}


def test_a_node_can_be_excluded_for_a_line_and_cost_its_own_freight(world):
    rules = {
        "line_nodes": [
            {"order_id": "1", "line_id": "1", "node_id": "n1", "is_excluded": True},
            {"order_id": "1", "line_id": "1", "node_id": "n2", "cost_per_unit": 7},
        ]
    }
    inventory = [world.stock(), world.stock(node_id="n2")]
    result = allocate(world.make([world.line("1"), world.line("2")], inventory, **two_nodes(world), extras=rules))
    assert units(result, "order_id", "node_id", "cost_cents") == {("1", "n2", 700): 1, ("2", "n1", 100): 1}
    assert (result.terms["freight"], result.terms["expedite"]) == (-800, 0)


def test_a_dearer_lane_than_needed_counts_as_expedite(world, day):
    lanes = [world.lane(transit_days=4), world.lane(service="express", cost_per_unit=3)]
    result = allocate(world.make([world.line(need_at=day(2))], lanes=lanes))
    assert (result.terms["freight"], result.terms["expedite"]) == (-100, -200)


# Lots


def test_a_lot_must_keep_as_long_as_the_customer_asks(world):
    lots = {
        "lots": [
            {"sku": "A", "node_id": "n1", "lot_id": "old", "quantity": 6, "expires_on": FRIDAY},
            {"sku": "A", "node_id": "n1", "lot_id": "new", "quantity": 4, "expires_on": date(2027, 3, 1)},
        ]
    }
    asks = wholesale(world, "1", open_quantity=6, min_shelf_life_days=30)
    takes = world.line("2", open_quantity=6, unit_price=15)
    result = allocate(world.make([asks, takes], extras=lots))
    assert units(result, "order_id") == {"1": 4, "2": 6}


def test_expired_lots_cannot_be_sold_and_undated_units_keep(world):
    lots = {"lots": [{"sku": "A", "node_id": "n1", "lot_id": "old", "quantity": 7, "expires_on": date(2026, 11, 1)}]}
    line = world.line(open_quantity=9, min_shelf_life_days=300)
    assert units(allocate(world.make([line], extras=lots)), "sku") == {"A": 3}


def test_units_arrive_before_they_expire(world):
    lots = {"lots": [{"sku": "A", "node_id": "n1", "lot_id": "x", "quantity": 10, "expires_on": WEDNESDAY}]}
    capped = [world.node(daily_capacity_units=3)]
    result = allocate(world.make([world.line(open_quantity=9)], nodes=capped, extras=lots))
    assert units(result, "ship_date") == {MONDAY: 3, TUESDAY: 3}


def test_a_receipt_may_bring_units_that_keep(world):
    lots = {"lots": [{"sku": "A", "node_id": "n1", "lot_id": "x", "quantity": 10, "expires_on": WEDNESDAY}]}
    fresh = [world.receipt(2, 1, expires_on=date(2027, 1, 1))]
    line = world.line(open_quantity=5, min_shelf_life_days=20)
    result = allocate(world.make([line], receipts=fresh, extras=lots))
    assert units(result, "ship_date") == {WEDNESDAY: 2}


# Reserves


def test_a_reserve_returns_to_the_pool_at_its_release(world, day):
    kept = [world.reservation("amazon", 4, release_at=day(1))]
    result = allocate(world.make([world.line(open_quantity=5)], [world.stock(on_hand=6)], reservations=kept))
    assert units(result, "ship_date") == {MONDAY: 2, TUESDAY: 3}
    late = [world.reservation("amazon", 4, release_at=day(1.7))]
    result = allocate(world.make([world.line(open_quantity=5)], [world.stock(on_hand=6)], reservations=late))
    assert units(result, "ship_date") == {MONDAY: 2, WEDNESDAY: 3}


def test_a_customer_has_a_reserve_of_its_own(world):
    kept = [world.reservation("wholesale", 3, customer_id="target"), world.reservation("wholesale", 2)]
    lines = [
        wholesale(world, "1", open_quantity=9, unit_price=12),
        wholesale(world, "2", customer_id="walmart", open_quantity=9, unit_price=15),
        world.line("3", open_quantity=9, unit_price=90),
    ]
    result = allocate(world.make(lines, [world.stock(on_hand=8)], reservations=kept))
    assert units(result, "order_id") == {"1": 3, "2": 2, "3": 3}


def test_a_channel_draws_no_more_than_its_cap_and_leaves_its_buffer(world):
    lines = [world.line("1", open_quantity=9), wholesale(world, "2", open_quantity=1, unit_price=11)]
    capped = [world.reservation("dtc", 0, cap_quantity=4)]
    assert units(allocate(world.make(lines, reservations=capped)), "channel") == {"dtc": 4, "wholesale": 1}
    buffered = [world.reservation("dtc", 0, buffer_quantity=3)]
    assert units(allocate(world.make(lines, reservations=buffered)), "channel") == {"dtc": 7, "wholesale": 1}
    wide = [world.reservation("dtc", 0, cap_quantity=9, buffer_quantity=1)]
    assert units(allocate(world.make(lines, reservations=wide)), "channel") == {"dtc": 9, "wholesale": 1}


def test_a_cap_ends_with_its_release(world, day):
    capped = [world.reservation("dtc", 0, cap_quantity=4, release_at=day(1))]
    result = allocate(world.make([world.line(open_quantity=9)], reservations=capped))
    assert units(result, "ship_date") == {MONDAY: 4, TUESDAY: 5}


# Capacity


def test_lines_take_as_much_capacity_as_their_work(world):
    nodes = [world.node(daily_capacity_units=6)]
    result = allocate(world.make([world.line(open_quantity=5, work_units=2)], nodes=nodes))
    assert units(result, "ship_date") == {MONDAY: 3, TUESDAY: 2}
    use = {"line_nodes": [{"order_id": "1", "line_id": "1", "node_id": "n1", "capacity_use": 3}]}
    result = allocate(world.make([world.line(open_quantity=5)], nodes=nodes, extras=use))
    assert units(result, "ship_date") == {MONDAY: 2, TUESDAY: 2, WEDNESDAY: 1}


def test_a_lane_and_a_carrier_have_their_own_limits(world):
    lanes = [world.lane(daily_capacity_units=3), world.lane(lane_zone="west")]
    lines = [world.line("1", open_quantity=4), world.line("2", open_quantity=4, lane_zone="west", unit_price=25)]
    result = allocate(world.make(lines, lanes=lanes))
    assert units(result, "order_id", "ship_date") == {("1", MONDAY): 3, ("1", TUESDAY): 1, ("2", MONDAY): 4}
    whole = {"lane_capacity": [{"carrier": "swift", "capacity_units": 5, "first_date": MONDAY, "last_date": MONDAY}]}
    result = allocate(world.make(lines, lanes=lanes, extras=whole))
    assert units(result, "ship_date") == {MONDAY: 5, TUESDAY: 3}


def test_a_carrier_limit_of_all_nodes_is_shared(world):
    lines = [world.line("1", open_quantity=2), world.line("2", sku="B", open_quantity=2)]
    caps = (CarrierCap(carrier="swift", node_id=None, units=3),)
    inventory = [world.stock(), world.stock("B", "n2")]
    result = allocate(world.make(lines, inventory, **two_nodes(world), carrier_caps=caps))
    assert units(result, "ship_date") == {MONDAY: 3, TUESDAY: 1}


def test_loads_by_appointment_wait_for_a_dock_door(world):
    nodes, lanes = [world.node(daily_dock_appointments=1)], [world.lane(needs_appointment=True)]
    lines = [
        wholesale(world, str(number), line, sku=sku) for number in (1, 2) for line, sku in (("1", "A"), ("2", "B"))
    ]
    result = allocate(world.make(lines, [world.stock(), world.stock("B")], nodes=nodes, lanes=lanes))
    days = result.allocations.group_by("ship_date").agg(pl.col("order_id").n_unique(), pl.len().alias("lines"))
    assert sorted(days.rows()) == [(MONDAY, 1, 2), (TUESDAY, 1, 2)]
    free = allocate(world.make(lines, [world.stock(), world.stock("B")], lanes=lanes))
    assert units(free, "ship_date") == {MONDAY: 4}


def test_a_dock_appointment_costs_what_it_costs(world):
    weights = replace(world.QUIET, appointment_cents=150)
    lanes = [world.lane(needs_appointment=True)]
    result = allocate(world.make([world.line("1"), world.line("1", "2")], lanes=lanes, weights=weights))
    assert result.terms["appointment"] == -150


def test_a_customer_gets_goods_for_its_free_credit(world):
    credit = {"customers": [{"customer_id": "target", "credit_limit": 100, "credit_used": 35}]}
    result = allocate(world.make([wholesale(world, open_quantity=5)], extras=credit))
    assert units(result, "order_id") == {"1": 3}
    over = {"customers": [{"customer_id": "target", "credit_limit": 100, "credit_used": 300}]}
    assert allocate(world.make([wholesale(world, open_quantity=5)], extras=over)).allocations.is_empty()
    owed = {"customers": [{"customer_id": "target", "credit_limit": 100, "credit_used": -20}]}
    assert units(allocate(world.make([wholesale(world, open_quantity=9)], extras=owed)), "order_id") == {"1": 6}


# Order rules


def test_a_line_ships_whole_or_not_at_all(world):
    line = world.line(open_quantity=5, is_line_complete=True)
    assert allocate(world.make([line], [world.stock(on_hand=4)])).allocations.is_empty()
    assert units(allocate(world.make([line], [world.stock(on_hand=5)])), "line_id") == {"1": 5}


def test_a_kit_ships_whole_and_the_rest_of_its_order_apart(world):
    lines = [
        world.line("1", "1", kit_id="k"),
        world.line("1", "2", sku="B", kit_id="k", open_quantity=2),
        world.line("1", "3", sku="C"),
    ]
    short = [world.stock(), world.stock("B", on_hand=1), world.stock("C")]
    assert units(allocate(world.make(lines, short)), "line_id") == {"3": 1}
    enough = [world.stock(), world.stock("B", on_hand=2), world.stock("C")]
    assert units(allocate(world.make(lines, enough)), "line_id") == {"1": 1, "2": 2, "3": 1}


def test_an_order_below_its_minimum_fill_does_not_ship(world):
    lines = [world.line("1", "1", open_quantity=5, min_fill_rate=0.8), world.line("1", "2", sku="B", open_quantity=5)]
    poor = [world.stock(on_hand=5), world.stock("B", on_hand=2)]
    assert allocate(world.make(lines, poor)).allocations.is_empty()
    enough = [world.stock(on_hand=5), world.stock("B", on_hand=3)]
    assert units(allocate(world.make(lines, enough)), "line_id") == {"1": 5, "2": 3}


def test_a_minimum_fill_is_reached_at_a_loss_where_the_rest_pays(world):
    lines = [
        world.line("1", "1", open_quantity=3, unit_price=90, min_fill_rate=1),
        world.line("1", "2", sku="B", unit_price=1, unit_cost=40),
    ]
    result = allocate(world.make(lines, [world.stock(), world.stock("B")]))
    assert units(result, "line_id") == {"1": 3, "2": 1}


def test_a_line_ships_whole_packs(world):
    result = allocate(world.make([world.line(open_quantity=10, pack_multiple=4)], [world.stock(on_hand=7)]))
    assert units(result, "line_id") == {"1": 4}
    result = allocate(world.make([world.line(open_quantity=10, pack_multiple=4)], [world.stock(on_hand=10)]))
    assert units(result, "line_id") == {"1": 8}
    small = allocate(world.make([world.line(open_quantity=3, pack_multiple=4)]))
    assert small.allocations.is_empty()


def test_packs_are_not_broken_over_days(world):
    nodes = [world.node(daily_capacity_units=5)]
    result = allocate(world.make([world.line(open_quantity=9, pack_multiple=3)], nodes=nodes))
    assert units(result, "ship_date") == {MONDAY: 3, TUESDAY: 3, WEDNESDAY: 3}


def test_a_single_source_line_ships_from_one_node(world):
    inventory = [world.stock(on_hand=2), world.stock(node_id="n2", on_hand=3)]
    weights = replace(world.QUIET, split_cents=0)
    split = allocate(world.make([world.line(open_quantity=5)], inventory, **two_nodes(world), weights=weights))
    assert units(split, "node_id") == {"n1": 2, "n2": 3}
    line = world.line(open_quantity=5, is_single_source=True)
    assert units(allocate(world.make([line], inventory, **two_nodes(world), weights=weights)), "node_id") == {"n2": 3}


def test_a_single_shipment_order_ships_in_one_load(world):
    lines = [world.line("1", "1", is_single_shipment=True), world.line("1", "2", sku="B")]
    receipts = [world.receipt(1, 0, "B")]
    result = allocate(world.make(lines, [world.stock()], receipts=receipts))
    assert units(result, "line_id", "ship_date") == {("1", TUESDAY): 1, ("2", TUESDAY): 1}
    free = [world.line("1", "1"), world.line("1", "2", sku="B")]
    result = allocate(world.make(free, [world.stock()], receipts=receipts))
    assert units(result, "line_id", "ship_date") == {("1", MONDAY): 1, ("2", TUESDAY): 1}


@pytest.mark.parametrize(("most", "nodes"), [(1, 1), (2, 2), (None, 2)])
def test_an_order_ships_from_at_most_so_many_nodes(world, most, nodes):
    inventory = [world.stock(), world.stock("B", "n2")]
    lines = [world.line("1", "1", max_nodes=most), world.line("1", "2", sku="B")]
    weights = replace(world.QUIET, split_cents=10)
    result = allocate(world.make(lines, inventory, **two_nodes(world), weights=weights))
    assert result.allocations["node_id"].n_unique() == nodes
    if most == 1:
        lines = [world.line("1", "1"), world.line("1", "2", sku="B")]
        assert allocate(world.make(lines, inventory, **two_nodes(world), max_nodes=1)).allocations.height == 1


# Planners, classes, floors, stability


def test_a_lock_is_kept_and_a_lock_nothing_can_keep_is_priced(world):
    lock = {"decision": "lock", "order_id": "1", "line_id": "1", "ship_date": WEDNESDAY, "quantity": 2}
    lines = [world.line("1", open_quantity=2), world.line("2", open_quantity=2, unit_price=90)]
    result = allocate(world.make(lines, [world.stock(on_hand=2)], extras={"planner_decisions": [lock]}))
    assert units(result, "order_id", "ship_date") == {("1", WEDNESDAY): 2}
    assert result.commitments.is_empty()
    away = {"planner_decisions": [{**lock, "node_id": "n9"}]}
    ignored = world.make(lines, [world.stock(on_hand=2)], extras=away)
    assert units(allocate(ignored), "order_id") == {"2": 2}
    assert "1 rows of planner_decisions are ignored: their node is not in dim_nodes" in ignored.notes
    far = {"planner_decisions": [{**lock, "ship_date": date(2027, 1, 4)}]}
    missed = allocate(world.make(lines, [world.stock(on_hand=2)], extras=far))
    assert missed.commitments.rows() == [("lock", "1/1 on 2027-01-04", 2, 2, 100_000, 200_000)]
    assert (missed.terms["commitment"], units(missed, "order_id")) == (-200_000, {"2": 2})


def test_an_exclude_and_an_override_change_who_is_served(world):
    lines = [world.line("1"), world.line("2", unit_price=25)]
    one = [world.stock(on_hand=1)]
    assert units(allocate(world.make(lines, one)), "order_id") == {"2": 1}
    excluded = {"planner_decisions": [{"decision": "exclude", "order_id": "2"}]}
    assert units(allocate(world.make(lines, one, extras=excluded)), "order_id") == {"1": 1}
    preferred = {"planner_decisions": [{"decision": "override", "order_id": "1", "value_per_unit": 5.01}]}
    result = allocate(world.make(lines, one, extras=preferred))
    assert (units(result, "order_id"), result.terms["override"]) == ({"1": 1}, 501)


def test_class_win_is_served_first_and_on_time(world, day):
    lines = [world.line("1", allocation_class="win", unit_price=11), world.line("2", unit_price=90)]
    assert units(allocate(world.make(lines, [world.stock(on_hand=1)])), "order_id") == {"1": 1}
    late = [world.line("1", allocation_class="win", need_at=day(0))]
    result = allocate(world.make(late))
    assert result.commitments.select("kind", "missed", "cost_cents").rows() == [("win", 1, 20_000)]


def test_class_gain_keeps_what_was_confirmed_by_its_date_and_improve_its_quantity(world, day):
    lines = [
        world.line(
            "1", open_quantity=3, allocation_class="gain", confirmed_quantity=2, confirmed_at=day(2), unit_price=11
        ),
        world.line("2", open_quantity=5, unit_price=50),
    ]
    assert units(allocate(world.make(lines, [world.stock(on_hand=4)])), "order_id") == {"1": 2, "2": 2}
    lines[0]["confirmed_at"] = day(0)
    result = allocate(world.make(lines, [world.stock(on_hand=4)]))
    assert result.commitments.select("kind", "target", "missed").rows() == [("keep", 2, 2)]
    lines[0]["allocation_class"] = "improve"
    assert units(allocate(world.make(lines, [world.stock(on_hand=4)])), "order_id") == {"1": 2, "2": 2}


@pytest.mark.parametrize(
    ("kind", "first"), [("redistribute", 3), ("fill", 1), ("lose", 0), ("skip", 1), ("gain", 3), (None, 3)]
)
def test_classes_limit_what_a_line_may_gain(world, kind, first):
    line = world.line("1", open_quantity=3, allocation_class=kind, confirmed_quantity=1)
    assert units(allocate(world.make([line])), "order_id").get("1", 0) == first


def test_class_fill_may_lose_and_skip_does_not(world):
    rival = world.line("2", open_quantity=1, unit_price=90)
    for kind, winner in (("fill", "2"), ("skip", "1")):
        line = world.line("1", allocation_class=kind, confirmed_quantity=1, unit_price=11)
        assert units(allocate(world.make([line, rival], [world.stock(on_hand=1)])), "order_id") == {winner: 1}


def test_the_last_plan_is_kept_unless_a_change_pays(world):
    last = {
        "last_plan": [
            {"order_id": "1", "line_id": "1", "node_id": "n2", "ship_date": TUESDAY, "carrier": None, "quantity": 1}
        ]
    }
    inventory = [world.stock(), world.stock(node_id="n2")]
    dear = replace(world.QUIET, change_cents=200)
    kept = allocate(world.make([world.line()], inventory, **two_nodes(world), extras=last, weights=dear))
    assert units(kept, "node_id", "ship_date") == {("n2", TUESDAY): 1}
    assert kept.terms["plan_change"] == 0
    cheap = allocate(world.make([world.line()], inventory, **two_nodes(world), extras=last))
    assert (units(cheap, "node_id"), cheap.terms["plan_change"]) == ({"n1": 1}, -25)


def test_a_floor_protects_a_channel_at_its_price(world):
    lines = [wholesale(world, "1", open_quantity=10, unit_price=12), world.line("2", open_quantity=10, unit_price=30)]
    floor = {"service_floors": [{"channel": "wholesale", "floor_rate": 0.35, "shortfall_per_unit": 90}]}
    result = allocate(world.make(lines, extras=floor))
    assert units(result, "channel") == {"wholesale": 4, "dtc": 6}
    cheap = {"service_floors": [{"channel": "wholesale", "floor_rate": 0.35, "shortfall_per_unit": 1}]}
    result = allocate(world.make(lines, extras=cheap))
    assert (units(result, "channel"), result.terms["fairness"]) == ({"dtc": 10}, -400)
    assert result.commitments.select("kind", "label", "target", "missed").rows() == [
        ("floor", "floor of wholesale", 4, 4)
    ]


def test_a_fair_share_follows_the_supply_of_each_sku(world):
    lines = [wholesale(world, "1", open_quantity=12, unit_price=12), world.line("2", open_quantity=8, unit_price=30)]
    fair = {"service_floors": [{"customer_id": "target", "fair_share_rate": 1, "shortfall_per_unit": 90}]}
    assert units(allocate(world.make(lines, extras=fair)), "channel") == {"wholesale": 6, "dtc": 4}
    half = {"service_floors": [{"customer_id": "target", "fair_share_rate": 0.5, "shortfall_per_unit": 90}]}
    assert units(allocate(world.make(lines, extras=half)), "channel") == {"wholesale": 3, "dtc": 7}


def test_a_floor_of_a_quantity_may_cost_margin(world):
    floor = {"service_floors": [{"sku": "A", "floor_quantity": 2, "shortfall_per_unit": 500}]}
    line = world.line(open_quantity=5, unit_cost=90)
    assert units(allocate(world.make([line], extras=floor)), "sku") == {"A": 2}


# Fines with a threshold


def card(customer_id="target", **given):
    return {
        "customer_id": customer_id,
        "measure": "on_time_in_full",
        "period_start": date(2026, 11, 1),
        "period_end": date(2026, 11, 30),
        "threshold": 0.9,
        "units_measured": 80,
        "units_compliant": 72,
        "fine_rate": 0.03,
        "fine_flat": 500,
        **given,
    }


def rivals(world, day, price=20):
    """Two retailers of equal worth that ask for ten units each of the ten there are."""
    due = {"open_quantity": 10, "unit_price": price, "need_at": day(5)}
    return [wholesale(world, "1", **due), wholesale(world, "2", customer_id="walmart", **due)]


def test_stock_moves_to_the_customer_near_its_cliff(world, day):
    lines = rivals(world, day)
    # Target needs 9 of its 10 units to stay at 90 %; Walmart is safe whatever happens.
    safe = card("walmart", units_measured=900, units_compliant=880)
    result = allocate(world.make(lines, extras={"scorecards": [card(), safe]}))
    assert units(result, "order_id")["1"] >= 9
    assert result.thresholds.select("label", "need", "is_met", "fine_cents").rows() == [
        ("target on_time_in_full 2026-11-01", 9, True, 0)
    ]
    # The other way round the same units go to Walmart.
    turned = [card("walmart"), card(units_measured=900, units_compliant=880)]
    assert units(allocate(world.make(lines, extras={"scorecards": turned})), "order_id")["2"] >= 9


def test_a_period_that_is_lost_anyway_draws_only_its_rate(world, day):
    lost = card(units_compliant=20, fine_flat=0, fine_so_far=90)
    lines = rivals(world, day)
    result = allocate(world.make(lines, extras={"scorecards": [lost]}))
    # 60 cents per unit decide where all else is equal; the fine so far is sunk.
    assert units(result, "order_id") == {"1": 10}
    assert result.terms["chargeback"] == -9_000
    lines[1]["unit_price"] = 21
    assert units(allocate(world.make(lines, extras={"scorecards": [lost]})), "order_id") == {"2": 10}


def test_a_cliff_out_of_reach_is_not_climbed(world, day):
    lines = rivals(world, day)
    lines[1]["unit_price"] = 25
    far = card(units_compliant=71, fine_rate=0)
    short = [world.stock(on_hand=9)]
    result = allocate(world.make(lines, short, extras={"scorecards": [far]}))
    assert units(result, "order_id") == {"2": 9}
    assert result.thresholds.select("need", "complying", "is_met", "fine_cents").rows() == [(10, 0, False, 50_000)]


def test_late_units_fill_but_do_not_comply(world, day):
    line = wholesale(world, open_quantity=10, need_at=day(0))
    data = world.make([line], extras={"scorecards": [card(fine_flat=100)]})
    assert allocate(data).terms["chargeback"] == -(10_000 + 10 * 60)
    data = world.make([line], extras={"scorecards": [card(fine_flat=100, measure="fill")]})
    assert allocate(data).terms["chargeback"] == 0


def test_a_line_due_outside_the_period_keeps_its_own_fine(world, day):
    line = wholesale(world, open_quantity=10, need_at=day(20), fine_rate=0.05)
    data = world.make([line], [], extras={"scorecards": [card()]})
    assert allocate(data).terms["chargeback"] == -10 * 100


def test_an_order_fine_is_paid_once_unless_all_is_on_time(world, day):
    lines = [world.line("1", "1", order_fine=40, need_at=day(3)), world.line("1", "2", sku="B", need_at=day(3))]
    assert allocate(world.make(lines, [world.stock()])).terms["chargeback"] == -4_000
    assert allocate(world.make(lines, [world.stock(), world.stock("B")])).terms["chargeback"] == 0


def test_what_the_threshold_is_worth_is_what_the_plan_loses_without_it(world, day):
    lines = rivals(world, day)
    lines[1]["unit_price"] = 25
    with_card = allocate(world.make(lines, extras={"scorecards": [card(fine_rate=0)]}))
    without = allocate(world.make(lines))
    moved = 9 * ((2500 - 1000 + 250) - (2000 - 1000 + 200))
    assert without.objective_cents - with_card.objective_cents == moved


def test_reserves_can_be_decided_with_everything_else_on(world, day):
    kept = [world.reservation("amazon", 4, release_at=day(3))]
    line = world.line(open_quantity=5, pack_multiple=5, need_at=day(2))
    data = world.make([line], [world.stock(on_hand=6)], reservations=kept)
    result = allocate(data, replace(data.options, reservations=Reserve.DECIDE))
    assert result.releases["released"].to_list() == [3]


def test_a_resource_that_everything_fits_is_no_row(world):
    roomy = world.make([world.line(open_quantity=5)], nodes=[world.node(daily_capacity_units=5)])
    assert prepare(roomy).resources.frame.is_empty()
    tight = world.make([world.line(open_quantity=5)], nodes=[world.node(daily_capacity_units=4)])
    assert set(prepare(tight).resources.frame["family"]) == {"node_capacity"}
