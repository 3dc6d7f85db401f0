"""Generalised assignment of the OR-Library (117 instances): the assignment kernel against the best known values.

`python -m benchmarks allocation_assignment [FOLDER]`; the data is not in the repository (see benchmarks/README.md).
Every assignment is re-checked here from the file alone.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.generalized_assignment import read_assignment, read_bounds
from benchmarks.harness import Result
from optimizer.allocation.kernels.assignment import assign
from storage.settings import PROJECT_ROOT

FOLDER = Path(os.environ.get("OTIF_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data")) / "orlib_gap"


def measure(folder: Path) -> list[tuple[str, int, int, float]]:
    """Return name, cost found (-1: none), best known and seconds of every instance."""
    bounds, rows = read_bounds(folder / "bounds.txt"), []
    for path in sorted(folder.iterdir()):
        if f"{path.name}_Min" not in bounds:
            continue
        given = read_assignment(path)
        started = time.perf_counter()
        found = assign(given.cost.T, given.need.T, given.capacity)
        seconds = time.perf_counter() - started
        cost = -1
        if found is not None:
            jobs = np.arange(found.agent.size)
            cost = int(given.cost[found.agent, jobs].sum())
            load = np.bincount(found.agent, weights=given.need[found.agent, jobs], minlength=given.capacity.size)
            if (load > given.capacity).any() or found.bound > cost:
                raise AssertionError(path.name)
        rows.append((path.name, cost, bounds[f"{path.name}_Min"][1], seconds))
    return rows


def run() -> list[Result]:
    """Measure and compare."""
    if not FOLDER.exists():
        print("| generalised assignment | – | – | – | – | – | skipped: no OR-Library folder |")
        return []
    rows = measure(FOLDER)
    gaps = [cost / best - 1 if cost >= 0 else 1.0 for _, cost, best, _ in rows]
    near = sum(gap <= 0.005 for gap in gaps) / len(gaps)
    return [
        Result(
            name="assignments within 0.5 % of the best known",
            data=f"{len(rows)} OR-Library instances",
            peer="best known values",
            ours=100 * near,
            theirs=100.0,
            unit="%",
            note=f"mean gap {np.mean(gaps):.3%}, worst {max(gaps):.3%}, longest {max(row[3] for row in rows):.0f} s",
        )
    ]


if __name__ == "__main__":
    for name, cost, best, seconds in measure(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(f"{name}\t{cost}\t{best}\t{(cost / best - 1):.3%}\t{seconds:.1f}", flush=True)
