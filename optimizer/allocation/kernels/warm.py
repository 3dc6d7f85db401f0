"""Compiles every kernel into numba's cache: `python -m optimizer.allocation.kernels.warm`, run by the installation.

The cache lies beside the code, or in the user's cache folder where that is not writable (`NUMBA_CACHE_DIR` overrides
both), so the first solve after an installation loads compiled code instead of waiting for it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any, Final

import numpy as np

from optimizer.allocation.kernels import pricing
from optimizer.allocation.kernels.engine import Effort, settled, solve_arrays
from optimizer.allocation.kernels.margins import settle
from optimizer.allocation.kernels.orders import make_world
from optimizer.allocation.kernels.problem import UNLIMITED, KernelProblem

_ELASTIC: Final = ("_floor", "_floor_price", "_cap")


def smallest() -> KernelProblem:
    """Return two SKUs with two lines each at two nodes, with one of every rule."""
    return KernelProblem(
        sku_lines=np.array([0, 2, 4]),
        sku_cells=np.array([0, 2, 4]),
        sku_quotas=np.array([0, 1, 1]),
        line_arcs=np.array([0, 2, 4, 6, 8]),
        line_quantity=np.array([3, 2, 3, 2]),
        line_order=np.array([0, 1, 0, 1], np.int32),
        line_holder=np.array([0, -1, 0, -1], np.int32),
        line_group=np.array([0, 0, 0, 0], np.int32),
        line_quota=np.array([0, 0, -1, -1], np.int32),
        line_single=np.zeros(4, np.bool_),
        arc_cell=np.array([0, 1, 0, 1, 2, 3, 2, 3], np.int32),
        arc_step=np.zeros(8, np.int32),
        arc_gain=np.array([900, 800, 700, 600, 900, 850, 500, 450]),
        arc_node_row=np.array([0, 1, 0, 1, 0, 1, 0, 1], np.int32),
        arc_lane_row=np.full(8, -1, np.int32),
        arc_use=np.ones(8, np.int32),
        arc_lane_use=np.ones(8, np.int32),
        cell_node=np.array([0, 1, 0, 1], np.int32),
        cell_buckets=np.array([0, 2, 3, 4, 5]),
        bucket_step=np.zeros(5, np.int32),
        bucket_supply=np.array([2, 1, 2, 2, 3]),
        bucket_holder=np.array([-1, 0, -1, -1, -1], np.int32),
        bucket_release=np.array([-1, 50, -1, -1, -1]),
        row_capacity=np.array([4, 4]),
        group_floor=np.array([8]),
        group_floor_price=np.array([100]),
        group_cap=np.array([UNLIMITED]),
        quota_floor=np.array([1]),
        quota_floor_price=np.array([100]),
        quota_cap=np.array([4]),
        order_complete=np.array([True, False]),
        order_max_nodes=np.array([2, 0], np.int32),
        order_split_cents=np.array([100, 100]),
    )


def plain(problem: KernelProblem) -> KernelProblem:
    """Return a problem without its order rules."""
    return replace(
        problem,
        order_complete=np.zeros_like(problem.order_complete),
        order_max_nodes=np.zeros_like(problem.order_max_nodes),
        order_split_cents=np.zeros_like(problem.order_split_cents),
    )


def warm() -> float:
    """Run every path once on a problem of four lines; return the seconds it took."""
    started = time.perf_counter()
    effort = Effort(sweeps=1, steps=2, rounds=1, order_steps=2, moves=5, programs=1)
    solve_arrays(smallest(), effort=effort)
    solve_arrays(plain(smallest()), effort=effort)
    # Larger coupled problems are more than one program.
    flat = settled(plain(smallest()))
    learnt = pricing.learn(flat, pricing.sweep(flat, sweeps=1, seed=1), steps=1)
    settle(flat, make_world(flat), learnt, rounds=1, seed=1)
    small = smallest()
    cut: dict[str, Any] = {name: getattr(small, name)[:2] for name in ("line_order", "line_single")}
    cut |= {name: np.full(2, -1, np.int32) for name in ("line_holder", "line_group", "line_quota")}
    cut |= {name: getattr(small, name)[:4] for name in ("arc_gain", "arc_node_row", "arc_lane_row", "arc_step")}
    cut |= {name: getattr(small, name)[:4] for name in ("arc_use", "arc_lane_use")}
    cut |= {f"{name}{part}": np.zeros(0, np.int64) for name in ("group", "quota") for part in _ELASTIC}
    single = replace(
        plain(small),
        sku_lines=np.array([0, 1, 2]),
        sku_quotas=np.zeros(3, np.int64),
        line_arcs=np.array([0, 2, 4]),
        line_quantity=np.ones(2, np.int64),
        arc_cell=np.array([0, 1, 2, 3], np.int32),
        bucket_holder=np.full(5, -1, np.int32),
        **cut,
    )
    solve_arrays(single, effort=effort)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.stdout.write(f"allocation kernels compiled in {warm():.0f} s\n")
