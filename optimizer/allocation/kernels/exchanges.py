"""Generalised assignment by chains of exchanges: a job enters an agent, one leaves it, enters the next, and so on.

Costs are taken at the prices of the linear relaxation. What an assignment costs above the relaxation is then a sum over
jobs (how far their agent is from their nearest) and over agents (unused capacity at its price, or overload at a
penalty), so a chain is worth exactly the sum of its steps and can be built step by step: the best few unfinished chains
are kept at every length, and the best one from a job is carried out if it gains. Where none does, one job is put
elsewhere and what that upset is put in order; it is taken back if all is dearer then. The penalty of an agent's
overload rises while there is some and falls while there is none anywhere, so the search stays at the edge of what fits.

One thread; work is counted in steps looked at, so the answer does not depend on the machine.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from optimizer.allocation.kernels.flow import jit
from optimizer.allocation.kernels.orders import draw
from optimizer.allocation.kernels.problem import Ints

Floats = npt.NDArray[np.float64]

NEAR: Final = 5
"""Agents per job that chains try, its nearest at the prices."""

LENGTH: Final = 5
"""Most jobs in a chain."""

KEPT: Final = 4
"""Unfinished chains kept per length."""

PEERS: Final = 128
"""Jobs of an agent that are looked at, or looked at again, at a time."""

RISE: Final = 1.02
FALL: Final = 0.99
"""Factors of the penalty of overload."""

WORTH: Final = 0.02
"""Least penalty at the start, in median costs per median need."""

LEAST: Final = 0.02
"""Least penalty, as a share of the one at the start, which is the price of capacity unless that is small."""

MOST: Final = 10_000
"""Greatest penalty, in greatest penalties at the start."""

HOPE: Final = 0.2
"""Share of the work allowed that may pass without a better assignment, beyond three times what the last one took."""

NOBODY: Final = 2**50
"""Cost of an agent that cannot take a job."""


class Tables(NamedTuple):
    """What stays: [jobs, agents] cost, reduced cost and need, [jobs, NEAR] nearest agents, [agents] capacity, price."""

    cost: Ints
    reduced: Floats
    need: Ints
    nearest: Ints
    capacity: Ints
    price: Floats


class Shares(NamedTuple):
    """What changes: [jobs] agent, place in its list; [agents] slack, penalty, number of jobs; [agents, jobs] lists."""

    agent: Ints
    place: Ints
    slack: Ints
    penalty: Floats
    size: Ints
    members: npt.NDArray[np.int32]


class Chains(NamedTuple):
    """Unfinished chains by length: last job, worth so far, the chain it continues; [KEPT] least worth when finished.

    `mover` and `target`: the jobs of the best chain and their new agents.
    """

    job: Ints
    worth: Floats
    parent: Ints
    least: Floats
    mover: Ints
    target: Ints


class Queue(NamedTuple):
    """Jobs to start chains from, in a ring: [jobs] job and whether it waits; [2] first place and number waiting."""

    job: Ints
    waits: npt.NDArray[np.bool_]
    state: Ints


def exchange(
    cost: Ints, need: Ints, capacity: Ints, prices: Floats, *, seed: int, enough: int, most_work: int
) -> Ints | None:
    """Return a good assignment, None if none was found that fits.

    Args:
        cost: [jobs, agents] cost, NOBODY where the agent cannot take the job.
        need: [jobs, agents] capacity used.
        capacity: [agents] capacity.
        prices: [agents] price of capacity, from the linear relaxation.
        seed: Seed of the search.
        enough: Cost at which the search stops.
        most_work: Most steps looked at; the search ends earlier where it seems to find nothing better, see HOPE.
    """
    jobs, agents = cost.shape
    reduced = np.where(cost < NOBODY, cost + need * prices, float(NOBODY))
    reduced = np.where(cost < NOBODY, reduced - reduced.min(axis=1)[:, None], float(NOBODY))
    nearest = np.argsort(reduced, axis=1, kind="stable")[:, :NEAR].astype(np.int64)
    # Where capacity hardly binds, prices are nothing or the rounding of it.
    unit = WORTH * float(np.median(cost[cost < NOBODY])) / float(np.median(need))
    tables = Tables(cost, reduced, need, nearest, capacity, prices)
    shares = Shares(
        agent=nearest[:, 0].copy(),
        place=np.empty(jobs, np.int64),
        slack=np.empty(agents, np.int64),
        penalty=np.maximum(prices, unit),
        size=np.empty(agents, np.int64),
        members=np.empty((agents, jobs), np.int32),
    )
    chains = Chains(
        job=np.empty((LENGTH, KEPT), np.int64),
        worth=np.empty((LENGTH, KEPT)),
        parent=np.empty((LENGTH, KEPT), np.int64),
        least=np.empty(KEPT),
        mover=np.empty(LENGTH, np.int64),
        target=np.empty(LENGTH, np.int64),
    )
    best = np.empty(jobs, np.int64)
    state = np.array([88172645463325252 + 7919 * seed], np.uint64)
    queue = Queue(np.arange(jobs), np.ones(jobs, np.bool_), np.array([0, jobs]))
    found = _search(tables, shares, chains, queue, best, enough, most_work, state)
    return best if found < NOBODY else None


@jit
def _edge(slack: int, price: float, penalty: float) -> float:
    """Return what an agent adds: unused capacity at its price, or overload at its penalty."""
    return price * slack if slack >= 0 else -penalty * slack


@jit
def _put(t: Any, s: Any, job: int, there: int) -> None:
    """Move a job to another agent."""
    here, place = s.agent[job], s.place[job]
    s.slack[here] += t.need[job, here]
    s.slack[there] -= t.need[job, there]
    s.size[here] -= 1
    last = s.members[here, s.size[here]]
    s.members[here, place] = last
    s.place[last] = place
    s.members[there, s.size[there]] = job
    s.place[job] = s.size[there]
    s.size[there] += 1
    s.agent[job] = there


@jit
def _listed(t: Any, s: Any) -> int:
    """Build the agents' lists and slack from the jobs' agents; return the total cost."""
    total = np.int64(0)
    s.size[:] = 0
    s.slack[:] = t.capacity
    for job in range(s.agent.size):
        at = s.agent[job]
        s.slack[at] -= t.need[job, at]
        s.members[at, s.size[at]] = job
        s.place[job] = s.size[at]
        s.size[at] += 1
        total += t.cost[job, at]
    return int(total)


@jit
def _chain(t: Any, s: Any, c: Any, first: int, work: Any, seed: Any) -> tuple[int, float]:
    """Find the chain from a job that gains most; fill `mover` and `target`, return its length (0: none) and worth."""
    length, kept = c.job.shape
    width = t.nearest.shape[1]
    home = s.agent[first]
    before = _edge(s.slack[home], t.price[home], s.penalty[home])
    left = _edge(s.slack[home] + t.need[first, home], t.price[home], s.penalty[home]) - before
    best, best_level, best_from, best_target = -1e-7, -1, -1, -1
    found = 1
    c.job[0, 0], c.worth[0, 0], c.parent[0, 0] = first, -t.reduced[first, home], -1
    for level in range(length):
        after = 0
        for at in range(found):
            job = c.job[level, at]
            work[0] += width
            for rank in range(width):
                there = t.nearest[job, rank]
                if there == s.agent[job]:
                    continue
                worth = c.worth[level, at] + t.reduced[job, there]
                if worth - before >= best:
                    break
                if there == home:
                    slack = s.slack[home] + t.need[first, home] - t.need[job, home]
                    closed = worth + _edge(slack, t.price[home], s.penalty[home]) - before
                    if closed < best:
                        best, best_level, best_from, best_target = closed, level, at, there
                    continue
                back, is_used = at, False
                for earlier in range(level, 0, -1):
                    is_used |= s.agent[c.job[earlier, back]] == there
                    back = c.parent[earlier, back]
                if is_used:
                    continue
                price, penalty = t.price[there], s.penalty[there]
                slack = s.slack[there] - t.need[job, there]
                worth -= _edge(s.slack[there], price, penalty)
                ended = worth + _edge(slack, price, penalty) + left
                if ended < best:
                    best, best_level, best_from, best_target = ended, level, at, there
                if level == length - 1:
                    continue
                looked = min(s.size[there], PEERS)
                start = draw(seed) % s.size[there] if s.size[there] > PEERS else 0
                work[0] += looked
                for member in range(start, start + looked):
                    out = s.members[there, member % s.size[there]]
                    # What the job that leaves costs at least elsewhere.
                    nearest = t.nearest[out, 0]
                    if nearest == there and width > 1:
                        nearest = t.nearest[out, 1]
                    open_ = worth - t.reduced[out, there] + _edge(slack + t.need[out, there], price, penalty)
                    least = open_ + t.reduced[out, nearest]
                    if least - before >= best or (after == kept and least >= c.least[kept - 1]):
                        continue
                    slot = after if after < kept else kept - 1
                    while slot > 0 and c.least[slot - 1] > least:
                        c.least[slot] = c.least[slot - 1]
                        c.worth[level + 1, slot] = c.worth[level + 1, slot - 1]
                        c.job[level + 1, slot] = c.job[level + 1, slot - 1]
                        c.parent[level + 1, slot] = c.parent[level + 1, slot - 1]
                        slot -= 1
                    c.least[slot] = least
                    c.worth[level + 1, slot], c.job[level + 1, slot], c.parent[level + 1, slot] = open_, out, at
                    after = min(after + 1, kept)
        found = after
        if found == 0:
            break
    there, at = best_target, best_from
    for level in range(best_level, -1, -1):
        job = c.job[level, at]
        c.mover[level], c.target[level] = job, there
        there, at = s.agent[job], c.parent[level, at]
    return best_level + 1, best


@jit
def _ask(s: Any, q: Any, at: int, seed: Any) -> None:
    """Let an agent's jobs wait to start chains."""
    looked = min(s.size[at], PEERS)
    start = draw(seed) % s.size[at] if s.size[at] > PEERS else 0
    for member in range(start, start + looked):
        job = s.members[at, member % s.size[at]]
        if not q.waits[job]:
            q.waits[job] = True
            q.job[(q.state[0] + q.state[1]) % q.job.size] = job
            q.state[1] += 1


@jit
def _search(t: Any, s: Any, c: Any, q: Any, best: Any, enough: int, most_work: int, seed: Any) -> int:
    """Search; fill `best` with the best assignment that fits and return its cost, NOBODY without one."""
    jobs, agents = t.cost.shape
    cheapest, total, work = np.int64(NOBODY), _listed(t, s), np.zeros(1, np.int64)
    if total < cheapest and s.slack.min() >= 0:
        cheapest = total
        best[:] = s.agent
    # What a round did, to be taken back; the first one, and one too long for the list, stays.
    moved, source = np.empty(8 * jobs, np.int64), np.empty(8 * jobs, np.int64)
    steps, change = 8 * jobs, 0.0
    lowest, highest, most = LEAST * s.penalty, MOST * s.penalty.max(), np.int64(most_work)
    while work[0] < most and cheapest > enough:
        while q.state[1] > 0 and work[0] < most:
            job = q.job[q.state[0]]
            q.state[0] = (q.state[0] + 1) % jobs
            q.state[1] -= 1
            q.waits[job] = False
            count, gain = _chain(t, s, c, job, work, seed)
            change += gain
            for at in range(count):
                mover, there = c.mover[at], c.target[at]
                total += t.cost[mover, there] - t.cost[mover, s.agent[mover]]
                if steps < moved.size:
                    moved[steps], source[steps] = mover, s.agent[mover]
                    steps += 1
                _put(t, s, mover, there)
            for at in range(count):
                _ask(s, q, c.target[at], seed)
            if count > 0 and total < cheapest and s.slack.min() >= 0:
                cheapest = total
                best[:] = s.agent
                most = min(np.int64(most_work), 4 * work[0] + np.int64(HOPE * most_work))
        if change > 0 and steps < moved.size:
            for step in range(steps - 1, -1, -1):
                total += t.cost[moved[step], source[step]] - t.cost[moved[step], s.agent[moved[step]]]
                _put(t, s, moved[step], source[step])
        fits = s.slack.min() >= 0
        for at in range(agents):
            if s.slack[at] < 0:
                s.penalty[at] = min(s.penalty[at] * RISE, highest)
                _ask(s, q, at, seed)
            elif fits:
                s.penalty[at] = max(s.penalty[at] * FALL, lowest[at])
        # Put one job elsewhere.
        steps, change = 0, 0.0
        work[0] += 1
        job = draw(seed) % jobs
        there, here = t.nearest[job, draw(seed) % t.nearest.shape[1]], s.agent[job]
        if there == here or t.cost[job, there] >= NOBODY:
            continue
        change = t.reduced[job, there] - t.reduced[job, here]
        change -= _edge(s.slack[here], t.price[here], s.penalty[here])
        change -= _edge(s.slack[there], t.price[there], s.penalty[there])
        total += t.cost[job, there] - t.cost[job, here]
        moved[0], source[0], steps = job, here, 1
        _put(t, s, job, there)
        change += _edge(s.slack[here], t.price[here], s.penalty[here])
        change += _edge(s.slack[there], t.price[there], s.penalty[there])
        _ask(s, q, here, seed)
        _ask(s, q, there, seed)
    return int(cheapest)
