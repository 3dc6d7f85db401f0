"""verify() finds every kind of violation; each test breaks a good plan in one way."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from optimizer.allocation import CarrierCap, allocate, verify
from optimizer.allocation.result import RELEASES


@pytest.fixture
def data(world, day):
    lines = [
        world.line("1", open_quantity=4),
        world.line("2", "1", is_ship_complete=True),
        world.line("2", "2", sku="B"),
        world.line("3", is_on_hold=True),
        world.line("4", ship_not_before_at=day(2), cancel_after_at=day(4)),
        world.line("5", channel="wholesale", channel_type="wholesale", need_at=day(0), fine_rate="0.05"),
    ]
    return world.make(
        lines,
        [world.stock(on_hand=12, safety_stock=1), world.stock("B")],
        receipts=[world.receipt(1, 1), world.receipt(9, 1, is_confirmed=False)],
        reservations=[world.reservation("amazon", 2), world.reservation("dtc", 1)],
        nodes=[world.node(daily_capacity_units=20)],
        carrier_caps=(CarrierCap(carrier="swift", node_id="n1", units=20, last_date=date(2026, 11, 20)),),
    )


@pytest.fixture
def plan(data):
    return allocate(data)


def broken(data, plan, **changes):
    """Return verify's faults after changing the first row of the plan."""
    rows = plan.allocations.with_row_index("_row")
    first = pl.col("_row") == 0
    for name, value in changes.items():
        rows = rows.with_columns(
            pl.when(first).then(pl.lit(value)).otherwise(pl.col(name)).cast(rows.schema[name]).alias(name)
        )
    return verify(data, allocations=rows.drop("_row"), releases=plan.releases, objective_cents=plan.objective_cents)


def test_a_good_plan_has_no_faults(data, plan):
    assert not verify(data, allocations=plan.allocations, releases=plan.releases, objective_cents=plan.objective_cents)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"order_id": "9"}, "no such line or node"),
        ({"node_id": "n9"}, "no such line or node"),
        ({"quantity": 0}, "quantity 0"),
        ({"carrier": "pigeon"}, "no lane of pigeon"),
        ({"order_id": "3"}, "the line is on hold"),
        ({"order_id": "4"}, "before its window"),
        ({"order_id": "4", "ship_date": date(2026, 11, 27)}, "past its cancel date"),
        ({"ship_date": date(2026, 11, 13)}, "before the decision"),
        ({"ship_date": date(2027, 1, 4)}, "beyond the horizon"),
        ({"ship_date": date(2026, 11, 22)}, "not an operating day"),
        ({"days_late": 7}, "days_late is wrong"),
        ({"quantity": 5}, "5 units for 4 open"),
        ({"quantity": 40}, "43 units, capacity 20"),
        ({"quantity": 41}, "pick-up limit 20"),
        ({"quantity": 14}, "are to be kept"),
        ({"quantity": 3}, "objective: claimed"),
    ],
)
def test_every_kind_of_violation_is_found(data, plan, changes, part):
    assert any(part in fault for fault in broken(data, plan, **changes)), broken(data, plan, **changes)


def test_a_ship_complete_order_in_part_is_found(data, plan):
    partly = plan.allocations.filter(~((pl.col("order_id") == "2") & (pl.col("line_id") == "2")))
    faults = verify(data, allocations=partly, releases=plan.releases, objective_cents=plan.objective_cents)
    assert "2: ship-complete, but line 2 ships 0 of 1" in faults


def test_a_release_against_the_rules_is_found(data, plan):
    freed = pl.DataFrame(
        [("A", "n1", "amazon", 2, 1, 0, 0), ("A", "n1", "(safety stock)", 1, 5, 0, 0)], schema=RELEASES, orient="row"
    )
    faults = verify(data, allocations=plan.allocations, releases=freed, objective_cents=plan.objective_cents)
    assert "A at n1: amazon releases 1 units, but reserves are to be respected" in faults
    assert "A at n1: 5 units released by (safety stock), which holds fewer" in faults


def test_a_wrong_value_is_found(data, plan):
    faults = verify(
        data, allocations=plan.allocations, releases=plan.releases, objective_cents=plan.objective_cents + 1
    )
    assert faults == (f"objective: claimed {plan.objective_cents + 1} cents, recomputed {plan.objective_cents} cents",)
