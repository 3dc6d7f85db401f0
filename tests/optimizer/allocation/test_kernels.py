"""Kernels against exact solvers, brute force and themselves: never above the optimum, bounds never below it."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

from benchmarks.allocation_instances import Recipe, make
from optimizer.allocation.kernels import engine, margins, orders, pricing, together
from optimizer.allocation.kernels.check import check
from optimizer.allocation.kernels.engine import Effort, greedy, settled, solve_arrays
from optimizer.allocation.kernels.flow import SCALE
from optimizer.allocation.kernels.orderbound import OrderPrices, order_bound
from optimizer.allocation.kernels.orders import make_world
from optimizer.allocation.kernels.passes import Passed, Prices, certified_bound, row_loads, solve_skus
from optimizer.allocation.kernels.problem import KernelPlan
from optimizer.allocation.kernels.together import GAP, place_together
from optimizer.allocation.kernels.warm import plain, smallest
from optimizer.errors import PlanRejectedError

QUICK = Effort(sweeps=4, steps=8, rounds=2, order_steps=10, moves=400, programs=1)


def optimum(problem) -> int:  # noqa: C901
    """The exact optimum of a small problem, order rules included, by HiGHS."""
    line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    pairs = [
        (arc, bucket)
        for arc in range(problem.arcs)
        for bucket in range(*problem.cell_buckets[problem.arc_cell[arc] : problem.arc_cell[arc] + 2])
        if problem.bucket_step[bucket] <= problem.arc_step[arc]
        and (
            problem.bucket_holder[bucket] in (-1, problem.line_holder[line[arc]]) or problem.bucket_release[bucket] >= 0
        )
    ]
    gain, rows, low, high = [], [], [], []
    for arc, bucket in pairs:
        is_foreign = problem.bucket_holder[bucket] not in (-1, problem.line_holder[line[arc]])
        gain.append(problem.arc_gain[arc] - (problem.bucket_release[bucket] if is_foreign else 0))

    def variable(cents, most):
        gain.append(cents)
        upper.append(most)
        return len(gain) - 1

    def row(terms, least, most):
        rows.append(terms)
        low.append(least)
        high.append(most)

    upper = [int(problem.line_quantity[line[arc]]) for arc, _ in pairs]
    of = lambda test: [(j, 1) for j, (arc, bucket) in enumerate(pairs) if test(arc, bucket)]  # noqa: E731
    for at in range(problem.lines):
        row(of(lambda a, b, at=at: line[a] == at), -np.inf, problem.line_quantity[at])
    for at in range(problem.bucket_supply.size):
        row(of(lambda a, b, at=at: b == at), -np.inf, problem.bucket_supply[at])
    for at in range(problem.row_capacity.size):
        node = [(j, problem.arc_use[a]) for j, (a, _) in enumerate(pairs) if problem.arc_node_row[a] == at] + [
            (j, problem.arc_lane_use[a]) for j, (a, _) in enumerate(pairs) if problem.arc_lane_row[a] == at
        ]
        row(node, -np.inf, problem.row_capacity[at])
    for name, member in (("group", problem.line_group), ("quota", problem.line_quota)):
        for at in range(getattr(problem, f"{name}_cap").size):
            terms = of(lambda a, b, at=at, member=member: member[line[a]] == at)
            floor = getattr(problem, f"{name}_floor")[at]
            short = variable(-int(getattr(problem, f"{name}_floor_price")[at]), int(floor))
            row(terms, -np.inf, getattr(problem, f"{name}_cap")[at])
            row([*terms, (short, 1)], floor, np.inf)
    for order in range(problem.orders):
        own = [j for j, (a, _) in enumerate(pairs) if problem.line_order[line[a]] == order]
        nodes = sorted({int(problem.cell_node[problem.arc_cell[pairs[j][0]]]) for j in own})
        used = {node: variable(0, 1) for node in nodes}
        for j in own:
            most = int(problem.line_quantity[line[pairs[j][0]]])
            row([(j, 1), (used[int(problem.cell_node[problem.arc_cell[pairs[j][0]]])], -most)], -np.inf, 0)
        extra = variable(-int(problem.order_split_cents[order]), len(nodes))
        row([*((y, 1) for y in used.values()), (extra, -1)], -np.inf, 1)
        if problem.order_max_nodes[order]:
            row([(y, 1) for y in used.values()], -np.inf, problem.order_max_nodes[order])
        if problem.order_complete[order]:
            whole = variable(0, 1)
            for at in np.flatnonzero(problem.line_order == order):
                terms = of(lambda a, b, at=at: line[a] == at)
                row([*terms, (whole, -int(problem.line_quantity[at]))], 0, 0)
    entries = [(i, j, value) for i, terms in enumerate(rows) for j, value in terms]
    i, j, value = zip(*entries, strict=True)
    matrix = coo_matrix((np.array(value, float), (i, j)), shape=(len(rows), len(gain))).tocsr()
    answer = milp(
        -np.array(gain, float),
        constraints=LinearConstraint(matrix, low, high),
        integrality=np.ones(len(gain)),
        bounds=Bounds(0, np.array(upper, float)),
        options={"mip_rel_gap": 0.0},
    )
    assert answer.status == 0
    return round(-answer.fun)


def sizes(problem):
    return (problem.row_capacity.size, problem.group_cap.size, problem.bucket_supply.size, problem.quota_cap.size)


def tiny(seed, **given):
    return make(Recipe(lines=24, seed=seed, nodes=3, days=2, arcs=6, lines_per_sku=6, **given))


@pytest.mark.parametrize("seed", range(12))
def test_a_problem_without_coupling_is_solved_to_the_optimum(seed):
    problem = tiny(seed, has_reserves=True)
    answer = solve_arrays(problem)
    assert answer.path == "flow"
    assert answer.objective_cents == answer.bound_cents == optimum(problem)


@pytest.mark.parametrize("seed", range(12))
def test_floors_and_releases_of_one_sku_are_weighed_exactly(seed):
    random, problem = np.random.default_rng(seed), tiny(seed, has_reserves=True)
    caps = problem.quota_cap
    problem = replace(
        problem,
        quota_floor=np.minimum(caps, random.integers(0, 4, caps.size)),
        quota_floor_price=random.integers(0, 4_000, caps.size),
        bucket_release=random.integers(-1, 800, problem.bucket_release.size),
    )
    answer = solve_arrays(problem)
    assert answer.objective_cents == answer.bound_cents == optimum(problem)


@pytest.mark.parametrize("seed", range(8))
def test_a_coupled_plan_is_never_above_the_optimum_and_its_bound_never_below(seed):
    problem = tiny(seed, has_reserves=True, is_coupled=True)
    answer = solve_arrays(problem, effort=QUICK)
    assert answer.path == "margins"
    assert answer.objective_cents <= optimum(problem) <= answer.bound_cents


@pytest.mark.parametrize("seed", range(8))
def test_a_plan_under_order_rules_is_never_above_the_optimum_and_its_bound_never_below(seed):
    problem = tiny(seed, has_reserves=True, is_coupled=bool(seed % 2), has_orders=True)
    answer = solve_arrays(problem, effort=QUICK)
    best = optimum(problem)
    assert answer.path == "orders"
    assert answer.objective_cents <= best <= answer.bound_cents
    assert answer.objective_cents >= 0.8 * best or best <= 0


@pytest.mark.parametrize("seed", range(4))
def test_any_prices_prove_a_bound(seed):
    random, problem = np.random.default_rng(seed), tiny(seed, has_reserves=True, is_coupled=True, has_orders=True)
    best, world = optimum(problem), make_world(problem)
    for _ in range(20):
        rows, groups, lots, quotas = (random.normal(0, 60_000, size).astype(np.int64) for size in sizes(problem))
        assert certified_bound(problem, Prices(rows, groups), lots, quotas) >= best
        assert order_bound(problem, world, OrderPrices(rows, groups, lots, quotas, 0)) >= best


def test_more_supply_never_lowers_the_objective():
    problem = make(Recipe(lines=400, seed=3, has_reserves=True))
    random, before = np.random.default_rng(1), solve_arrays(problem).objective_cents
    for _ in range(5):
        more = problem.bucket_supply + random.integers(0, 3, problem.bucket_supply.size)
        problem = replace(problem, bucket_supply=more)
        after = solve_arrays(problem).objective_cents
        assert after >= before
        before = after


@pytest.mark.parametrize("rules", [{}, {"is_coupled": True}, {"is_coupled": True, "has_orders": True}])
def test_one_thread_and_two_give_the_same_bits(rules):
    problem = make(Recipe(lines=1_500, seed=4, has_reserves=True, **rules))
    answers = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        answers.append(solve_arrays(problem, effort=QUICK))
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert (answers[0].plan.units == answers[1].plan.units).all()
    assert answers[0].bound_cents == answers[1].bound_cents


def test_one_thread_and_two_give_the_same_bits_where_one_program_would_be_too_large(monkeypatch):
    monkeypatch.setattr(margins, "WHOLE_COLUMNS", 0)
    test_one_thread_and_two_give_the_same_bits({"is_coupled": True})


def test_a_plan_beats_every_greedy_and_meets_floors_or_pays_for_them():
    problem = make(Recipe(lines=3_000, seed=6, has_reserves=True, is_coupled=True))
    answer = solve_arrays(problem)
    base = check(problem, greedy(problem, np.arange(problem.orders)))
    assert not base.faults
    assert answer.objective_cents > base.objective_cents
    _, groups = row_loads(problem, answer.plan.units)
    short = np.maximum(problem.group_floor - groups, 0)
    gain = int((answer.plan.units * problem.arc_gain).sum())
    assert answer.objective_cents == gain - int((short * problem.group_floor_price).sum())


def test_the_check_names_every_kind_of_fault():
    problem = tiny(1, has_reserves=True, is_coupled=True, has_orders=True)
    everything = KernelPlan(np.full(problem.arcs, 50), np.ones(problem.bucket_supply.size, np.int64))
    told = " ".join(check(problem, everything).faults)
    for word in ("more than is open", "row", "cell", "more nodes", "releases none", "quota"):
        assert word in told
    assert check(problem, KernelPlan(np.zeros(1, np.int64), everything.foreign)).faults


@pytest.mark.parametrize("rules", [{"is_coupled": True}, {"is_coupled": True, "has_orders": True}])
def test_a_corrupted_plan_is_refused(monkeypatch, rules):
    problem, sound = tiny(3, **rules), engine.plan_of

    def corrupted(world, state):
        plan = sound(world, state)
        plan.units[int(np.flatnonzero(plan.units)[0])] += 200
        return plan

    assert solve_arrays(problem, effort=QUICK).plan.units.any()
    monkeypatch.setattr(engine, "plan_of", corrupted)
    with pytest.raises(PlanRejectedError, match="ship more than is open"):
        solve_arrays(problem, effort=QUICK)


def test_a_plan_above_its_bound_is_refused(monkeypatch):
    problem = tiny(3, is_coupled=True, has_orders=True)
    monkeypatch.setattr(engine, "order_bound", lambda *_: -(10**9))
    with pytest.raises(PlanRejectedError, match="above the bound"):
        solve_arrays(problem, effort=QUICK)


def test_an_order_draws_from_no_bucket_more_than_it_holds():
    problem = tiny(5, has_orders=True)
    world, free = make_world(problem), OrderPrices(*(np.zeros(size, np.int64) for size in sizes(problem)), 0)
    asked = np.zeros(int(world.pairs[-1]), np.int64)
    order_bound(problem, world, free, asked)
    arc = np.repeat(np.arange(problem.arcs), np.diff(world.pairs))
    bucket = problem.cell_buckets[problem.arc_cell[arc]] + np.arange(arc.size) - world.pairs[arc]
    assert asked.sum() > 0
    assert (asked <= problem.bucket_supply[bucket]).all()


def test_unsound_arrays_are_named():
    problem = tiny(2)
    assert problem.faults() == ()
    assert "shape" in replace(problem, line_quantity=problem.line_quantity[1:]).faults()[0]
    assert replace(problem, line_quantity=problem.line_quantity * 0).faults() == ("line_quantity has values below 1",)
    assert "another SKU" in replace(problem, arc_cell=problem.arc_cell * 0).faults()[0]
    assert problem.fingerprint() != replace(problem, arc_gain=problem.arc_gain + 1).fingerprint()


def test_a_pass_over_no_line_is_empty():
    problem = make(Recipe(lines=1, seed=1))
    passed = Passed.empty(problem)
    solve_skus(problem, Prices.zero(problem), np.arange(0), passed)
    assert passed.units.sum() == 0


def test_orders_that_a_greedy_plan_places_near_the_bound_are_searched_little(monkeypatch):
    scarce = make(Recipe(lines=150, seed=3, has_orders=True))
    plenty = replace(scarce, bucket_supply=scarce.bucket_supply * 1_000)
    for problem, moves in ((scarce, 40), (plenty, 7)):
        monkeypatch.setattr(engine, "MOVES", (40, 40))
        monkeypatch.setattr(engine, "NEAR_MOVES", (7, 0))
        trace = solve_arrays(problem, effort=Effort(sweeps=2, steps=2, rounds=1)).trace
        assert trace["moves"] == moves
        assert ("start_mended" in trace) == (problem is scarce)


def test_orders_that_are_placed_together_keep_every_rule_and_bring_more(monkeypatch):
    monkeypatch.setattr(together, "ORDERS", 20)
    recipe = Recipe(lines=150, seed=3, has_reserves=True, is_coupled=True, has_orders=True, floors=0.6)
    problem = engine.settled(make(recipe))
    world = orders.make_world(problem)
    state = orders.empty_state(problem, world)
    orders.insert_all(world, state, orders.no_tariff(problem), np.arange(problem.orders), 0)
    before = check(problem, orders.plan_of(world, state)).objective_cents
    assert not place_together(problem, world, state, programs=4, seed=1)
    after = check(problem, orders.plan_of(world, state))
    assert after.faults == ()
    assert after.objective_cents > before


def test_a_program_over_all_orders_is_the_optimum(capfd):
    problem = engine.settled(make(Recipe(lines=40, seed=5, is_coupled=True, has_orders=True, floors=0.6)))
    world = orders.make_world(problem)
    state = orders.empty_state(problem, world)
    place_together(problem, world, state, programs=1, seed=1)
    best = optimum(problem)
    assert best - GAP * abs(best) <= check(problem, orders.plan_of(world, state)).objective_cents <= best
    assert capfd.readouterr().out == ""


def test_a_coupled_problem_of_one_program_comes_within_a_thousandth_of_its_bound():
    problem = make(Recipe(lines=3_000, seed=8, has_reserves=True, is_coupled=True))
    assert solve_arrays(problem).gap < 0.001


def test_prices_and_small_programs_come_close_to_the_optimum_where_one_program_would_be_too_large(monkeypatch):
    problem = make(Recipe(lines=3_000, seed=8, has_reserves=True, is_coupled=True))
    exact = solve_arrays(problem)
    monkeypatch.setattr(margins, "WHOLE_COLUMNS", 0)
    monkeypatch.setattr(margins, "MOST_COLUMNS", 12_000)
    large = solve_arrays(problem)
    assert large.objective_cents <= exact.bound_cents <= large.bound_cents
    assert large.gap < 0.02
    assert large.objective_cents > 0.99 * exact.objective_cents


def two_lines_for_one_unit_of_capacity():
    """Return two SKUs of one line and one bucket each that share a node's capacity of one unit."""
    made = plain(smallest())
    none, one = np.full(2, -1, np.int32), np.ones(2, np.int64)
    return replace(
        made,
        sku_lines=np.arange(3), sku_cells=np.arange(3), sku_quotas=np.zeros(3, np.int64), line_arcs=np.arange(3),
        line_quantity=one, line_order=np.arange(2, dtype=np.int32), line_holder=none, line_group=none, line_quota=none,
        line_single=np.zeros(2, np.bool_), arc_cell=np.arange(2, dtype=np.int32), arc_step=np.zeros(2, np.int32),
        arc_gain=np.array([1_000, 500]), arc_node_row=np.zeros(2, np.int32), arc_lane_row=none,
        arc_use=np.ones(2, np.int32), arc_lane_use=np.ones(2, np.int32), cell_node=np.zeros(2, np.int32),
        cell_buckets=np.arange(3), bucket_step=np.zeros(2, np.int32), bucket_supply=one, bucket_holder=none,
        bucket_release=-one, row_capacity=np.ones(1, np.int64),
        **dict.fromkeys(("group_floor", "group_floor_price", "group_cap"), np.zeros(0, np.int64)),
        **dict.fromkeys(("quota_floor", "quota_floor_price", "quota_cap"), np.zeros(0, np.int64)),
    )  # fmt: skip


def loaded(problem, lots):
    problem = settled(problem)
    prices = pricing.Learnt(Prices.zero(problem), 0, np.array(lots) * SCALE, np.zeros_like(problem.quota_cap), 0)
    return margins.settle(problem, make_world(problem), prices, rounds=0, seed=1).state


def test_where_capacity_is_short_the_line_that_brings_most_ships_though_its_stock_has_a_price():
    state = loaded(two_lines_for_one_unit_of_capacity(), [900, 0])
    assert state.units.tolist() == [1, 0]


def test_units_are_drawn_from_the_lot_with_the_lowest_price_and_from_a_line_s_own_at_one_price():
    problem = replace(
        two_lines_for_one_unit_of_capacity(),
        line_holder=np.zeros(2, np.int32),
        cell_buckets=np.array([0, 2, 3]),
        bucket_step=np.zeros(3, np.int32),
        bucket_supply=np.ones(3, np.int64),
        bucket_holder=np.array([0, -1, -1], np.int32),
        bucket_release=np.full(3, -1, np.int64),
    )
    assert loaded(problem, [900, 100, 0]).left.tolist() == [1, 0, 1]
    assert loaded(problem, [100, 100, 0]).left.tolist() == [0, 1, 1]


def test_a_program_that_the_clock_stops_is_told_and_leaves_a_plan(monkeypatch):
    problem = make(Recipe(lines=1_000, seed=8, has_reserves=True, is_coupled=True))
    monkeypatch.setattr(margins, "relaxation", lambda *_, **__: None)
    answer = solve_arrays(problem, effort=QUICK)
    assert not answer.is_reproducible
    assert 0 < answer.objective_cents <= answer.bound_cents


def test_a_like_problem_solved_from_prices_is_about_as_good_as_one_solved_cold(monkeypatch):
    monkeypatch.setattr(margins, "WHOLE_COLUMNS", 0)
    base = make(Recipe(lines=3_000, seed=8, has_reserves=True, is_coupled=True))
    first = solve_arrays(base, effort=QUICK)
    changed = replace(base, row_capacity=base.row_capacity * 9 // 10)
    start = Prices(first.row_prices, first.group_prices)
    cold, again = solve_arrays(changed, effort=QUICK), solve_arrays(changed, start=start)
    assert again.objective_cents <= again.bound_cents
    assert again.objective_cents > 0.995 * cold.objective_cents
