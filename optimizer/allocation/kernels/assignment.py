"""Generalised assignment: every job to one agent (or to none), least cost, capacities kept.

A bound and prices by subgradient on the capacities (each job takes its cheapest agent at the prices), a start by
regret at those prices, then annealing over moves and swaps among each job's best agents at the prices, cooled several
times. Overload is allowed at a price that rises while there is some and falls while there is none, so the search stays
at the edge of what fits; it must be gone in what is returned. What is still far from the bound is then mended by small
exact programs (`neighbourhoods`). One thread; stops are counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from optimizer.allocation.kernels import neighbourhoods
from optimizer.allocation.kernels.flow import jit
from optimizer.allocation.kernels.orders import draw
from optimizer.allocation.kernels.problem import Ints, KernelPlan, KernelProblem

NOBODY: Final = 2**50
"""Cost of an agent that cannot take a job."""

PRICE_STEPS: Final = 300
MOVES_PER_JOB: Final = 60_000
MOST_MOVES: Final = 40_000_000
COOLINGS: Final = 4
"""How often the search is heated again, from the best found."""

PRESSURE: Final = 1.02
"""Factor of the price of overload per round of as many moves as jobs."""

WIDTH: Final = 12
"""Agents per job that are tried, its best at the prices."""


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """Agent of each job, total cost and a lower bound on any assignment's (in the unit of the costs, rounded up).

    `is_killed`: the clock stopped one of the small programs.
    """

    agent: Ints
    cost: int
    bound: int
    is_killed: bool = False


def assign(cost: Ints, need: Ints, capacity: Ints, *, seed: int = 1, moves: int | None = None) -> Assigned | None:
    """Assign jobs to agents.

    Args:
        cost: [jobs, agents] cost, NOBODY where the agent cannot take the job.
        need: [jobs, agents] capacity used.
        capacity: [agents] capacity.
        seed: Seed of the search.
        moves: Moves of the search; by default a function of the number of jobs.

    Returns:
        The assignment, None if no feasible one was found.
    """
    cost, need = np.ascontiguousarray(cost), np.ascontiguousarray(need)
    prices, bound = _prices(cost, need, capacity)
    reduced = cost + need * prices
    width = min(WIDTH, cost.shape[1])
    choice = np.argsort(reduced, axis=1, kind="stable")[:, :width].astype(np.int64)
    spread = float(
        np.median(np.partition(reduced, min(1, width - 1), axis=1)[:, min(1, width - 1)] - reduced.min(axis=1))
    )
    heat = max(spread, 1.0)
    penalty = max(
        float(np.median(prices[prices > 0])) if (prices > 0).any() else 0.0, heat / max(float(need.mean()), 1.0)
    )
    count = min(MOVES_PER_JOB * cost.shape[0], MOST_MOVES) if moves is None else moves
    agent = np.empty(cost.shape[0], np.int64)
    state = np.array([88172645463325252 + 7919 * seed], np.uint64)
    best = int(_anneal(cost, need, capacity, choice, agent, penalty, heat, count, state))
    found = None if best >= NOBODY else Assigned(agent, best, bound)
    if found is not None and best <= bound * (1 + neighbourhoods.GOOD):
        return found
    return _mended(neighbourhoods.Jobs(cost, need, capacity, NOBODY), choice, found, bound, seed=seed)


def _mended(
    given: neighbourhoods.Jobs, choice: Ints, found: Assigned | None, bound: int, *, seed: int
) -> Assigned | None:
    mask = np.zeros(given.cost.shape, np.bool_)
    np.put_along_axis(mask, choice, values=True, axis=1)
    if found is not None:
        mask[np.arange(len(mask)), found.agent] = True
    mask &= given.cost < NOBODY
    linear = neighbourhoods.linear_prices(given, mask)
    if linear is None:
        return None if found is None else replace(found, is_killed=True)
    reduced, prices = linear
    bound = max(bound, _bound(given.cost, given.need, given.capacity, prices))
    work = neighbourhoods.Work()
    start = neighbourhoods.dive(given, reduced, work, seed=seed)
    if found is not None and (start is None or found.cost <= given.value(start)):
        start = found.agent
    if start is None:
        return None
    agent = neighbourhoods.improve(given, start, reduced, work, seed=seed, bound=bound)
    return Assigned(agent, given.value(agent), bound, work.is_killed)


def _bound(cost: Ints, need: Ints, capacity: Ints, prices: npt.NDArray[np.float64]) -> int:
    """Return what capacity prices prove: least costs at the prices, less what capacity is paid, rounded up safely."""
    value = float((cost + need * prices).min(axis=1).sum() - capacity @ prices)
    return int(np.ceil(value - 1e-6 * max(abs(value), 1.0)))


def _prices(cost: Ints, need: Ints, capacity: Ints) -> tuple[npt.NDArray[np.float64], int]:
    """Return capacity prices and the bound they prove: least costs at the prices, less what capacity is paid."""
    prices, momentum = np.zeros(capacity.size), np.zeros(capacity.size)
    top, best = prices, -np.inf
    jobs = np.arange(cost.shape[0])
    scale = float(np.median(cost[cost < NOBODY])) / max(float(np.median(need)), 1.0)
    for number in range(PRICE_STEPS):
        chosen = (cost + need * prices).argmin(axis=1)
        value = float((cost[jobs, chosen] + need[jobs, chosen] * prices[chosen]).sum() - capacity @ prices)
        if value > best:
            best, top = value, prices.copy()
        load = np.bincount(chosen, weights=need[jobs, chosen], minlength=capacity.size)
        momentum = 0.7 * momentum + 0.3 * np.clip(load / np.maximum(capacity, 1) - 1, -1, 1)
        prices = np.maximum(prices + 0.5 * scale * 0.985**number * momentum, 0)
    return top, _bound(cost, need, capacity, top)


@jit
def _anneal(
    cost: Any,
    need: Any,
    capacity: Any,
    choice: Any,
    best_agent: Any,
    penalty: float,
    heat: float,
    moves: int,
    seed: Any,
) -> int:
    """Anneal; fill `best_agent` with the best feasible assignment met and return its cost, NOBODY without one."""
    jobs, agents = cost.shape
    width = choice.shape[1]
    agent, load = np.empty(jobs, np.int64), np.zeros(agents, np.int64)
    # Start: jobs with the largest step between their two best agents first, each on its best one with room.
    step = np.empty(jobs, np.int64)
    for job in range(jobs):
        second = choice[job, min(1, width - 1)]
        step[job] = -(cost[job, second] - cost[job, choice[job, 0]])
    over, total = np.int64(0), np.int64(0)
    for job in np.argsort(step, kind="mergesort"):
        found = -1
        for place in range(width):
            if load[choice[job, place]] + need[job, choice[job, place]] <= capacity[choice[job, place]]:
                found = choice[job, place]
                break
        if found < 0:
            for at in range(agents):
                fits = cost[job, at] < NOBODY and load[at] + need[job, at] <= capacity[at]
                if fits and (found < 0 or cost[job, at] < cost[job, found]):
                    found = at
        if found < 0:
            found = choice[job, 0]
        agent[job] = found
        load[found] += need[job, found]
        total += cost[job, found]
    for at in range(agents):
        over += max(load[at] - capacity[at], 0)
    best = np.int64(NOBODY)
    if over == 0:
        best = total
        best_agent[:] = agent
    part = max(moves // COOLINGS, 1)
    rate = penalty
    for move in range(part * COOLINGS):
        if move % part == 0 and move > 0 and best < NOBODY:
            agent[:] = best_agent
            load[:] = 0
            for at in range(jobs):
                load[agent[at]] += need[at, agent[at]]
            total, over = best, np.int64(0)
        share = 1.0 - (move % part) / part
        warmth = heat * share * share
        if move % jobs == 0:
            rate = rate * PRESSURE if over > 0 else rate / PRESSURE
            rate = min(max(rate, 1e-3 * penalty), 1e4 * penalty)
        job = draw(seed) % jobs
        there = choice[job, draw(seed) % width]
        here = agent[job]
        if cost[job, there] >= NOBODY:
            continue
        if there != here:
            other = -1
            delta = cost[job, there] - cost[job, here]
            load_here, load_there = load[here] - need[job, here], load[there] + need[job, there]
            if load_there > capacity[there] or draw(seed) % 2 == 0:
                # Swap with a job that is there, if one is found in a few draws.
                for _ in range(6):
                    peer = draw(seed) % jobs
                    if agent[peer] == there and cost[peer, here] < NOBODY:
                        other = peer
                        break
                if other >= 0:
                    delta += cost[other, here] - cost[other, there]
                    load_here += need[other, here]
                    load_there -= need[other, there]
            more = max(load_here - capacity[here], 0) + max(load_there - capacity[there], 0)
            more -= max(load[here] - capacity[here], 0) + max(load[there] - capacity[there], 0)
            worse = delta + rate * more
            if worse <= 0 or (warmth > 0 and (draw(seed) % 1048576) / 1048576.0 < np.exp(-worse / warmth)):
                agent[job] = there
                if other >= 0:
                    agent[other] = here
                load[here], load[there] = load_here, load_there
                total += delta
                over += more
                if over == 0 and total < best:
                    best = total
                    best_agent[:] = agent
    return best


def is_assignment(problem: KernelProblem) -> bool:
    """Whether every line goes whole to one arc, stock binds nowhere and only one capacity per arc is shared."""
    if problem.lines == 0 or problem.group_cap.size or problem.quota_cap.size or not problem.row_capacity.size:
        return False
    whole = problem.line_single | (problem.line_quantity == 1)
    alone = np.diff(problem.sku_lines) == 1
    cell_supply = np.add.reduceat(problem.bucket_supply, problem.cell_buckets[:-1])
    line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    plenty = (cell_supply[problem.arc_cell] >= problem.line_quantity[line]).all()
    orders = np.bincount(problem.line_order, minlength=problem.orders)
    free = (problem.arc_lane_row < 0).all() and (problem.bucket_holder < 0).all() and (orders <= 1).all()
    return bool(whole.all() and alone.all() and plenty and free and (problem.arc_step == 0).all())


def solve_assignment(problem: KernelProblem, *, seed: int) -> tuple[KernelPlan, int, bool] | None:
    """Return a plan of a problem that `is_assignment`, an upper bound in cents and whether the clock stopped a program.

    None without a feasible plan.
    """
    line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    idle = problem.row_capacity.size
    # Capacity-free arcs and staying short are two more agents with room for all.
    agents = idle + 2
    cost = np.full((problem.lines, agents), NOBODY, np.int64)
    need = np.ones((problem.lines, agents), np.int64)
    arc_at = np.full((problem.lines, agents), -1, np.int64)
    agent = np.where(problem.arc_node_row >= 0, problem.arc_node_row, idle + 1)
    total = -problem.arc_gain * problem.line_quantity[line]
    for arc in np.argsort(-total, kind="stable"):
        cost[line[arc], agent[arc]] = total[arc]
        need[line[arc], agent[arc]] = problem.arc_use[arc] * problem.line_quantity[line[arc]]
        arc_at[line[arc], agent[arc]] = arc
    cost[:, idle] = 0
    shift = -cost[cost < NOBODY].min()
    capacity = np.concatenate([problem.row_capacity, [problem.lines, problem.line_quantity.sum() * 2**20]])
    found = assign(np.where(cost < NOBODY, cost + shift, NOBODY), need, capacity, seed=seed)
    if found is None:
        return None
    units = np.zeros(problem.arcs, np.int64)
    arcs = arc_at[np.arange(problem.lines), found.agent]
    used = arcs >= 0
    units[arcs[used]] = problem.line_quantity[used]
    bound = int(shift) * problem.lines - found.bound
    return KernelPlan(units, np.zeros(problem.bucket_supply.size, np.int64)), bound, found.is_killed
