"""A better generalised assignment by small exact programs: a dive at linear prices, then a few agents at a time.

The linear relaxation over each job's nearest agents leaves at most as many jobs in doubt as there are agents. The dive
keeps the others where the relaxation puts them and solves the jobs in doubt exactly. Then neighbourhoods: a few agents
that compete for the same jobs give up all theirs, which are shared out anew. Work is counted in simplex iterations, so
the answer does not depend on the machine; the clock is a kill switch of each small program only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from optimizer.allocation.backend import relaxation, solve_program
from optimizer.allocation.kernels.problem import Ints

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

GOOD: Final = 0.0005
"""Share above the bound at which the search stops."""

DIVE_WIDTH: Final = 6
"""Agents per job in doubt."""

DIVE_JOBS: Final = 60
"""Jobs set free beyond three times those in doubt."""

DIVE_NODES: Final = 100
DIVE_GAP: Final = 0.001

ROUND_JOBS: Final = 90
"""Jobs of a neighbourhood, about."""

ROUND_WIDTH: Final = 4
"""Arcs per job of a neighbourhood, on average."""

ROUND_NODES: Final = 60
MOST_ROUNDS: Final = 250
MOST_FAILURES: Final = 60
"""Neighbourhoods in a row without a better answer."""

MOST_ITERATIONS: Final = 150_000
"""Simplex iterations of all neighbourhoods together."""

KILL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Generalised assignment: `cost[job, agent]`, `need[job, agent]`, `capacity[agent]`.

    A cost of `nobody` says that the agent cannot take the job.
    """

    cost: Ints
    need: Ints
    capacity: Ints
    nobody: int = 2**50

    def value(self, agent: Ints) -> int:
        """Return the total cost of an assignment."""
        return int(self.cost[np.arange(agent.size), agent].sum())

    def load(self, agent: Ints, jobs: Ints) -> Ints:
        """Return the capacity that some jobs use per agent."""
        used = np.bincount(agent[jobs], weights=self.need[jobs, agent[jobs]], minlength=self.capacity.size)
        return used.astype(np.int64)

    def part(self, jobs: Ints, capacity: Ints) -> Jobs:
        """Return the problem of some jobs and what capacity is left for them."""
        return Jobs(self.cost[jobs], self.need[jobs], capacity, self.nobody)


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """Each job to one agent over the arcs of a mask, least cost; see `backend.Program`."""

    matrix: sparse.csr_matrix
    lower: Floats
    upper: Floats
    gain: Floats
    bound: Floats
    is_integer: Flags
    job: Ints
    agent: Ints
    offset: int = field(default=0)


def _program(given: Jobs, mask: Flags) -> _Program:
    job, agent = np.nonzero(mask & (given.cost < given.nobody))
    jobs, agents = mask.shape
    columns = np.arange(job.size)
    values = np.concatenate([np.ones(job.size), given.need[job, agent]]).astype(np.float64)
    places = np.concatenate([job, jobs + agent]), np.concatenate([columns, columns])
    return _Program(
        matrix=sparse.csr_matrix((values, places), shape=(jobs + agents, job.size)),
        lower=np.concatenate([np.ones(jobs), np.full(agents, -np.inf)]),
        upper=np.concatenate([np.ones(jobs), given.capacity]).astype(np.float64),
        gain=-given.cost[job, agent].astype(np.float64),
        bound=np.ones(job.size),
        is_integer=np.ones(job.size, np.bool_),
        job=job,
        agent=agent,
    )


def linear_prices(given: Jobs, mask: Flags) -> tuple[Floats, Floats] | None:
    """Return reduced costs [job, agent] and capacity prices over a mask of arcs; None if the clock ran out."""
    found = relaxation(_program(given, mask), kill_seconds=KILL_SECONDS)
    if found is None:
        return None
    jobs = given.cost.shape[0]
    prices = np.maximum(found[1][jobs:], 0)
    priced = np.where(given.cost < given.nobody, given.cost + given.need * prices, given.nobody)
    nearest = np.where(mask, priced, np.inf).min(axis=1)
    return priced - nearest[:, None], prices


@dataclass(slots=True)
class Work:
    """What small programs took so far; `is_killed`: the clock stopped one."""

    iterations: int = 0
    is_killed: bool = False


def _solve(given: Jobs, mask: Flags, work: Work, *, seed: int, nodes: int, gap: float) -> Ints | None:
    program = _program(given, mask)
    answer = solve_program(
        program, np.arange(program.job.size), seed=seed, node_limit=nodes, gap=gap, kill_seconds=KILL_SECONDS
    )
    work.iterations += answer.iterations
    work.is_killed |= answer.is_killed
    if answer.values is None:
        return None
    taken = answer.values > 0.5
    agent = np.empty(given.cost.shape[0], np.int64)
    agent[program.job[taken]] = program.agent[taken]
    return agent


def dive(given: Jobs, reduced: Floats, work: Work, *, seed: int) -> Ints | None:
    """Return an assignment near the relaxation: jobs with one clearly best agent stay there, the others are solved."""
    jobs, agents = reduced.shape
    second = np.partition(reduced, min(1, agents - 1), axis=1)[:, min(1, agents - 1)]
    doubtful = second < 1e-6 * float(given.cost[given.cost < given.nobody].max(initial=1))
    free = np.sort(np.argsort(second, kind="stable")[: min(jobs, 3 * int(doubtful.sum()) + DIVE_JOBS)])
    agent: Ints = reduced.argmin(axis=1)
    left = given.capacity - given.load(agent, np.setdiff1d(np.arange(jobs), free))
    mask = np.zeros((free.size, agents), np.bool_)
    np.put_along_axis(mask, np.argsort(reduced[free], axis=1, kind="stable")[:, :DIVE_WIDTH], values=True, axis=1)
    found = _solve(given.part(free, left), mask, work, seed=seed, nodes=DIVE_NODES, gap=DIVE_GAP)
    if found is None:
        return None
    agent[free] = found
    return agent


def improve(given: Jobs, agent: Ints, reduced: Floats, work: Work, *, seed: int, bound: float) -> Ints:
    """Return an assignment at least as good: the jobs of a few agents at a time are shared out anew, exactly.

    Args:
        given: The problem.
        agent: A feasible assignment.
        reduced: Reduced costs of the relaxation.
        work: What has been done already; added to.
        seed: Seed of the choice of agents.
        bound: Lower bound on the cost; the search stops near it.
    """
    jobs, agents = reduced.shape
    agent, random = agent.copy(), np.random.default_rng(seed)
    count = min(max(ROUND_JOBS * agents // jobs, 2), agents)
    value, failures, most = given.value(agent), 0, work.iterations + MOST_ITERATIONS
    for _ in range(MOST_ROUNDS):
        if value <= bound * (1 + GOOD) or failures >= MOST_FAILURES or work.iterations >= most:
            break
        failures += 1
        chosen = _rivals(agent, reduced, count, random)
        free = np.flatnonzero(np.isin(agent, chosen))
        if free.size == 0:
            continue
        mask = np.zeros((free.size, agents), np.bool_)
        mask[:, chosen] = True
        near = np.sort(reduced[free][mask])
        mask &= reduced[free] <= near[min(ROUND_WIDTH * free.size, near.size) - 1]
        mask[np.arange(free.size), agent[free]] = True
        found = _solve(given.part(free, given.capacity), mask, work, seed=seed, nodes=ROUND_NODES, gap=0.0)
        if found is None:
            continue
        changed = agent.copy()
        changed[free] = found
        if given.value(changed) < value:
            agent, value, failures = changed, given.value(changed), 0
    return agent


def _rivals(agent: Ints, reduced: Floats, count: int, random: np.random.Generator) -> Ints:
    """Return an agent at random and those its jobs would go to most cheaply, with some luck."""
    agents = reduced.shape[1]
    first = int(random.integers(agents))
    mine = reduced[agent == first]
    if mine.size == 0:
        return random.permutation(agents)[:count]
    score = np.sort(mine, axis=0)[:3].sum(axis=0)
    others = np.delete(mine, first, axis=1)
    luck = 3 * float(np.median(others.min(axis=1))) if others.size else 0.0
    score = score + random.random(agents) * luck
    score[first] = -1
    return np.argsort(score, kind="stable")[:count]
