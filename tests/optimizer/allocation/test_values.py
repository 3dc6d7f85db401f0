"""Marginal values are what a plan with one more is worth, solved by another road, and hold over the range they name."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from optimizer.allocation import AllocationOptions, CarrierCap, allocate
from optimizer.allocation.confirm import CONFIRMATIONS, confirmations
from optimizer.allocation.frames import EXTRA_SPECS, INVENTORY, LANES, NODES, OPEN_LINES, RECEIPTS, RESERVATIONS
from optimizer.allocation.values import MARGINALS, marginal_values
from optimizer.allocation.world import World


@pytest.fixture
def build(world):
    """Build a world of frames from rows."""

    def make(lines, inventory, *, receipts=(), reservations=(), nodes=None, lanes=None, extras=None, **options):
        specs = {spec.name: spec for spec in EXTRA_SPECS}
        frames = {
            "open_lines": world.frame(OPEN_LINES, lines),
            "inventory": world.frame(INVENTORY, inventory),
            "inbound_receipts": world.frame(RECEIPTS, list(receipts)),
            "channel_reservations": world.frame(RESERVATIONS, list(reservations)),
            "nodes": world.frame(NODES, nodes or [world.node()]),
            "lanes": world.frame(LANES, lanes or [world.lane()]),
            **{name: world.frame(specs[name], rows) for name, rows in (extras or {}).items()},
        }
        return World.of(frames, AllocationOptions(as_of=world.AS_OF, weights=world.QUIET, **options))

    return make


def asked(made, **where):
    frame = marginal_values(made, allocate(made.data()), limit=40)
    assert frame.schema == MARGINALS
    for name, value in where.items():
        frame = frame.filter(pl.col(name) == value)
    return frame.row(0, named=True)


def test_a_unit_is_worth_what_a_plan_with_one_more_gains_over_its_range(world, build):
    lines = [world.line("1", open_quantity=4, unit_price=40), world.line("2", open_quantity=9, unit_price=30)]
    made = build(lines, [world.stock(on_hand=2)])
    row = asked(made, kind="stock", day=date(2026, 11, 16))
    base = allocate(made.data()).objective_cents
    for more in (1, 2, 3):
        richer = build(lines, [world.stock(on_hand=2 + more)])
        gained = allocate(richer.data()).objective_cents - base
        assert (gained == more * row["next_cents"]) == (more <= row["valid_units"])
    assert row["valid_units"] == 2


def test_an_hour_of_a_full_node_day_is_worth_its_units(world, build):
    lines = [world.line("1", open_quantity=40, unit_price=40)]
    made = build(lines, [world.stock(on_hand=99)], nodes=[world.node(daily_capacity_units=16)], horizon_days=2)
    row = asked(made, kind="node_hour", day=date(2026, 11, 16))
    assert row["units"] == 2
    # 40 units want to go, 32 fit the two days: each of two units more brings $40 − $10 − $1 and saves $18.
    assert row["next_cents"] == 2 * (4000 - 1000 - 100 + 1800)
    assert row["valid_units"] == 8


def test_a_reserved_unit_is_worth_what_others_would_do_with_it(world, build):
    lines = [world.line("1", open_quantity=4, unit_price=40)]
    made = build(lines, [world.stock(on_hand=3)], reservations=[world.reservation("amazon", 2)])
    row = asked(made, kind="reserve")
    assert row["next_cents"] == 4000 - 1000 - 100 + 1800
    assert row["valid_units"] == 2


@pytest.mark.parametrize("where", ["lanes", "lane_capacity", "options"])
def test_a_pick_up_more_is_worth_the_unit_it_takes_wherever_the_limit_stands(world, build, where):
    lines = [world.line("1", open_quantity=10, unit_price=40)]
    lanes = [world.lane(daily_capacity_units=3 if where == "lanes" else None)]
    extras = {"lane_capacity": [{"carrier": "swift", "capacity_units": 3}]} if where == "lane_capacity" else {}
    caps = (CarrierCap(carrier="swift", units=3),) if where == "options" else ()
    made = build(lines, [world.stock(on_hand=99)], lanes=lanes, extras=extras, horizon_days=1, carrier_caps=caps)
    row = asked(made, kind="carrier")
    assert row["next_cents"] == 4000 - 1000 - 100 + 1800
    assert row["valid_units"] == 7


@pytest.mark.parametrize("floor", [{"floor_quantity": 6}, {"floor_rate": 0.6}])
def test_a_unit_less_of_a_floor_is_worth_what_another_does_with_it(world, build, floor):
    lines = [
        world.line("1", channel="ebay", open_quantity=10, unit_price=21),
        world.line("2", open_quantity=10, unit_price=40),
    ]
    floors = [{"channel": "ebay", "shortfall_per_unit": 100, **floor}]
    made = build(lines, [world.stock(on_hand=10)], extras={"service_floors": floors})
    row = asked(made, kind="floor")
    base = allocate(made.data()).objective_cents
    for less in (1, 2, 7):
        easier = build(
            lines,
            [world.stock(on_hand=10)],
            extras={"service_floors": [{**floors[0], "floor_rate": 0, "floor_quantity": max(0, 6 - less)}]},
        )
        gained = allocate(easier.data()).objective_cents - base
        assert (gained == less * row["next_cents"]) == (less <= row["valid_units"])
    assert row["next_cents"] > 0


def test_plenty_is_worth_nothing_and_nothing_is_asked(world, build):
    made = build([world.line("1")], [world.stock(on_hand=50)])
    assert marginal_values(made, allocate(made.data()), limit=9).is_empty()


def test_customers_are_told_units_dates_and_codes(world, build):
    made = build(
        [
            world.line("1", open_quantity=4, unit_price=40),
            world.line("2", open_quantity=9, unit_price=30),
            world.line("3", is_on_hold=True, hold_type="credit"),
            world.line("4", sku="B", cancel_after_at=world.AS_OF),
            world.line("5", sku="C"),
        ],
        [world.stock(on_hand=6), world.stock("B")],
        receipts=[world.receipt(50, 30)],
    )
    data = made.data()
    told = confirmations(data, allocate(data))
    assert told.schema == CONFIRMATIONS
    rows = {row["order_id"]: row for row in told.iter_rows(named=True)}
    assert [rows[order]["code"] for order in "12345"] == ["IA", "IQ", "IH", "IR", "IB"]
    assert rows["1"]["text"] == "Order 1, A: we confirm 4 units, arriving by 17 November."
    assert rows["2"]["text"] == (
        "Order 2, A: we confirm 2 of 9 units, arriving by 17 November. 7 units are on back order; we will confirm a "
        "date. The next stock is expected on 17 December."
    )
    assert rows["5"]["text"] == "Order 5, C: 1 unit is on back order; we will confirm a date."


def test_a_late_line_is_told_its_new_date(world, build):
    made = build([world.line("1", need_at=world.AS_OF)], [world.stock()])
    data = made.data()
    row = confirmations(data, allocate(data)).row(0, named=True)
    assert (row["code"], row["confirmed_date"]) == ("DR", date(2026, 11, 17))
    assert "the new arrival date is 17 November" in row["text"]
