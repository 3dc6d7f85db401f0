"""Generalised assignment: every job to one agent (or to none), least cost, capacities kept.

Prices of capacity by subgradient steps (each job takes its cheapest agent at the prices) choose each job's nearest
agents; a linear program over these gives exact prices, both prove a bound. Chains of exchanges at the exact prices
(`exchanges.py`) find the assignment. One thread; stops are counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from optimizer.allocation.backend import relaxation
from optimizer.allocation.kernels.exchanges import NOBODY, exchange
from optimizer.allocation.kernels.problem import Ints, KernelPlan, KernelProblem

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PRICE_STEPS: Final = 300
MOST_WORK: Final = 500_000_000
"""Steps of chains that are looked at."""

GOOD: Final = 0.0005
"""Share above the bound at which the search stops."""

WIDTH: Final = 12
"""Agents per job in the linear program, its nearest at the prices."""

KILL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """Agent of each job, total cost and a lower bound on any assignment's (in the unit of the costs, rounded up).

    `is_killed`: the linear program gave no prices, because the clock stopped it or the nearest agents cannot take all.
    """

    agent: Ints
    cost: int
    bound: int
    is_killed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """Each job to one agent over the arcs of a mask, least cost; see `backend.Program`."""

    matrix: sparse.csr_matrix
    lower: Floats
    upper: Floats
    gain: Floats
    bound: Floats
    is_integer: Flags
    offset: int = field(default=0)


def assign(cost: Ints, need: Ints, capacity: Ints, *, seed: int = 1, most_work: int = MOST_WORK) -> Assigned | None:
    """Assign jobs to agents.

    Args:
        cost: [jobs, agents] cost, NOBODY where the agent cannot take the job.
        need: [jobs, agents] capacity used.
        capacity: [agents] capacity.
        seed: Seed of the search.
        most_work: Work of the search, in steps of chains looked at.

    Returns:
        The assignment, None if no feasible one was found.
    """
    cost, need = np.ascontiguousarray(cost), np.ascontiguousarray(need)
    prices, bound = _prices(cost, need, capacity)
    exact = _linear_prices(cost, need, capacity, prices)
    if exact is not None:
        prices, bound = exact, max(bound, _bound(cost, need, capacity, exact))
    enough = int(bound * (1 + GOOD))
    agent = exchange(cost, need, capacity, prices, seed=seed, enough=enough, most_work=most_work)
    if agent is None:
        return None
    return Assigned(agent, int(cost[np.arange(agent.size), agent].sum()), bound, exact is None)


def _linear_prices(cost: Ints, need: Ints, capacity: Ints, prices: Floats) -> Floats | None:
    """Return capacity prices of the linear relaxation over each job's nearest agents at some prices."""
    jobs, agents = cost.shape
    nearest = np.argsort(cost + need * prices, axis=1, kind="stable")[:, :WIDTH]
    mask = np.zeros(cost.shape, np.bool_)
    np.put_along_axis(mask, nearest, values=True, axis=1)
    job, agent = np.nonzero(mask & (cost < NOBODY))
    columns = np.arange(job.size)
    values = np.concatenate([np.ones(job.size), need[job, agent]]).astype(np.float64)
    places = np.concatenate([job, jobs + agent]), np.concatenate([columns, columns])
    program = _Program(
        matrix=sparse.csr_matrix((values, places), shape=(jobs + agents, job.size)),
        lower=np.concatenate([np.ones(jobs), np.full(agents, -np.inf)]),
        upper=np.concatenate([np.ones(jobs), capacity]).astype(np.float64),
        gain=-cost[job, agent].astype(np.float64),
        bound=np.ones(job.size),
        is_integer=np.ones(job.size, np.bool_),
    )
    found = relaxation(program, kill_seconds=KILL_SECONDS)
    return None if found is None else np.maximum(found[1][jobs:], 0)


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
