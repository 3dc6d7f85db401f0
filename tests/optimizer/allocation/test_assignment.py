"""Generalised assignment: against brute force where that ends, against its own bound where it does not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from optimizer.allocation.kernels import neighbourhoods
from optimizer.allocation.kernels.assignment import NOBODY, assign


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


@pytest.fixture(autouse=True)
def _little_work(monkeypatch):
    monkeypatch.setattr(neighbourhoods, "MOST_ROUNDS", 2)


@pytest.mark.parametrize("seed", range(60))
def test_a_tiny_assignment_is_the_best_there_is_and_the_bound_lies_below(seed):
    cost, need, capacity = tiny(seed)
    best, found = least(cost, need, capacity), assign(cost, need, capacity, moves=20_000)
    if best is None:
        assert found is None
    else:
        assert found is not None
        assert found.bound <= found.cost == best
        assert (cost[np.arange(6), found.agent] < NOBODY).all()


def test_small_exact_programs_find_an_assignment_where_a_short_search_finds_none(monkeypatch):
    cost, need, capacity = correlated(1)
    mended = assign(cost, need, capacity, moves=100)
    monkeypatch.setattr(neighbourhoods, "linear_prices", lambda *_: None)
    assert assign(cost, need, capacity, moves=100) is None
    assert mended is not None
    assert (load_of(mended, need, capacity) <= capacity).all()
    assert mended.bound <= mended.cost <= 1.03 * mended.bound


def test_the_same_seed_gives_the_same_assignment():
    cost, need, capacity = correlated(3)
    first, second = (assign(cost, need, capacity, seed=7, moves=2_000) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.agent == second.agent).all()


@pytest.mark.exhaustive
def test_a_neighbourhood_never_returns_a_dearer_assignment():
    cost, need, capacity = correlated(4)
    given = neighbourhoods.Jobs(cost, need, capacity)
    start = assign(cost, need, capacity, moves=2_000)
    assert start is not None
    linear = neighbourhoods.linear_prices(given, np.ones(cost.shape, np.bool_))
    assert linear is not None
    better = neighbourhoods.improve(given, start.agent, linear[0], neighbourhoods.Work(), seed=1, bound=0)
    assert given.value(better) <= start.cost
    assert (given.load(better, np.arange(40)) <= capacity).all()


@pytest.mark.exhaustive
def test_an_assignment_tells_that_the_clock_stopped_a_small_program(monkeypatch):
    cost, need, capacity = correlated(4)
    sound = assign(cost, need, capacity, moves=2_000)
    solve = neighbourhoods.solve_program
    killed = lambda *given, **options: replace(solve(*given, **options), is_killed=True)  # noqa: E731
    monkeypatch.setattr(neighbourhoods, "solve_program", killed)
    stopped = assign(cost, need, capacity, moves=2_000)
    assert sound is not None
    assert stopped is not None
    assert (sound.is_killed, stopped.is_killed) == (False, True)
