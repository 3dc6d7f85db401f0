"""Passes over SKUs at given prices of rows and groups: exact plans per SKU in parallel, loads, and the certificate.

Every SKU writes only its own slices, all sums are integers: one thread or many give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numba as nb
import numpy as np

from optimizer.allocation.kernels.flow import FORCED, NEVER, SCALE, jit, transport
from optimizer.allocation.kernels.problem import UNLIMITED, Ints, KernelProblem

parallel: Final[Any] = nb.njit(cache=True, nogil=True, parallel=True)


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Dual prices in 1/SCALE cents: rows per unit of capacity (>= 0), groups per unit (>= -floor price)."""

    rows: Ints
    groups: Ints

    @staticmethod
    def zero(problem: KernelProblem) -> Prices:
        """Return prices of nothing."""
        return Prices(np.zeros(problem.row_capacity.size, np.int64), np.zeros(problem.group_cap.size, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What passes fill in: units per arc, foreign units and prices per bucket, prices per quota."""

    units: Ints
    foreign: Ints
    lots: Ints
    quotas: Ints

    @staticmethod
    def empty(problem: KernelProblem) -> Passed:
        """Return room for the answer of a pass."""
        buckets = problem.bucket_supply.size
        return Passed(
            np.zeros(problem.arcs, np.int64),
            np.zeros(buckets, np.int64),
            np.zeros(buckets, np.int64),
            np.zeros(problem.quota_cap.size, np.int64),
        )


def flow_arrays(problem: KernelProblem) -> tuple[Any, ...]:
    """Return the arrays that the compiled passes read, in their order."""
    return (
        problem.sku_lines, problem.sku_cells, problem.sku_quotas, problem.line_arcs, problem.line_quantity,
        problem.line_holder, problem.line_group, problem.line_quota, problem.arc_cell, problem.arc_step,
        problem.arc_gain, problem.arc_node_row, problem.arc_lane_row, problem.arc_use, problem.arc_lane_use,
        problem.cell_buckets, problem.bucket_step, problem.bucket_supply, problem.bucket_holder,
        problem.bucket_release, problem.quota_floor, problem.quota_floor_price, problem.quota_cap,
    )  # fmt: skip


def solve_skus(problem: KernelProblem, prices: Prices, skus: Ints, into: Passed) -> None:
    """Solve the given SKUs exactly at the prices; their slices of `into` are overwritten."""
    _solve_skus(
        skus, prices.rows, prices.groups, into.units, into.foreign, into.lots, into.quotas, *flow_arrays(problem)
    )


def row_loads(problem: KernelProblem, units: Ints, skus: Ints | None = None) -> tuple[Ints, Ints]:
    """Return the load of every row and group, of all SKUs or of some."""
    rows, groups = np.zeros(problem.row_capacity.size, np.int64), np.zeros(problem.group_cap.size, np.int64)
    chosen = np.arange(problem.skus) if skus is None else skus
    _loads(
        chosen, units, rows, groups, problem.sku_lines, problem.line_arcs, problem.line_group, problem.arc_node_row,
        problem.arc_lane_row, problem.arc_use, problem.arc_lane_use,
    )  # fmt: skip
    return rows, groups


def certified_bound(problem: KernelProblem, prices: Prices, lots: Ints, quotas: Ints) -> int:
    """Return an upper bound in cents that holds for ANY prices given: poor ones make it weak, never wrong.

    Signs are repaired first. Order rules (whole orders, node limits, splits) are relaxed. Exact integers throughout.
    """
    rows = np.maximum(prices.rows, 0)
    groups = np.maximum(prices.groups, -problem.group_floor_price * SCALE)
    groups = np.where((problem.group_cap >= UNLIMITED), np.minimum(groups, 0), groups)
    lots = np.maximum(lots, 0)
    quotas = np.maximum(quotas, -problem.quota_floor_price * SCALE)
    quotas = np.where(problem.quota_cap >= UNLIMITED, np.minimum(quotas, 0), quotas)
    per_sku = np.zeros(problem.skus, np.int64)
    _line_bounds(per_sku, rows, groups, lots, quotas, *flow_arrays(problem))
    total = sum(int(part) for part in (per_sku.sum(), (rows * problem.row_capacity).sum()))
    total += int((lots * problem.bucket_supply).sum())
    total += int((np.minimum(groups, 0) * problem.group_floor).sum())
    total += int((np.maximum(groups, 0) * np.where(groups > 0, problem.group_cap, 0)).sum())
    total += int((np.minimum(quotas, 0) * problem.quota_floor).sum())
    total += int((np.maximum(quotas, 0) * np.where(quotas > 0, problem.quota_cap, 0)).sum())
    return total // SCALE


@jit
def arc_value(arc: int, row_price: Any, gain: Any, node_row: Any, lane_row: Any, use: Any, lane_use: Any) -> int:
    """Return an arc's gain less the prices of the rows it uses."""
    worth = gain[arc] * SCALE
    if node_row[arc] >= 0:
        worth -= row_price[node_row[arc]] * use[arc]
    if lane_row[arc] >= 0:
        worth -= row_price[lane_row[arc]] * lane_use[arc]
    return worth


@jit
def _solve_sku(
    sku, row_price, group_price, units, foreign, lots, quotas, sku_lines, sku_cells, sku_quotas, line_arcs, quantity,
    holder, group, quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use, cell_buckets, step, supply,
    keeper, release, floor, floor_price, cap,
):  # fmt: skip
    first, last = sku_lines[sku], sku_lines[sku + 1]
    base, end = cell_buckets[sku_cells[sku]], cell_buckets[sku_cells[sku + 1]]
    own, beyond = sku_quotas[sku], sku_quotas[sku + 1]
    lines, buckets, count = last - first, end - base, beyond - own
    for bucket in range(base, end):
        foreign[bucket] = 0
        lots[bucket] = 0
    if lines == 0:
        return
    asked = np.zeros(count, np.int64)
    for line in range(first, last):
        if quota[line] >= 0:
            asked[quota[line] - own] += quantity[line]
    forced = np.full(count, -1)
    idle = np.full(count, -1)
    sinks = buckets
    for k in range(count):
        if asked[k] > cap[own + k]:
            forced[k] = sinks
            sinks += 1
        if floor[own + k] > 0 and floor_price[own + k] > 0:
            idle[k] = sinks
            sinks += 1
    room = np.zeros(sinks, np.int64)
    room[:buckets] = supply[base:end]
    for k in range(count):
        if forced[k] >= 0:
            room[forced[k]] = asked[k] - cap[own + k]
        if idle[k] >= 0:
            room[idle[k]] = max(asked[k] - floor[own + k] - (max(asked[k] - cap[own + k], 0)), 0)
    value = np.full((lines, sinks + 1), NEVER)
    best = np.full((lines, buckets), -1, dtype=np.int64)
    for line in range(first, last):
        i = line - first
        value[i, sinks] = 0
        k = quota[line] - own if quota[line] >= 0 else -1
        if k >= 0:
            if forced[k] >= 0:
                value[i, forced[k]] = FORCED
            if idle[k] >= 0:
                value[i, idle[k]] = 0
                value[i, sinks] = -floor_price[own + k] * SCALE
        extra = group_price[group[line]] if group[line] >= 0 else 0
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            units[arc] = 0
            worth = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use) - extra
            if worth <= value[i, sinks]:
                continue
            cell = arc_cell[arc]
            for bucket in range(cell_buckets[cell], cell_buckets[cell + 1]):
                if step[bucket] > arc_step[arc]:
                    continue
                net = worth
                if keeper[bucket] >= 0 and keeper[bucket] != holder[line]:
                    if release[bucket] < 0:
                        continue
                    net -= release[bucket] * SCALE
                if net > value[i, bucket - base] and net > value[i, sinks]:
                    value[i, bucket - base] = net
                    best[i, bucket - base] = arc
    placed = np.zeros((lines, sinks + 1), np.int64)
    price = np.zeros(sinks + 1, np.int64)
    transport(value, quantity[first:last], room, placed, price)
    for i in range(lines):
        for bucket in range(buckets):
            amount = placed[i, bucket]
            if amount > 0:
                units[best[i, bucket]] += amount
                if keeper[base + bucket] >= 0 and keeper[base + bucket] != holder[first + i]:
                    foreign[base + bucket] += amount
    lots[base:end] = price[:buckets]
    for k in range(count):
        low = 0
        if idle[k] >= 0:
            low = -min(price[idle[k]], floor_price[own + k] * SCALE)
        elif floor_price[own + k] > 0 and floor[own + k] > 0:
            low = -floor_price[own + k] * SCALE
        quotas[own + k] = max(FORCED - price[forced[k]], low) if forced[k] >= 0 else low


@parallel
def _solve_skus(
    skus, row_price, group_price, units, foreign, lots, quotas, sku_lines, sku_cells, sku_quotas, line_arcs, quantity,
    holder, group, quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use, cell_buckets, step, supply,
    keeper, release, floor, floor_price, cap,
):  # fmt: skip
    for number in nb.prange(skus.size):
        _solve_sku(
            skus[number], row_price, group_price, units, foreign, lots, quotas, sku_lines, sku_cells, sku_quotas,
            line_arcs, quantity, holder, group, quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use,
            cell_buckets, step, supply, keeper, release, floor, floor_price, cap,
        )  # fmt: skip


@jit
def _loads(
    skus, units, rows, groups, sku_lines, line_arcs, group, node_row, lane_row, use, lane_use
):  # fmt: skip
    for sku in skus:
        for line in range(sku_lines[sku], sku_lines[sku + 1]):
            for arc in range(line_arcs[line], line_arcs[line + 1]):
                amount = units[arc]
                if amount > 0:
                    if node_row[arc] >= 0:
                        rows[node_row[arc]] += amount * use[arc]
                    if lane_row[arc] >= 0:
                        rows[lane_row[arc]] += amount * lane_use[arc]
                    if group[line] >= 0:
                        groups[group[line]] += amount


@parallel
def _line_bounds(
    per_sku, row_price, group_price, lots, quotas, sku_lines, sku_cells, sku_quotas, line_arcs, quantity, holder,
    group, quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use, cell_buckets, step, supply, keeper,
    release, floor, floor_price, cap,
):  # fmt: skip
    for sku in nb.prange(sku_lines.size - 1):
        total = 0
        for line in range(sku_lines[sku], sku_lines[sku + 1]):
            extra = group_price[group[line]] if group[line] >= 0 else 0
            if quota[line] >= 0:
                extra += quotas[quota[line]]
            most = 0
            for arc in range(line_arcs[line], line_arcs[line + 1]):
                worth = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use) - extra
                if worth <= most:
                    continue
                cell = arc_cell[arc]
                for bucket in range(cell_buckets[cell], cell_buckets[cell + 1]):
                    if step[bucket] > arc_step[arc]:
                        continue
                    net = worth - lots[bucket]
                    if keeper[bucket] >= 0 and keeper[bucket] != holder[line]:
                        if release[bucket] < 0:
                            continue
                        net -= release[bucket] * SCALE
                    most = max(most, net)
            total += most * quantity[line]
        per_sku[sku] = total
