"""The entry point for arrays: one path per regime, one answer, checked.

- *flow*: nothing ties SKUs together: every SKU is solved exactly, the duals prove it.
- *paced*: rows or groups tie SKUs: prices are learnt, a paced pass follows them, what is over is trimmed,
  what is left is filled and polished SKU by SKU.
- *orders*: order rules as well: prices are learnt anew at order level, orders are inserted at them (or the
  paced plan is mended, whichever is worth more), then ruined and recreated.

All stops are counts, none is a time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from optimizer.allocation.kernels import pricing
from optimizer.allocation.kernels.assignment import is_assignment, solve_assignment
from optimizer.allocation.kernels.check import check
from optimizer.allocation.kernels.deal import deal, part_size
from optimizer.allocation.kernels.orderbound import OrderPrices, learn_orders, order_bound
from optimizer.allocation.kernels.orders import (
    State,
    Tariff,
    World,
    broken_orders,
    copy_state,
    empty_state,
    fill,
    insert_all,
    insert_missing,
    make_world,
    no_tariff,
    plan_of,
    release_all,
    ruin_and_recreate,
    state_of,
    worths,
)
from optimizer.allocation.kernels.passes import Passed, Prices, certified_bound, solve_skus
from optimizer.allocation.kernels.polish import polish, trim
from optimizer.allocation.kernels.problem import Ints, KernelAnswer, KernelPlan, KernelProblem
from optimizer.errors import PlanRejectedError

FILL_SHARES: Final = (100, 70, 50, 20, 0)
POLISH_SHARES: Final = (1.0, 1.0, 0.7, 0.0)
ORDER_STEPS: Final = (100, 800)
"""Fewest and most steps on the prices of orders; between them STEPPED_LINES, over the lines, decides."""

STEPPED_LINES: Final = 30_000_000
MOVES: Final = (100_000, 500_000)
"""Fewest and most moves of the order search; between them MOVES_PER_ORDER decides."""

MOVES_PER_ORDER: Final = 25
RUIN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work a solve may do; every field is a count, so the answer does not depend on the machine."""

    steps: int = pricing.LEARNING_STEPS
    refine: int = pricing.REFINING_STEPS
    order_steps: int | None = None
    moves: int | None = None


def solve_arrays(
    problem: KernelProblem, *, seed: int = 1, start: Prices | None = None, effort: Effort | None = None
) -> KernelAnswer:
    """Solve a problem by the path of its regime and check the plan.

    Args:
        problem: The problem; `faults()` must be empty.
        seed: Seed of sampling, chunking and search.
        start: Prices of a like problem (a scenario's base): learning starts there and takes fewer steps.
        effort: Counts of work; by default functions of the instance.

    Raises:
        PlanRejectedError: The plan breaks a rule (a defect; it is not shown).
    """
    problem = settled(problem)
    engine = _Engine(problem, seed, effort or Effort())
    assigned = engine.assignment() if is_assignment(problem) else None
    if assigned is not None:
        answer = assigned
    elif problem.has_order_rules:
        answer = engine.orders(start)
    elif problem.is_coupled:
        answer = engine.paced(start)
    else:
        answer = engine.flow()
    return answer


def settled(problem: KernelProblem) -> KernelProblem:
    """Return the problem with contiguous, writable arrays of the stated types: kernels are compiled for these only."""
    orders = ("line_order", "line_holder", "line_group", "line_quota", "cell_node", "order_max_nodes")
    arcs = ("arc_cell", "arc_step", "arc_node_row", "arc_lane_row", "arc_use", "arc_lane_use")
    types = dict.fromkeys((*orders, *arcs, "bucket_step", "bucket_holder"), np.int32)
    flags = dict.fromkeys(("line_single", "order_complete"), np.bool_)
    given = {item.name: getattr(problem, item.name) for item in fields(problem)}
    kept = {
        name: np.require(array, {**types, **flags}.get(name, np.int64), ["C", "W"]) for name, array in given.items()
    }
    return KernelProblem(**kept)


def flow_bound(problem: KernelProblem) -> int:
    """Return the bound that one exact pass without prices proves: every SKU for itself, rows and orders relaxed."""
    passed, prices = Passed.empty(problem), Prices.zero(problem)
    solve_skus(problem, prices, pricing.balanced(problem), passed)
    return certified_bound(problem, prices, passed.lots, passed.quotas)


def greedy(problem: KernelProblem, sequence: Ints) -> KernelPlan:
    """Insert orders in sequence, each on the nodes that gain most now: the baseline, without any price."""
    world = make_world(problem)
    state = empty_state(problem, world)
    insert_all(world, state, no_tariff(problem), sequence.astype(np.int64), 0)
    return plan_of(world, state)


def unit_values(problem: KernelProblem) -> Ints:
    """Return each order's best gain per unit in cents, the price of splits left out."""
    line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    best = np.zeros(problem.lines, np.int64)
    np.maximum.at(best, line, problem.arc_gain)
    gain = np.bincount(problem.line_order, weights=best * problem.line_quantity, minlength=problem.orders)
    units = np.bincount(problem.line_order, weights=problem.line_quantity, minlength=problem.orders)
    return (gain / np.maximum(units, 1)).astype(np.int64)


class _Engine:
    def __init__(self, problem: KernelProblem, seed: int, effort: Effort) -> None:
        self.problem, self.seed, self.effort = problem, seed, effort
        self.trace: dict[str, float] = {}

    def assignment(self) -> KernelAnswer | None:
        found = solve_assignment(self.problem, seed=self.seed)
        if found is None:
            return None
        lots = np.zeros(self.problem.bucket_supply.size, np.int64)
        return self._answer("assignment", *found, Prices.zero(self.problem), lots)

    def flow(self) -> KernelAnswer:
        problem, prices, passed = self.problem, Prices.zero(self.problem), Passed.empty(self.problem)
        solve_skus(problem, prices, pricing.balanced(problem), passed)
        plan = KernelPlan(passed.units, passed.foreign)
        bound = certified_bound(problem, prices, passed.lots, passed.quotas)
        return self._answer("flow", plan, bound, prices, passed.lots)

    def paced(self, start: Prices | None) -> KernelAnswer:
        learnt = self._learn(start)
        world = make_world(self.problem)
        state = self._paced_state(world, learnt)
        plan = plan_of(world, state)
        return self._answer("paced", plan, learnt.bound_cents, learnt.prices, learnt.lots)

    def _learn(self, start: Prices | None) -> pricing.Learnt:
        problem, effort = self.problem, self.effort
        if not problem.is_coupled:
            passed, prices = Passed.empty(problem), Prices.zero(problem)
            solve_skus(problem, prices, pricing.balanced(problem), passed)
            bound = certified_bound(problem, prices, passed.lots, passed.quotas)
            return pricing.Learnt(prices, bound, passed.lots, passed.quotas, 1)
        long, short = pricing.STEP, (pricing.STEP[0] / 8, pricing.STEP[1])
        if start is not None:
            return pricing.learn(problem, start, steps=effort.refine, length=short)
        if problem.lines <= pricing.SAMPLE_LINES:
            return pricing.learn(problem, steps=effort.steps, length=long)
        share = pricing.SAMPLE_LINES / problem.lines
        sampled = pricing.learn(pricing.sample(problem, share, self.seed), steps=effort.steps, length=long)
        self.trace["sample_share"] = share
        return pricing.learn(problem, sampled.prices, steps=effort.refine, length=short)

    def _paced_state(self, world: World, learnt: pricing.Learnt) -> State:
        problem, tariff = self.problem, Tariff(learnt.prices.rows, learnt.prices.groups, learnt.lots)
        if not problem.is_coupled:
            passed = Passed.empty(problem)
            solve_skus(problem, learnt.prices, pricing.balanced(problem), passed)
            return state_of(problem, world, passed.units)[0]
        dealt = deal(problem, part_size(problem))
        passed = pricing.pace(dealt, learnt.prices, seed=self.seed)
        self.trace["trimmed"] = trim(dealt, learnt.prices, passed)
        random = np.random.default_rng(self.seed)
        for share in POLISH_SHARES:
            polish(dealt, learnt.prices, passed, share=share, skus=random.permutation(dealt.skus))
        state, lost = state_of(problem, world, passed.units)
        self.trace["unplaced"] = lost
        dearest = self._dearest_lines()
        for _ in range(2):
            for share in FILL_SHARES:
                fill(world, state, tariff, dearest, share)
            passed = Passed.empty(problem)
            passed.units[:], passed.foreign[:] = state.units, plan_of(world, state).foreign
            for share in POLISH_SHARES:
                polish(problem, learnt.prices, passed, share=share, skus=random.permutation(problem.skus))
            state, lost = state_of(problem, world, passed.units)
            self.trace["unplaced"] += lost
        fill(world, state, tariff, dearest, 0)
        return state

    def _dearest_lines(self) -> Ints:
        problem = self.problem
        best = np.zeros(problem.lines, np.int64)
        np.maximum.at(best, np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs)), problem.arc_gain)
        return np.argsort(-best, kind="stable").astype(np.int64)

    def orders(self, start: Prices | None) -> KernelAnswer:
        problem, world = self.problem, make_world(self.problem)
        learnt = self._learn(start)
        flat = OrderPrices(learnt.prices.rows, learnt.prices.groups, learnt.lots, learnt.quotas, learnt.bound_cents)
        flat = OrderPrices(
            flat.rows, flat.groups, flat.lots, flat.quotas, min(flat.bound_cents, order_bound(problem, world, flat))
        )
        dearest = np.argsort(-unit_values(problem), kind="stable").astype(np.int64)
        plain = empty_state(problem, world)
        insert_all(world, plain, no_tariff(problem), dearest, 0)
        best = learn_orders(problem, world, flat, steps=self._order_steps(), reached_cents=self._worth(world, plain))
        self.trace["flat_bound"] = learnt.bound_cents
        candidates = {
            "mended": self._mended(world, learnt, best, dearest),
            "priced": self._priced(world, best, dearest),
            "greedy": plain,
        }
        worth = {name: self._worth(world, state) for name, state in candidates.items()}
        self.trace.update({f"start_{name}": float(cents) for name, cents in worth.items()})
        state = candidates[max(sorted(worth), key=worth.__getitem__)]
        usual = min(max(MOVES_PER_ORDER * problem.orders, MOVES[0]), MOVES[1])
        moves = usual if self.effort.moves is None else self.effort.moves
        self._search(world, state, best.tariff, moves)
        plan = plan_of(world, state)
        prices = Prices(best.rows, best.groups)
        return self._answer("orders", plan, best.bound_cents, prices, best.lots)

    def _order_steps(self) -> int:
        if self.effort.order_steps is not None:
            return self.effort.order_steps
        return min(max(STEPPED_LINES // max(self.problem.lines, 1), ORDER_STEPS[0]), ORDER_STEPS[1])

    def _mended(self, world: World, learnt: pricing.Learnt, best: OrderPrices, dearest: Ints) -> State:
        """Return the paced plan with every order that breaks a rule (or pays for splits) placed anew."""
        state = self._paced_state(world, learnt)
        release_all(world, state, np.flatnonzero(broken_orders(world, state)))
        for share in (100, 50, 0):
            insert_missing(world, state, best.tariff, dearest, share)
        return state

    def _priced(self, world: World, best: OrderPrices, dearest: Ints) -> State:
        state = empty_state(self.problem, world)
        for share in (100, 50, 0):
            insert_missing(world, state, best.tariff, dearest, share)
        return state

    def _search(self, world: World, state: State, tariff: Tariff, moves: int) -> None:
        if moves == 0:
            return
        warmth = int(np.median(self.problem.arc_gain)) if self.problem.arcs else 0
        kept, before = copy_state(state), self._worth(world, state)
        seed = np.array([88172645463325252 + self.seed * 7919], np.uint64)
        ruin_and_recreate(world, state, tariff, moves, seed, warmth, RUIN)
        if self._worth(world, state) < before:
            for mine, theirs in zip(state, kept, strict=True):
                mine[:] = theirs
        self.trace["moves"] = moves

    @staticmethod
    def _worth(world: World, state: State) -> int:
        return int(worths(world, state).sum()) - int(state.penalty[0])

    def _answer(self, path: str, plan: KernelPlan, bound: int, prices: Prices, lots: Ints) -> KernelAnswer:
        checked = check(self.problem, plan)
        faults = list(checked.faults)
        if checked.objective_cents > bound:
            faults.append(f"objective {checked.objective_cents} is above the bound {bound}")
        if faults:
            raise PlanRejectedError(faults)
        return KernelAnswer(
            plan=plan,
            objective_cents=checked.objective_cents,
            bound_cents=bound,
            row_prices=prices.rows,
            group_prices=prices.groups,
            lot_prices=lots,
            path=path,
            trace=self.trace,
        )
