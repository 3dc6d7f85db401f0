"""Commitments that cannot all hold: the smallest set in words, what is missing, the cheapest way out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import polars as pl
import pytest

from optimizer.allocation import AllocationOptions
from optimizer.allocation.frames import INVENTORY, LANES, NODES, OPEN_LINES, RECEIPTS, RESERVATIONS
from optimizer.allocation.infeasible import Commitment, elastic_plan, find_conflict, find_conflicts
from optimizer.allocation.world import World
from optimizer.errors import InvalidDataError


@pytest.fixture
def build(world):
    """Build a world of frames from rows."""

    def make(lines, inventory, *, receipts=(), reservations=(), nodes=None, **options) -> World:
        frames = {
            "open_lines": world.frame(OPEN_LINES, lines),
            "inventory": world.frame(INVENTORY, inventory),
            "inbound_receipts": world.frame(RECEIPTS, list(receipts)),
            "channel_reservations": world.frame(RESERVATIONS, list(reservations)),
            "nodes": world.frame(NODES, nodes or [world.node()]),
            "lanes": world.frame(LANES, [world.lane(node["node_id"]) for node in nodes or [world.node()]]),
        }
        return World.of(frames, AllocationOptions(as_of=world.AS_OF, weights=world.QUIET, **options))

    return make


@pytest.fixture
def scarce(world, build):
    """One SKU: 100 units and a receipt too late; a PO of 90 and 100 units of the shop, due on Friday."""
    friday = world.AS_OF + timedelta(days=4)
    return build(
        [
            world.line("4711", channel="wholesale", channel_type="wholesale", open_quantity=90, need_at=friday),
            world.line("9", open_quantity=100, need_at=friday),
            world.line("8", sku="B", open_quantity=50, need_at=friday),
        ],
        [world.stock(on_hand=100), world.stock("B", on_hand=500)],
        receipts=[world.receipt(500, 9)],
    )


FLOOR = Commitment(name="dtc floor 60 %", channel="dtc", sku="A", fill_percent=60, on_time=True)
IN_FULL = Commitment(name="Target PO 4711 in full", order_id="4711", on_time=True)
OTHER = Commitment(name="all of SKU B", sku="B", on_time=True)


def test_the_clash_is_one_sentence_with_place_date_and_units(scarce):
    conflict = find_conflict(scarce, [FLOOR, OTHER, IN_FULL])
    assert conflict.words() == (
        "dtc floor 60 % and Target PO 4711 in full cannot both hold on SKU A in n1 before the 25 November receipt; "
        "50 units short"
    )


def test_places_and_channels_are_called_by_their_names(world, build):
    """180 units in one node until the receipt of 14 March: 60 % of wholesale's 300 and a PO of 120 are 120 too many."""
    monday, friday = world.AS_OF + timedelta(weeks=16), world.AS_OF + timedelta(weeks=16, days=5)
    made = build(
        [
            world.line("7", channel="wholesale", channel_type="wholesale", open_quantity=300, need_at=friday),
            world.line("4711", channel="retail", channel_type="wholesale", open_quantity=120, need_at=friday),
        ],
        [world.stock(node_id="east", on_hand=180)],
        receipts=[world.receipt(900, 118, node_id="east")],
        nodes=[world.node("east")],
    )
    named = made.frame("nodes").with_columns(node_name=pl.lit("DC East"))
    made = made.with_frame("nodes", named).with_options(replace(made.options, as_of=monday))
    floor = Commitment(name="wholesale floor 60 %", channel="wholesale", fill_percent=60, on_time=True)
    assert find_conflict(made, [floor, IN_FULL]).words() == (
        "wholesale floor 60 % and Target PO 4711 in full cannot both hold on SKU A in DC East before the 14 March "
        "receipt; 120 units short"
    )


def test_every_clash_is_told_and_none_twice(scarce):
    all_of_shop = Commitment(name="all of the shop's A", channel="dtc", sku="A", on_time=True)
    told = find_conflicts(scarce, [FLOOR, IN_FULL, all_of_shop])
    given_up = [conflict.ways_out[0].gives_up for conflict in told]
    assert len(told) >= 2
    assert len(set(given_up)) == len(given_up)
    kept = [item for item in (FLOOR, IN_FULL, all_of_shop, OTHER) if item.name not in given_up]
    assert find_conflict(scarce, kept) is None
    assert find_conflicts(scarce, [FLOOR, OTHER]) == ()


def test_commitments_that_can_hold_are_no_conflict(scarce):
    assert find_conflict(scarce, [FLOOR, OTHER]) is None
    assert find_conflict(scarce, [replace(FLOOR, fill_percent=10), IN_FULL]) is None


def test_the_receipt_in_time_resolves_the_clash(scarce):
    later = [replace(FLOOR, on_time=False), replace(IN_FULL, on_time=False)]
    assert find_conflict(scarce, later) is None


def test_the_cheapest_way_out_comes_first_and_keeps_the_other_rule(scarce):
    conflict = find_conflict(scarce, [FLOOR, IN_FULL])
    costs = [out.cost_cents for out in conflict.ways_out]
    assert costs == sorted(costs)
    by_name = {out.gives_up: out for out in conflict.ways_out}
    assert by_name[FLOOR.name].units == 50
    assert by_name[IN_FULL.name].units == 50


def test_a_kept_reservation_is_a_rule_that_can_clash(world, build):
    made = build(
        [world.line("4711", channel="wholesale", channel_type="wholesale", open_quantity=90)],
        [world.stock(on_hand=100)],
        reservations=[world.reservation("dtc", 30)],
    )
    conflict = find_conflict(made, [replace(IN_FULL, on_time=False)])
    assert set(conflict.rules) == {"Target PO 4711 in full", "dtc reservation of SKU A"}
    assert conflict.units == 20
    freed = made.with_options(replace(made.options, reservations="decide"))
    assert find_conflict(freed, [replace(IN_FULL, on_time=False)]) is None


def test_safety_stock_is_a_rule_that_can_clash(world, build):
    made = build([world.line("4711", open_quantity=95)], [world.stock(on_hand=100, safety_stock=10)])
    conflict = find_conflict(made, [replace(IN_FULL, on_time=False)])
    assert set(conflict.rules) == {"Target PO 4711 in full", "safety stock of SKU A"}


def test_a_full_node_is_named_as_the_place(world, build):
    made = build(
        [world.line("4711", open_quantity=90, need_at=world.AS_OF + timedelta(days=2))],
        [world.stock(on_hand=500)],
        nodes=[world.node(daily_capacity_units=40)],
    )
    conflict = find_conflict(made, [IN_FULL])
    assert conflict.places == ("the daily capacity of n1",)
    assert conflict.units == 50


def test_a_promise_that_nothing_can_serve_clashes_by_itself(world, build):
    moon = build([world.line("4711", lane_zone="moon", open_quantity=7), world.line("2")], [world.stock(on_hand=99)])
    conflict = find_conflict(moon, [IN_FULL])
    assert conflict.words() == "Target PO 4711 in full cannot hold; 7 units short"
    assert elastic_plan(moon, [IN_FULL]).broken[0].units == 7


def test_the_set_is_minimal(world, build):
    """Leave any one rule out and the others can hold: checked on every conflict of random little worlds."""
    import random

    draw = random.Random(7)
    seen = 0
    for _ in range(4):
        lines = [
            world.line(str(place), channel=draw.choice(["dtc", "wholesale"]), open_quantity=draw.randint(1, 9))
            for place in range(3)
        ]
        made = build(
            lines, [world.stock(on_hand=draw.randint(5, 12), safety_stock=draw.randint(0, 2))],
            reservations=[world.reservation("dtc", draw.randint(1, 4))], nodes=[world.node(daily_capacity_units=30)],
        )  # fmt: skip
        wishes = [Commitment(name=f"order {place} in full", order_id=str(place)) for place in range(3)]
        conflict = find_conflict(made, wishes, ways_out=False)
        if conflict is None:
            continue
        seen += 1
        named = [wish for wish in wishes if wish.name in conflict.rules]
        for kept in combinations(named, len(named) - 1):
            bare = made
            if "safety stock of SKU A" not in conflict.rules:
                bare = bare.put("inventory", pl_all(), safety_stock=0)
            if "dtc reservation of SKU A" not in conflict.rules:
                bare = bare.put("channel_reservations", pl_all(), quantity=0)
            assert not kept or find_conflict(bare, kept, ways_out=False) is None
        assert conflict.units > 0
    assert seen >= 2


def pl_all():
    import polars as pl

    return pl.lit(value=True)


def test_the_elastic_plan_breaks_the_cheaper_promise_and_says_by_how_much(scarce):
    dear = [replace(FLOOR, price_cents=50_000), replace(IN_FULL, price_cents=5_000)]
    plan = elastic_plan(scarce, dear)
    assert [(item.name, item.units, item.cents) for item in plan.broken] == [(IN_FULL.name, 50, 250_000)]
    other = elastic_plan(scarce, [replace(FLOOR, price_cents=5_000), replace(IN_FULL, price_cents=50_000)])
    assert [(item.name, item.units) for item in other.broken] == [(FLOOR.name, 50)]


def test_a_promise_that_loses_money_is_kept_where_it_must_be(world, build):
    dear = build([world.line("1", unit_price=1, unit_cost=99, open_quantity=3)], [world.stock()])
    wish = Commitment(name="ships", order_id="1", price_cents=1_000_000)
    assert find_conflict(dear, [wish]) is None
    plan = elastic_plan(dear, [wish])
    assert plan.broken == ()
    assert plan.result.allocations["quantity"].sum() == 3
    assert plan.result.objective_cents < 0


def test_a_commitment_about_nothing_is_refused(scarce):
    with pytest.raises(InvalidDataError) as refused:
        find_conflict(scarce, [Commitment(name="a", order_id="nope"), FLOOR, FLOOR])
    assert "'a' is about no open line" in " ".join(refused.value.faults)
    assert "'dtc floor 60 %' comes twice" in " ".join(refused.value.faults)
