"""Against other solvers, and what must hold for any problem with all features on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow
from ortools.sat.python import cp_model

from benchmarks.tiny_allocation import tiny_problem
from optimizer.allocation import AllocationData
from optimizer.allocation.model import model_of
from optimizer.allocation.plan import prepare
from optimizer.allocation.solve import solve


def min_cost_flow(data):
    """The optimum where SKUs share nothing: supply by step → line, one network for all."""
    problem = prepare(data)
    arcs, stock = problem.arcs.frame, problem.stock
    flow = SimpleMinCostFlow()
    steps, lines = stock.steps.height, data.lines.height
    sink = steps + lines
    for row, line, gain, quantity in arcs.select("row", "line", "gain_cents", "quantity").iter_rows():
        flow.add_arc_with_capacity_and_unit_cost(row, steps + line, quantity, -gain)
    supply = np.diff(stock.supply, prepend=0)
    supply[stock.starts[:-1]] = stock.supply[stock.starts[:-1]]
    for row in range(steps):
        flow.set_node_supply(row, int(supply[row]))
        flow.add_arc_with_capacity_and_unit_cost(row, sink, int(supply[row]), 0)
        if row + 1 < steps and row + 1 not in set(stock.starts.tolist()):
            flow.add_arc_with_capacity_and_unit_cost(row, row + 1, int(supply.sum()), 0)
    for line, quantity in data.lines.select("line", "quantity").iter_rows():
        flow.add_arc_with_capacity_and_unit_cost(steps + line, sink, quantity, 0)
    flow.set_node_supply(sink, -int(supply.sum()))
    assert flow.solve() == SimpleMinCostFlow.OPTIMAL
    return -flow.optimal_cost() - int((data.lines["short_cents"] * data.lines["quantity"]).sum())


@pytest.mark.parametrize("seed", range(6))
def test_where_skus_share_nothing_the_plan_is_a_minimum_cost_flow(world, seed):
    random = np.random.default_rng(seed)
    lines = [
        world.line(
            str(number),
            sku=f"S{random.integers(4)}",
            open_quantity=int(random.integers(1, 6)),
            unit_price=int(random.integers(12, 60)),
            lane_zone=["east", "west"][int(random.integers(2))],
        )
        for number in range(30)
    ]
    nodes = ("n1", "n2", "n3")
    cells = [(f"S{number}", node) for number in range(4) for node in nodes]
    data = world.make(
        lines,
        [world.stock(sku, node, int(random.integers(0, 9))) for sku, node in cells],
        receipts=[world.receipt(int(random.integers(1, 5)), 2, sku, node) for sku, node in cells[::3]],
        nodes=[world.node(node) for node in nodes],
        lanes=[
            world.lane(node, lane_zone=zone, cost_per_unit=int(random.integers(1, 9)))
            for node in nodes
            for zone in ("east", "west")
        ],
        weights=type(world.QUIET)(split_cents=0),
    )
    assert solve(prepare(data)).objective_cents == min_cost_flow(data)


def cp_sat_optimum(model, hint):
    """The same program given to CP-SAT, every variable whole, with a plan as hint."""
    program = cp_model.CpModel()
    columns = [program.new_int_var(0, int(upper), "") for upper in model.bound]
    matrix = model.matrix
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        terms = zip(matrix.indices[part], matrix.data[part], strict=True)
        total = cp_model.LinearExpr.weighted_sum(*zip(*((columns[j], int(value)) for j, value in terms), strict=True))
        program.add(total <= int(model.upper[row]))
        if model.lower[row] == model.upper[row]:
            program.add(total >= int(model.lower[row]))
    for column, value in zip(columns, hint, strict=False):
        program.add_hint(column, int(value))
    program.maximize(cp_model.LinearExpr.weighted_sum(columns, model.gain.astype(np.int64).tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = 20
    assert solver.solve(program) == cp_model.OPTIMAL
    return round(solver.objective_value) + model.offset


@pytest.mark.parametrize("seed", range(500, 508))
def test_cp_sat_finds_the_same_optimum_of_the_same_program(seed):
    problem = prepare(tiny_problem(seed))
    solved = solve(problem)
    model = model_of(problem)
    if not model.matrix.shape[0]:
        assert solved.path == "empty"
        return
    assert cp_sat_optimum(model, solved.plan.units) == solved.objective_cents


def changed(data, **given):
    lines, inventory, receipts, reserved, nodes, lanes = data.sources
    return AllocationData.from_frames(
        lines,
        given.get("inventory", inventory),
        inbound_receipts=given.get("receipts", receipts),
        channel_reservations=reserved,
        nodes=given.get("nodes", nodes),
        lanes=lanes,
        options=data.options,
        extras={name: given.get(name, frame) for name, frame in data.extra_sources.items()},
    )


@pytest.mark.parametrize("seed", range(700, 715))
def test_more_supply_or_capacity_never_lowers_the_objective(seed):
    data = tiny_problem(seed)
    floors = data.extra_sources.get("service_floors")
    if floors is not None:
        # A fair share is a share of the supply: with more of that the target grows, and with it what may be missed.
        fixed = floors.with_columns(pl.lit(None, pl.Float64).alias("fair_share_rate"))
        data = changed(data, service_floors=fixed)
    worth = solve(prepare(data)).objective_cents
    _, inventory, receipts, _, nodes, _ = data.sources
    more = {
        "inventory": inventory.with_columns(pl.col("on_hand") + 1),
        "receipts": receipts.with_columns(pl.col("quantity") + 1),
        "nodes": nodes.with_columns(pl.col("daily_capacity_units") + 1, pl.col("daily_dock_appointments") + 1),
    }
    for name, frame in more.items():
        assert solve(prepare(changed(data, **{name: frame}))).objective_cents >= worth, name
