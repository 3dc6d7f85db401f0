"""Generalised assignment: against brute force where that ends, against its own bound where it does not."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from optimizer.allocation.kernels import assignment, exchanges
from optimizer.allocation.kernels.assignment import assign
from optimizer.allocation.kernels.exchanges import NOBODY


def tiny(seed):
    """Six jobs, three agents, tight capacities, some arcs missing."""
    random = np.random.default_rng(seed)
    cost = random.integers(1, 50, (6, 3))
    cost[random.random((6, 3)) < 0.15] = NOBODY
    need = random.integers(1, 9, (6, 3))
    return cost.astype(np.int64), need.astype(np.int64), random.integers(6, 16, 3).astype(np.int64)


def least(cost, need, capacity):
    """Try every assignment; None if none fits."""
    jobs = np.arange(cost.shape[0])
    best = None
    for agent in product(range(cost.shape[1]), repeat=cost.shape[0]):
        at = np.array(agent)
        load = np.bincount(at, weights=need[jobs, at], minlength=capacity.size)
        total = int(cost[jobs, at].sum())
        if total < NOBODY and (load <= capacity).all() and (best is None or total < best):
            best = total
    return best


def correlated(seed, jobs=40, agents=5):
    """Hard: what needs more capacity costs less (the OR-Library's type d)."""
    random = np.random.default_rng(seed)
    need = random.integers(1, 101, (jobs, agents)).astype(np.int64)
    cost = np.abs(111 - need + random.integers(-10, 11, (jobs, agents))).astype(np.int64)
    return cost, need, np.full(agents, int(0.8 * need.sum() / agents**2), np.int64)


def load_of(found, need, capacity):
    return np.bincount(found.agent, weights=need[np.arange(len(need)), found.agent], minlength=capacity.size)


@pytest.mark.parametrize("seed", range(60))
def test_a_tiny_assignment_is_the_best_there_is_and_the_bound_lies_below(seed):
    cost, need, capacity = tiny(seed)
    best, found = least(cost, need, capacity), assign(cost, need, capacity, most_work=200_000)
    if best is None:
        assert found is None
    else:
        assert found is not None
        assert found.bound <= found.cost == best
        assert (cost[np.arange(6), found.agent] < NOBODY).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_hard_assignment_fits_and_comes_near_its_bound(seed):
    cost, need, capacity = correlated(seed)
    found = assign(cost, need, capacity, most_work=3_000_000)
    assert found is not None
    assert (load_of(found, need, capacity) <= capacity).all()
    assert found.cost == cost[np.arange(len(cost)), found.agent].sum()
    assert found.bound <= found.cost <= 1.02 * found.bound


def test_more_work_never_gives_a_dearer_assignment():
    cost, need, capacity = correlated(4)
    costs = [assign(cost, need, capacity, most_work=work).cost for work in (100_000, 1_000_000, 4_000_000)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_agents_with_more_jobs_than_are_looked_at_still_get_a_plan_near_the_bound(monkeypatch):
    monkeypatch.setattr(assignment, "GOOD", 0.002)
    cost, need, capacity = correlated(5, jobs=2_000)
    assert len(cost) / len(capacity) > exchanges.PEERS
    found = assign(cost, need, capacity, most_work=30_000_000)
    assert found is not None
    assert (load_of(found, need, capacity) <= capacity).all()
    assert found.cost <= 1.003 * found.bound


def test_capacity_that_hardly_binds_has_no_price_and_is_kept_all_the_same():
    random = np.random.default_rng(2)
    cost, need = random.integers(10, 51, (200, 10)), random.integers(5, 26, (200, 10))
    nearest = cost.argmin(axis=1)
    free = np.bincount(nearest, weights=need[np.arange(200), nearest], minlength=10).astype(np.int64)
    capacity = np.full(10, free.max() - 1)
    found = assign(cost, need, capacity, most_work=1_000_000)
    assert found is not None
    assert (load_of(found, need, capacity) <= capacity).all()
    assert found.bound <= found.cost <= 1.002 * found.bound


@pytest.mark.parametrize(("capacity", "is_found"), [(3, True), (2, False)])
def test_jobs_without_a_choice_go_where_they_can_or_the_search_ends_without_an_answer(capacity, is_found):
    cost = np.array([[5, NOBODY], [7, NOBODY], [NOBODY, 1]])
    found = assign(cost, np.array([[2, 1], [1, 1], [1, 1]]), np.array([capacity, 1]), most_work=10_000)
    assert (found is not None) == is_found
    if found is not None:
        assert (found.agent.tolist(), found.cost) == ([0, 0, 1], 13)


def test_a_job_that_no_agent_can_take_leaves_no_answer():
    cost = np.array([[5, 6], [NOBODY, NOBODY]])
    assert assign(cost, np.ones((2, 2), np.int64), np.array([9, 9]), most_work=10_000) is None


def test_the_same_seed_gives_the_same_assignment():
    cost, need, capacity = correlated(3)
    first, second = (assign(cost, need, capacity, seed=7, most_work=200_000) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.agent == second.agent).all()


def test_an_assignment_tells_that_the_linear_program_gave_no_prices(monkeypatch):
    cost, need, capacity = correlated(4)
    sound = assign(cost, need, capacity, most_work=200_000)
    monkeypatch.setattr(assignment, "relaxation", lambda *_, **__: None)
    stopped = assign(cost, need, capacity, most_work=200_000)
    assert sound is not None
    assert stopped is not None
    assert (sound.is_killed, stopped.is_killed) == (False, True)
