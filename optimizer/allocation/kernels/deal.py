"""Large SKUs dealt into parts, so that one SKU does not swing whole rows.

A part has a stretch of its SKU's lines and a share by demand of every bucket and quota. Any plan of the dealt
problem is a plan of the whole one (units per arc are the same array).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.allocation.kernels.problem import UNLIMITED, Ints, KernelProblem


def part_size(problem: KernelProblem) -> int:
    """Return the most lines that a part has: small against the rows, large enough to be like its SKU."""
    return int(np.clip(problem.lines // 100, 250, 1_500))


def deal(problem: KernelProblem, most: int) -> KernelProblem:
    """Cut SKUs above `most` lines into parts of equal size.

    Args:
        problem: The problem.
        most: Most lines per part.

    Returns:
        The dealt problem; its lines, arcs, rows and groups are those of `problem`.
    """
    size = np.diff(problem.sku_lines)
    parts = np.maximum(-(-size // most), 1)
    owner = np.repeat(np.arange(problem.skus), parts)
    number = np.arange(owner.size) - np.repeat(np.cumsum(parts) - parts, parts)
    starts = problem.sku_lines[owner] + number * size[owner] // parts[owner]
    sku_lines = np.concatenate([starts, [problem.lines]])
    demand = np.add.reduceat(np.concatenate([problem.line_quantity, [0]]), sku_lines[:-1])
    demand = np.where(np.diff(sku_lines) > 0, demand, 0)
    whole = np.maximum(np.bincount(owner, weights=demand, minlength=problem.skus), 1)
    before = np.cumsum(demand) - demand
    first = before[np.searchsorted(owner, np.arange(problem.skus))]
    low, high = (before - first[owner]) / whole[owner], (before + demand - first[owner]) / whole[owner]
    cells = _copies(problem.sku_cells, owner)
    buckets = _copies(problem.cell_buckets, cells)
    quotas = _copies(problem.sku_quotas, owner)
    part_of_cell = np.repeat(np.arange(owner.size), np.diff(problem.sku_cells)[owner])
    part_of_bucket = np.repeat(part_of_cell, np.diff(problem.cell_buckets)[cells])
    part_of_quota = np.repeat(np.arange(owner.size), np.diff(problem.sku_quotas)[owner])
    sku_cells = _ends(np.diff(problem.sku_cells)[owner])
    sku_quotas = _ends(np.diff(problem.sku_quotas)[owner])
    line_part = np.repeat(np.arange(owner.size), np.diff(sku_lines))
    arc_part = np.repeat(line_part, np.diff(problem.line_arcs))
    cell_shift = sku_cells[:-1] - problem.sku_cells[owner]
    quota_shift = sku_quotas[:-1] - problem.sku_quotas[owner]
    line_quota = np.where(problem.line_quota >= 0, problem.line_quota + quota_shift[line_part], -1)

    def share(amount: Ints, part: Ints) -> Ints:
        # Cumulative rounding: the shares of a bucket sum to it exactly.
        shared: Ints = (np.rint(amount * high[part]) - np.rint(amount * low[part])).astype(np.int64)
        return shared

    capped = problem.quota_cap[quotas] < UNLIMITED
    cap = np.where(capped, share(np.where(capped, problem.quota_cap[quotas], 0), part_of_quota), UNLIMITED)
    return replace(
        problem,
        sku_lines=sku_lines.astype(np.int64),
        sku_cells=sku_cells,
        sku_quotas=sku_quotas,
        line_quota=line_quota.astype(np.int32),
        arc_cell=(problem.arc_cell + cell_shift[arc_part]).astype(np.int32),
        cell_node=problem.cell_node[cells],
        cell_buckets=_ends(np.diff(problem.cell_buckets)[cells]),
        bucket_step=problem.bucket_step[buckets],
        bucket_supply=share(problem.bucket_supply[buckets], part_of_bucket),
        bucket_holder=problem.bucket_holder[buckets],
        bucket_release=problem.bucket_release[buckets],
        quota_floor=np.minimum(share(problem.quota_floor[quotas], part_of_quota), cap),
        quota_floor_price=problem.quota_floor_price[quotas],
        quota_cap=cap,
    )


def _copies(starts: Ints, owner: Ints) -> Ints:
    """Return the members of each owner in turn (an owner may come several times)."""
    count = np.diff(starts)[owner]
    return np.repeat(starts[owner] - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))


def _ends(sizes: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
