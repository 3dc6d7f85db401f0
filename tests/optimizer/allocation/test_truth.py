"""Against the truth: every plan of tiny problems with all features is tried (`benchmarks/tiny_allocation.py`)."""

from __future__ import annotations

import pytest

from benchmarks.tiny_allocation import faults_against_truth, tiny_problem
from optimizer.allocation.frames import EXTRA_SPECS

SEEDS = 100


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_the_plan_is_the_best_of_all_plans_and_the_bound_holds(first):
    faults = {seed: faults_against_truth(seed) for seed in range(first, first + 10)}
    assert {seed: found for seed, found in faults.items() if found} == {}
    assert sum(found is None for found in faults.values()) <= 1


def test_the_tiny_problems_have_every_optional_frame_and_column():
    problems = [tiny_problem(seed) for seed in range(SEEDS)]
    for spec in EXTRA_SPECS:
        frames = [problem.extra_sources[spec.name] for problem in problems if spec.name in problem.extra_sources]
        filled = {name for frame in frames for name in frame.columns if frame[name].count()}
        missing = set(spec.columns) - filled - {"planner", "note", "service", "last_date", "customer_id"}
        assert not missing, f"{spec.name}: {missing}"
