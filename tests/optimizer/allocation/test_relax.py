"""What would have to change: every suggestion is applied and solved again, and then the line is served at that cost."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from optimizer.allocation import AllocationOptions, allocate
from optimizer.allocation.frames import INVENTORY, LANES, NODES, OPEN_LINES, RECEIPTS, RESERVATIONS
from optimizer.allocation.infeasible import Commitment, elastic_plan
from optimizer.allocation.relax import remedies, worst_lines
from optimizer.allocation.world import World


@pytest.fixture
def build(world):
    """Build a world of frames from rows."""

    def make(lines, inventory, *, receipts=(), reservations=(), nodes=None, lanes=None, **options) -> World:
        frames = {
            "open_lines": world.frame(OPEN_LINES, lines),
            "inventory": world.frame(INVENTORY, inventory),
            "inbound_receipts": world.frame(RECEIPTS, list(receipts)),
            "channel_reservations": world.frame(RESERVATIONS, list(reservations)),
            "nodes": world.frame(NODES, nodes or [world.node()]),
            "lanes": world.frame(LANES, lanes or [world.lane()]),
        }
        return World.of(frames, AllocationOptions(as_of=world.AS_OF, weights=world.QUIET, **options))

    return make


def kinds(found):
    return {item.kind for item in found}


def served(item, order_id, *, on_time):
    plan = allocate(item.world.data()).allocations.filter(pl.col("order_id") == order_id)
    return int((plan.filter(pl.col("days_late") == 0) if on_time else plan)["quantity"].sum())


def test_a_short_line_can_get_units_a_receipt_a_reserve_or_go_first(world, build):
    made = build(
        [world.line("1", open_quantity=6, unit_price=15), world.line("2", open_quantity=8, unit_price=40)],
        [world.stock(on_hand=10, safety_stock=1)],
        receipts=[world.receipt(20, 30)],
        reservations=[world.reservation("amazon", 1)],
    )
    plan = allocate(made.data())
    found = remedies(made, plan, order_id="1", line_id="1")
    assert kinds(found) >= {"first", "units", "receipt"}
    assert [item.cost_cents for item in found] == sorted(item.cost_cents for item in found)
    first = next(item for item in found if item.kind == "first")
    assert [(row.order_id, row.units_lost) for row in first.displaced] == [("2", 6)]
    assert first.cost_cents > 0


def test_the_cost_of_a_change_that_pays_is_what_a_full_solve_finds(world, build):
    made = build(
        [world.line("1", open_quantity=6, unit_price=15), world.line("2", open_quantity=8, unit_price=40)],
        [world.stock(on_hand=10)],
        receipts=[world.receipt(20, 30)],
    )
    plan = allocate(made.data())
    for item in remedies(made, plan, order_id="1", line_id="1"):
        again = allocate(item.world.data())
        if item.kind in ("units", "receipt"):
            assert plan.objective_cents - again.objective_cents == item.cost_cents
            assert served(item, "1", on_time=False) == 6
        else:
            assert plan.objective_cents - again.objective_cents <= item.cost_cents


def test_a_late_line_can_get_an_hour_air_or_a_later_window(world, build):
    made = build(
        [world.line("1", open_quantity=2, need_at=world.AS_OF + timedelta(days=1, hours=21), unit_price=90)],
        [world.stock()],
        lanes=[world.lane(transit_days=2)],
    )
    plan = allocate(made.data())
    assert plan.lates["reason"].to_list() == ["CUTOFF"]
    found = remedies(made, plan, order_id="1", line_id="1")
    assert kinds(found) >= {"air", "window"}
    promise = Commitment(name="on time", order_id="1", on_time=True, price_cents=10**6)
    for item in found:
        again = elastic_plan(item.world, [promise])
        assert again.broken == ()
        assert plan.objective_cents - again.result.objective_cents == item.cost_cents
    window = next(item for item in found if item.kind == "window")
    assert window.words == "the buyer moves the window by 1 day"


def test_one_hour_more_saves_an_order_after_the_cut_off(world, build):
    made = build([world.line("1", need_at=world.AS_OF + timedelta(days=2))], [world.stock()])
    late = made.with_options(
        AllocationOptions(as_of=world.AS_OF + timedelta(hours=15, minutes=30), weights=world.QUIET)
    )
    plan = allocate(late.data())
    assert plan.lates.height == 1
    cut_off = next(item for item in remedies(late, plan, order_id="1", line_id="1") if item.kind == "cut_off")
    assert cut_off.words == "n1 takes orders until 16:00, one hour longer"
    assert served(cut_off, "1", on_time=True) == 1


def test_an_order_that_ships_whole_may_ship_in_parts(world, build):
    made = build(
        [
            world.line("1", "1", is_ship_complete=True, open_quantity=2),
            world.line("1", "2", sku="B", is_ship_complete=True),
        ],
        [world.stock()],
    )
    plan = allocate(made.data())
    found = remedies(made, plan, order_id="1", line_id="1")
    assert kinds(found) == {"split"}


def test_a_full_node_could_pick_more(world, build):
    made = build(
        [world.line("1", open_quantity=5, unit_price=90), world.line("2", open_quantity=5)],
        [world.stock(on_hand=50)],
        nodes=[world.node(daily_capacity_units=5)],
        horizon_days=1,
    )
    plan = allocate(made.data())
    found = remedies(made, plan, order_id="2", line_id="1")
    assert kinds(found) == {"capacity", "first"}
    assert next(item for item in found if item.kind == "capacity").cost_cents < 0


def test_a_held_line_needs_its_hold_lifted_and_nothing_else_helps(world, build):
    made = build([world.line("1", is_on_hold=True, hold_type="credit")], [world.stock()])
    found = remedies(made, allocate(made.data()), order_id="1", line_id="1")
    assert [(item.kind, item.words) for item in found] == [("hold", "the credit hold is lifted")]


def test_a_passed_cancel_date_needs_the_buyer(world, build):
    made = build([world.line("1", cancel_after_at=world.AS_OF - timedelta(days=10))], [world.stock()])
    found = remedies(made, allocate(made.data()), order_id="1", line_id="1")
    assert kinds(found) == {"window"}
    assert served(found[0], "1", on_time=False) == 1


def test_a_served_line_needs_nothing_and_the_worst_lines_come_first(world, build):
    made = build(
        [world.line("1", open_quantity=2), world.line("2", sku="C", open_quantity=9), world.line("3", sku="C")],
        [world.stock()],
    )
    data = made.data()
    plan = allocate(data)
    assert remedies(made, plan, order_id="1", line_id="1") == ()
    assert list(worst_lines(plan, data.lines, limit=5)) == [("2", "1"), ("3", "1")]
    assert remedies(made, plan, order_id="2", line_id="1")[0].kind == "units"
