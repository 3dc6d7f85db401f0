"""The entry point for arrays: one path per regime, one answer, checked.

- *flow*: nothing ties SKUs together: every SKU is solved exactly, the duals prove it.
- *margins*: rows or groups tie SKUs: prices are learnt, lines with a clear preference follow them, small linear
  programs settle the others.
- *orders*: order rules as well: prices are learnt anew at order level, orders are inserted at them (or the
  plan of *margins* is mended, whichever is worth more), then ruined and recreated.

All stops are counts, none is a time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from optimizer.allocation.kernels import pricing
from optimizer.allocation.kernels.assignment import is_assignment, solve_assignment
from optimizer.allocation.kernels.check import check
from optimizer.allocation.kernels.margins import is_one_program, settle, solve_whole
from optimizer.allocation.kernels.orderbound import OrderPrices, learn_orders, order_bound
from optimizer.allocation.kernels.orders import (
    State,
    Tariff,
    World,
    broken_orders,
    copy_state,
    empty_state,
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
from optimizer.allocation.kernels.problem import Ints, KernelAnswer, KernelPlan, KernelProblem
from optimizer.allocation.kernels.together import place_together
from optimizer.errors import PlanRejectedError

ROUNDS: Final = 8
"""Linear programs of *margins* after the first."""

ORDER_STEPS: Final = (100, 800)
"""Fewest and most steps on the prices of orders; between them STEPPED_LINES, over the lines, decides."""

STEPPED_LINES: Final = 30_000_000
MOVES: Final = (100_000, 500_000)
"""Fewest and most moves of the order search; between them MOVES_PER_ORDER decides."""

MOVES_PER_ORDER: Final = 25

NEAR: Final = 0.003
"""Gap of a greedy plan at which orders compete so little that NEAR_STEPS and NEAR_MOVES do."""

NEAR_STEPS: Final = 25
NEAR_MOVES: Final = (10_000, 1)
"""Fewest moves, and moves per order; none of them may be worse than what it replaces."""

RUIN: Final = 12

TOGETHER: Final = (4_000, 10)
"""Most orders of a problem that is searched by programs as well, and how many; in larger ones moves gain more."""

TOGETHER_MOVES: Final = 30
"""Most moves per order before such programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work a solve may do; every field is a count, so the answer does not depend on the machine."""

    sweeps: int = pricing.SWEEPS
    steps: int = pricing.STEPS
    rounds: int = ROUNDS
    order_steps: int | None = None
    moves: int | None = None
    programs: int | None = None


AGAIN: Final = Effort(sweeps=7, steps=6, rounds=4)
"""Work on prices and on a plan without order rules from a like problem's prices."""


def solve_arrays(
    problem: KernelProblem, *, seed: int = 1, start: Prices | None = None, effort: Effort | None = None
) -> KernelAnswer:
    """Solve a problem by the path of its regime and check the plan.

    Args:
        problem: The problem; `faults()` must be empty.
        seed: Seed of sampling, chunking and search.
        start: Prices of a like problem (a scenario's base): learning starts there and takes less work.
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
        answer = engine.margins(start)
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
        self.is_killed = False

    def assignment(self) -> KernelAnswer | None:
        found = solve_assignment(self.problem, seed=self.seed)
        if found is None:
            return None
        plan, bound, self.is_killed = found
        lots = np.zeros(self.problem.bucket_supply.size, np.int64)
        return self._answer("assignment", plan, bound, Prices.zero(self.problem), lots)

    def flow(self) -> KernelAnswer:
        problem, prices, passed = self.problem, Prices.zero(self.problem), Passed.empty(self.problem)
        solve_skus(problem, prices, pricing.balanced(problem), passed)
        plan = KernelPlan(passed.units, passed.foreign)
        bound = certified_bound(problem, prices, passed.lots, passed.quotas)
        return self._answer("flow", plan, bound, prices, passed.lots)

    def margins(self, start: Prices | None) -> KernelAnswer:
        world = make_world(self.problem)
        learnt, state = self._without_orders(world, start)
        return self._answer("margins", plan_of(world, state), learnt.bound_cents, learnt.prices, learnt.lots)

    def _without_orders(self, world: World, start: Prices | None) -> tuple[pricing.Learnt, State]:
        """Return prices and a plan at them, order rules left out."""
        problem, effort = self.problem, self.effort
        if not problem.is_coupled:
            passed, prices = Passed.empty(problem), Prices.zero(problem)
            solve_skus(problem, prices, pricing.balanced(problem), passed)
            bound = certified_bound(problem, prices, passed.lots, passed.quotas)
            state, _ = state_of(problem, world, passed.units)
            return pricing.Learnt(prices, bound, passed.lots, passed.quotas, 1), state
        if is_one_program(world):
            whole = solve_whole(problem, world)
            if whole is not None:
                return pricing.learn(problem, whole[0], steps=1), whole[1]
            self.is_killed = True
        prices = self._swept() if start is None else pricing.sweep(problem, start, sweeps=AGAIN.sweeps, seed=self.seed)
        effort = self.effort if start is None else AGAIN
        learnt = pricing.learn(problem, prices, steps=effort.steps)
        settled = settle(problem, world, learnt, rounds=effort.rounds, seed=self.seed)
        self.is_killed |= settled.is_killed
        return learnt, settled.state

    def _swept(self) -> Prices:
        problem, sweeps, share = self.problem, self.effort.sweeps, pricing.SAMPLE_LINES / max(self.problem.lines, 1)
        if share < 1:
            self.trace["sample_share"] = share
            problem = pricing.sample(problem, share, self.seed)
        return pricing.sweep(problem, sweeps=sweeps, seed=self.seed)

    def orders(self, start: Prices | None) -> KernelAnswer:
        problem, world = self.problem, make_world(self.problem)
        dearest = np.argsort(-unit_values(problem), kind="stable").astype(np.int64)
        plain = empty_state(problem, world)
        insert_all(world, plain, no_tariff(problem), dearest, 0)
        reached, state = self._worth(world, plain), None
        # One pass at no prices tells whether orders compete at all; only then are prices of rows worth their time.
        learnt = pricing.learn(problem, Prices.zero(problem), steps=1)
        flat = self._order_prices(world, learnt)
        is_near = flat.bound_cents - reached <= NEAR * abs(flat.bound_cents)
        if not is_near:
            learnt, state = self._without_orders(world, start)
            flat = self._order_prices(world, learnt)
            is_near = flat.bound_cents - reached <= NEAR * abs(flat.bound_cents)
        steps = self._order_steps(is_near=is_near)
        best = learn_orders(problem, world, flat, steps=steps, reached_cents=reached)
        self.trace["flat_bound"] = learnt.bound_cents
        candidates = {"priced": self._priced(world, best, dearest), "greedy": plain}
        if state is not None:
            candidates["mended"] = self._mended(world, state, best, dearest)
        worth = {name: self._worth(world, state) for name, state in candidates.items()}
        self.trace.update({f"start_{name}": float(cents) for name, cents in worth.items()})
        state = candidates[max(sorted(worth), key=worth.__getitem__)]
        warmth = 0 if is_near or not problem.arcs else int(np.median(problem.arc_gain))
        programs = self._programs(is_near=is_near)
        self._search(world, state, best.tariff, self._moves(programs, is_near=is_near), warmth)
        self.is_killed |= place_together(problem, world, state, programs=programs, seed=self.seed)
        self.trace["programs"] = programs
        plan = plan_of(world, state)
        prices = Prices(best.rows, best.groups)
        return self._answer("orders", plan, best.bound_cents, prices, best.lots)

    def _order_prices(self, world: World, learnt: pricing.Learnt) -> OrderPrices:
        """Return prices learnt without order rules, with the better of their two bounds."""
        flat = OrderPrices(learnt.prices.rows, learnt.prices.groups, learnt.lots, learnt.quotas, learnt.bound_cents)
        return replace(flat, bound_cents=min(flat.bound_cents, order_bound(self.problem, world, flat)))

    def _order_steps(self, *, is_near: bool) -> int:
        if self.effort.order_steps is not None:
            return self.effort.order_steps
        if is_near:
            return NEAR_STEPS
        return min(max(STEPPED_LINES // max(self.problem.lines, 1), ORDER_STEPS[0]), ORDER_STEPS[1])

    def _moves(self, programs: int, *, is_near: bool) -> int:
        if self.effort.moves is not None:
            return self.effort.moves
        if is_near:
            return max(NEAR_MOVES[1] * self.problem.orders, NEAR_MOVES[0])
        moves = min(max(MOVES_PER_ORDER * self.problem.orders, MOVES[0]), MOVES[1])
        return min(moves, TOGETHER_MOVES * self.problem.orders) if programs else moves

    def _programs(self, *, is_near: bool) -> int:
        most, programs = TOGETHER
        if is_near or self.problem.orders > most or self.problem.line_single.any():
            return 0
        return programs if self.effort.programs is None else self.effort.programs

    def _mended(self, world: World, state: State, best: OrderPrices, dearest: Ints) -> State:
        """Return a plan without order rules with every order that breaks a rule (or pays for splits) placed anew."""
        release_all(world, state, np.flatnonzero(broken_orders(world, state)))
        for share in (100, 50, 0):
            insert_missing(world, state, best.tariff, dearest, share)
        return state

    def _priced(self, world: World, best: OrderPrices, dearest: Ints) -> State:
        state = empty_state(self.problem, world)
        for share in (100, 50, 0):
            insert_missing(world, state, best.tariff, dearest, share)
        return state

    def _search(self, world: World, state: State, tariff: Tariff, moves: int, warmth: int) -> None:
        if moves == 0:
            return
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
            is_reproducible=not self.is_killed,
        )
