"""Against the truth: brute force on tiny instances, and what must hold for any instance."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.allocation import CarrierCap, Reserve, Status, Weights, allocate, baseline, compare, verify
from optimizer.allocation.arcs import COLUMNS, Arcs, with_caps, with_order
from optimizer.allocation.candidates import candidates, lane_days
from optimizer.allocation.plan import Plan, Problem, objective_cents, prepare
from optimizer.allocation.report import allocations, releases, shipped
from optimizer.errors import PlanRejectedError

TINY = settings(deadline=None, max_examples=6)
FEW = st.integers(0, 3)


@st.composite
def tiny_worlds(draw, world, *, most_lines=3):
    """At most three lines of two SKUs, two nodes, a few days: everything on, everything scarce."""
    count = draw(st.integers(1, most_lines))
    lines = []
    for number in range(count):
        kind = draw(st.sampled_from(["dtc", "marketplace", "wholesale"]))
        lines.append(
            world.line(
                str(draw(st.integers(1, 2))),
                str(number),
                sku=draw(st.sampled_from("AB")),
                channel=kind,
                channel_type=kind,
                open_quantity=draw(st.integers(1, 2)),
                unit_price=draw(st.integers(8, 40)),
                fine_rate=draw(st.sampled_from(["0", "0.05"])),
                is_on_hold=draw(st.sampled_from([False, False, False, True])),
                is_ship_complete=draw(st.booleans()),
                priority_rank=draw(st.integers(1, 3)),
                need_at=draw(st.sampled_from([None, world.AS_OF, world.AS_OF + timedelta(days=2)])),
                ship_not_before_at=draw(st.sampled_from([None, None, world.AS_OF + timedelta(days=1)])),
                cancel_after_at=draw(st.sampled_from([None, None, world.AS_OF + timedelta(days=1)])),
            )
        )
    cells = [(sku, node_id) for sku in "AB" for node_id in ("n1", "n2")]
    options = {
        "nodes": [world.node("n1", daily_capacity_units=draw(st.sampled_from([None, 1, 2]))), world.node("n2")],
        "lanes": [
            world.lane("n1", cost_per_unit=draw(st.integers(1, 6))),
            world.lane("n2", cost_per_unit=draw(st.integers(1, 6)), transit_days=draw(st.integers(0, 3))),
            world.lane("n2", carrier="fast", cost_per_unit=6, transit_days=0),
        ],
        "receipts": [
            world.receipt(draw(FEW), 0, sku, node_id) for sku, node_id in draw(st.sets(st.sampled_from(cells)))
        ],
        "reservations": [
            world.reservation(draw(st.sampled_from(["dtc", "wholesale"])), draw(FEW), sku, node_id)
            for sku, node_id in draw(st.sets(st.sampled_from(cells)))
        ],
        "carrier_caps": draw(st.sampled_from([(), (CarrierCap(carrier="swift", node_id="n2", units=1),)])),
        "horizon_days": 2,
        "safety_stock": draw(st.sampled_from(list(Reserve))),
        "weights": Weights(
            split_cents=draw(st.sampled_from([50, 800])), release_cents=draw(st.sampled_from([10, 900]))
        ),
    }
    inventory = [
        world.stock(sku, node_id, draw(FEW), safety_stock=draw(st.integers(0, 1)), quarantine=draw(st.integers(0, 1)))
        for sku, node_id in cells
    ]
    data = world.make(lines, inventory, **options)
    return data.with_options(replace(data.options, reservations=draw(st.sampled_from(list(Reserve)))))


def unpruned(data):
    """Every arc the dates allow, whether or not a best plan could use it."""
    problem = prepare(data)
    found = with_caps(candidates(data, data.lines, lane_days(data)), data.carrier_caps).with_columns(
        *(pl.lit(0, pl.Int64).alias(name) for name in ("cell", "row", "step")),
        pl.lit(-1, pl.Int64).alias("holder_id"),
        pl.lit("").alias("lane_class"),
        pl.lit(value=False).alias("is_abundant"),
    )
    return Problem(data, problem.stock, Arcs(with_order(found.select(COLUMNS))))


def line_choices(arcs, line, quantity):
    """Every way to put at most `quantity` units of a line on its arcs."""
    numbers = [number for number, owner in enumerate(arcs.frame["line"]) if owner == line]
    for units in range(quantity + 1):
        yield from itertools.combinations_with_replacement(numbers, units)


def best_by_force(data):
    """Try every plan and keep the best that verify() lets pass."""
    problem = unpruned(data)
    lines = list(data.lines.select("line", "quantity").iter_rows())
    choices = [list(line_choices(problem.arcs, line, quantity)) for line, quantity in lines]
    limits = [
        range(int(quantity) + 1) if decided else range(1)
        for quantity, decided in problem.stock.holders.select("quantity", "is_decided").iter_rows()
    ]
    total = int(np.prod([len(choice) for choice in choices]))
    if total > 3_000:
        return None
    ranked = []
    for picked in itertools.product(*choices):
        units = np.bincount(
            np.array([arc for arcs in picked for arc in arcs], dtype=np.int64), minlength=problem.arcs.count
        )
        plan = Plan(units.astype(np.int64), np.zeros(problem.stock.holders.height, dtype=np.int64))
        ranked.append((objective_cents(problem, plan), plan))
    ranked.sort(key=lambda item: -item[0])
    best = None
    for worth, plan in ranked:
        if best is not None and worth <= best:
            break
        for freed in sorted(itertools.product(*limits), key=sum):
            claimed = worth - sum(freed) * data.options.weights.release_cents
            if best is not None and claimed <= best:
                break
            tried = Plan(plan.units, np.array(freed, dtype=np.int64))
            used = shipped(problem, tried)
            if not verify(
                data, allocations=allocations(used), releases=releases(problem, tried, used), objective_cents=claimed
            ):
                best = claimed
                break
    return best


@TINY
@given(st.data())
def test_the_plan_is_the_best_of_all_plans(world, data):
    problem = data.draw(tiny_worlds(world, most_lines=2))
    best = best_by_force(problem)
    result = allocate(problem)
    assert result.status is Status.OPTIMAL
    if best is not None:
        assert result.objective_cents == best


@TINY
@given(st.data())
def test_no_rule_based_plan_beats_the_optimum(world, data):
    problem = data.draw(tiny_worlds(world))
    best = allocate(problem)
    for by_value in (False, True):
        rules = baseline(problem, by_value=by_value)
        assert rules.objective_cents <= best.objective_cents <= rules.bound_cents
        assert rules.path == "rules"


@TINY
@given(st.data())
def test_more_stock_never_lowers_the_objective(world, data):
    problem = data.draw(tiny_worlds(world))
    lines, inventory, receipts, reserved, nodes, lanes = problem.sources
    more = type(problem).from_frames(
        lines,
        inventory.with_columns((pl.col("on_hand") + 1).cast(pl.Decimal(18, 3)), pl.lit(0).alias("safety_stock")),
        inbound_receipts=receipts,
        channel_reservations=reserved.clear(),
        nodes=nodes,
        lanes=lanes,
        options=problem.options,
    )
    assert allocate(more).objective_cents >= allocate(problem).objective_cents


@TINY
@given(st.data())
def test_the_same_problem_gives_the_same_plan(world, data):
    problem = data.draw(tiny_worlds(world))
    one, two = allocate(problem), allocate(problem)
    assert one.allocations.equals(two.allocations)
    assert one.fingerprint == two.fingerprint
    assert one.is_reproducible


@TINY
@given(st.data())
def test_units_add_up_and_every_short_unit_has_a_reason(world, data):
    problem = data.draw(tiny_worlds(world))
    result = allocate(problem)
    units = sum(result.allocations["quantity"])
    short = sum(result.shorts["short_quantity"])
    assert units + short == sum(problem.lines["quantity"])
    assert result.shorts["reason"].null_count() == 0
    assert result.lates["reason"].null_count() == 0
    held = set(problem.lines.filter(problem.lines["is_on_hold"])["line_id"])
    assert held.isdisjoint(result.allocations["line_id"])
    assert sum(result.terms.values()) == result.objective_cents


def test_nothing_open_is_an_answer(world):
    result = allocate(world.make([]))
    assert (result.status, result.objective_cents, result.path, result.gap) == (Status.OPTIMAL, 0, "empty", 0.0)
    assert result.summary.is_empty()


def test_nothing_in_stock_is_an_answer(world):
    result = allocate(world.make([world.line()], []))
    assert (result.status, result.objective_cents) == (Status.OPTIMAL, -1800)
    rules = baseline(world.make([world.line()], []))
    assert (rules.status, rules.objective_cents) == (Status.OPTIMAL, -1800)


def test_two_results_stand_side_by_side(world):
    data = world.make(
        [world.line("1", unit_price=15, captured_at=None), world.line("2", unit_price=40)], [world.stock(on_hand=1)]
    )
    table = compare(baseline(data), allocate(data))
    total = {row["measure"]: row for row in table.filter(channel="(all)").iter_rows(named=True)}
    assert total["units_allocated"]["plan"] == 1
    assert total["objective_cents"]["change"] == 0
    assert table.filter(channel="dtc", measure="lines")["baseline"].to_list() == [2]


def test_rules_serve_priority_then_the_earliest_order(world):
    lines = [
        world.line("1", priority_rank=2, unit_price=90, channel="amazon"),
        world.line("2", captured_at=world.AS_OF - timedelta(days=2)),
        world.line("3", captured_at=world.AS_OF - timedelta(days=5)),
    ]
    result = baseline(world.make(lines, [world.stock(on_hand=2)]))
    assert result.allocations["order_id"].to_list() == ["2", "3"]


def test_rules_take_the_preferred_node_then_the_nearest(world):
    nodes = {
        "nodes": [world.node("n1"), world.node("n2")],
        "lanes": [world.lane("n1", transit_days=1), world.lane("n2", transit_days=3)],
    }
    inventory = [world.stock("A", "n1"), world.stock("A", "n2")]
    near = baseline(world.make([world.line()], inventory, **nodes))
    assert near.allocations["node_id"].to_list() == ["n1"]
    chosen = baseline(world.make([world.line(preferred_node_id="n2")], inventory, **nodes))
    assert chosen.allocations["node_id"].to_list() == ["n2"]


def test_a_plan_that_fails_its_checks_is_never_shown(world, monkeypatch):
    monkeypatch.setattr("optimizer.allocation.planning.verify", lambda *_, **__: ("made up",))
    with pytest.raises(PlanRejectedError) as caught:
        allocate(world.make([world.line()]))
    assert caught.value.faults == ("made up",)
    monkeypatch.setattr("optimizer.allocation.planning.report.terms", lambda *_: {"margin": 5})
    with pytest.raises(PlanRejectedError, match="terms sum to 5"):
        allocate(world.make([world.line()]))
