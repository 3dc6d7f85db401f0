"""An array problem without order rules as one integer program, for HiGHS to say how good a plan can be."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

from optimizer.allocation.kernels.problem import NONE, Ints, KernelProblem

GAP: Final = 1e-4
"""Relative gap at which HiGHS may stop."""

_Part = tuple[Ints, Ints, Ints, Ints, npt.NDArray[np.float64]]


def optimum_of(problem: KernelProblem, *, seconds: float) -> tuple[int, int]:
    """Return the value of the best plan that HiGHS finds and the bound that it proves, in cents.

    Raises:
        ValueError: The problem has order rules.
        RuntimeError: HiGHS finds no plan in the time.
    """
    if problem.has_order_rules:
        message = "order rules are not in this program"
        raise ValueError(message)
    line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    arc, bucket = _draws(problem, line)
    owner = line[arc]
    foreign = (problem.bucket_holder[bucket] != NONE) & (problem.bucket_holder[bucket] != problem.line_holder[owner])
    gain = problem.arc_gain[arc] - np.where(foreign, problem.bucket_release[bucket], 0)
    columns, ones = np.arange(arc.size), np.ones(arc.size, np.int64)
    elastic = [
        (problem.line_group[owner], problem.group_floor, problem.group_floor_price, problem.group_cap),
        (problem.line_quota[owner], problem.quota_floor, problem.quota_floor_price, problem.quota_cap),
    ]
    infinite = np.full(problem.lines, -np.inf)
    rows: list[tuple[Ints, Ints, Ints, npt.NDArray[np.float64], Ints]] = [
        (owner, columns, ones, infinite, problem.line_quantity),
        (bucket, columns, ones, np.full(problem.bucket_supply.size, -np.inf), problem.bucket_supply),
    ]
    node, lane = problem.arc_node_row[arc], problem.arc_lane_row[arc]
    both = np.concatenate([node, lane])
    use = np.concatenate([problem.arc_use[arc], problem.arc_lane_use[arc]]).astype(np.int64)
    none = np.full(problem.row_capacity.size, -np.inf)
    rows.append((both, np.concatenate([columns, columns]), use, none, problem.row_capacity))
    size, cost, upper = arc.size, [-gain.astype(np.float64)], [problem.line_quantity[owner].astype(np.float64)]
    for member, floor, price, cap in elastic:
        short = size + np.arange(floor.size)
        rows.append((member, columns, ones, np.full(floor.size, -np.inf), cap))
        members = np.concatenate([member, np.arange(floor.size)])
        terms = np.ones(members.size, np.int64)
        rows.append((members, np.concatenate([columns, short]), terms, floor.astype(np.float64), floor + 2**40))
        cost.append(price.astype(np.float64))
        upper.append(floor.astype(np.float64))
        size += floor.size
    matrix, low, high = _stacked(rows, size)
    answer = milp(
        np.concatenate(cost),
        constraints=LinearConstraint(matrix, low, high),
        integrality=np.ones(size),
        bounds=Bounds(0, np.concatenate(upper)),
        options={"mip_rel_gap": GAP, "time_limit": seconds},
    )
    if answer.x is None:
        raise RuntimeError(answer.message)
    return round(-answer.fun), int(np.floor(-answer.mip_dual_bound + 1e-3))


def _draws(problem: KernelProblem, line: Ints) -> tuple[Ints, Ints]:
    """Return every pair of an arc and a bucket it may draw on."""
    width = np.diff(problem.cell_buckets)[problem.arc_cell]
    arc = np.repeat(np.arange(problem.arcs), width)
    first = np.repeat(problem.cell_buckets[problem.arc_cell] - (np.cumsum(width) - width), width)
    bucket = first + np.arange(arc.size)
    own = (problem.bucket_holder[bucket] == NONE) | (problem.bucket_holder[bucket] == problem.line_holder[line[arc]])
    open_ = (problem.bucket_step[bucket] <= problem.arc_step[arc]) & (own | (problem.bucket_release[bucket] >= 0))
    return arc[open_], bucket[open_]


def _stacked(
    rows: list[tuple[Ints, Ints, Ints, npt.NDArray[np.float64], Ints]], size: int
) -> tuple[object, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    below, entries = 0, []
    for member, column, value, low, _ in rows:
        bound = member >= 0
        entries.append((member[bound].astype(np.int64) + below, column[bound], value[bound]))
        below += low.size
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    low = np.concatenate([given[3] for given in rows])
    high = np.concatenate([given[4].astype(np.float64) for given in rows])
    return coo_matrix((value.astype(np.float64), (row, column)), shape=(below, size)).tocsr(), low, high
