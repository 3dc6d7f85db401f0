"""From a paced plan to one within every limit: trim what loses least, then solve SKU by SKU again within what is left.

A SKU is taken out, solved exactly at the prices, and put back if the whole plan gains by it. Rows it would
overload get a local surcharge until it fits; what still does not fit is dropped. One thread, so the sequence
is always the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.allocation.kernels.flow import SCALE, jit
from optimizer.allocation.kernels.passes import Passed, Prices, _solve_sku, arc_value, flow_arrays, row_loads
from optimizer.allocation.kernels.problem import Ints, KernelProblem

ROUNDS: Final = 6
"""Solves of one SKU with rising surcharges before the rest is dropped."""


def trim(problem: KernelProblem, prices: Prices, passed: Passed) -> int:
    """Drop units until no row or group is overloaded, least loss at the prices first; return units lost."""
    rows, groups = row_loads(problem, passed.units)
    row_left, group_left = problem.row_capacity - rows, problem.group_cap - groups
    if (row_left >= 0).all() and (group_left >= 0).all():
        return 0
    arcs, loss = _losses(
        prices.rows, prices.groups, row_left, group_left, passed.units, passed.lots, *flow_arrays(problem)
    )
    order = np.argsort(loss, kind="stable")
    return int(
        _drop(
            arcs[order],
            passed.units,
            row_left,
            group_left,
            problem.line_arcs,
            problem.line_group,
            problem.arc_node_row,
            problem.arc_lane_row,
            problem.arc_use,
            problem.arc_lane_use,
        )
    )


def polish(problem: KernelProblem, prices: Prices, passed: Passed, *, share: float, skus: Ints) -> int:
    """Solve SKUs again one by one at a share of the prices; return what is gained after prices, in cents."""
    rows, groups = row_loads(problem, passed.units)
    at = np.rint(prices.rows * share).astype(np.int64), np.rint(prices.groups * share).astype(np.int64)
    scale = max(int(np.median(problem.arc_gain)) * SCALE // 64, 1) if problem.arcs else 1
    gained = _polish(
        skus, at[0], at[1], problem.row_capacity - rows, groups, problem.group_cap, problem.group_floor,
        problem.group_floor_price, scale, passed.units, passed.foreign, passed.lots.copy(), passed.quotas.copy(),
        *flow_arrays(problem),
    )  # fmt: skip
    return int(gained) // SCALE


@jit
def _losses(
    row_price, group_price, row_left, group_left, units, lots, sku_lines, sku_cells, sku_quotas, line_arcs, quantity,
    holder, group, quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use, cell_buckets, step, supply,
    keeper, release, floor, floor_price, cap,
):  # fmt: skip
    count = 0
    for arc in range(units.size):
        count += units[arc] > 0
    arcs, loss = np.empty(count, np.int64), np.empty(count, np.float64)
    count = 0
    for line in range(quantity.size):
        extra = group_price[group[line]] if group[line] >= 0 else 0
        other = 0
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            full = (node_row[arc] >= 0 and row_left[node_row[arc]] <= 0) or (
                lane_row[arc] >= 0 and row_left[lane_row[arc]] <= 0
            )
            if not full:
                worth = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use) - extra
                other = max(
                    other,
                    worth - _lot(arc, holder[line], arc_cell, arc_step, cell_buckets, step, keeper, release, lots),
                )
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            if units[arc] == 0:
                continue
            over = (node_row[arc] >= 0 and row_left[node_row[arc]] < 0) or (
                lane_row[arc] >= 0 and row_left[lane_row[arc]] < 0
            )
            over = over or (group[line] >= 0 and group_left[group[line]] < 0)
            if over:
                worth = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use) - extra
                worth -= _lot(arc, holder[line], arc_cell, arc_step, cell_buckets, step, keeper, release, lots)
                arcs[count] = arc
                loss[count] = (worth - other) / use[arc]
                count += 1
    return arcs[:count], loss[:count]


@jit
def _lot(arc, holder, arc_cell, arc_step, cell_buckets, step, keeper, release, lots):
    cell, least = arc_cell[arc], np.int64(2**60)
    for bucket in range(cell_buckets[cell], cell_buckets[cell + 1]):
        if step[bucket] <= arc_step[arc]:
            price = lots[bucket]
            if keeper[bucket] >= 0 and keeper[bucket] != holder:
                if release[bucket] < 0:
                    continue
                price += release[bucket] * SCALE
            least = min(least, price)
    return least


@jit
def _drop(arcs, units, row_left, group_left, line_arcs, group, node_row, lane_row, use, lane_use):
    lost = 0
    for arc in arcs:
        line = np.searchsorted(line_arcs, arc, side="right") - 1
        over = 0
        if node_row[arc] >= 0 and row_left[node_row[arc]] < 0:
            over = max(over, (-row_left[node_row[arc]] + use[arc] - 1) // use[arc])
        if lane_row[arc] >= 0 and row_left[lane_row[arc]] < 0:
            over = max(over, (-row_left[lane_row[arc]] + lane_use[arc] - 1) // lane_use[arc])
        if group[line] >= 0 and group_left[group[line]] < 0:
            over = max(over, -group_left[group[line]])
        amount = min(over, units[arc])
        if amount > 0:
            units[arc] -= amount
            lost += amount
            if node_row[arc] >= 0:
                row_left[node_row[arc]] += amount * use[arc]
            if lane_row[arc] >= 0:
                row_left[lane_row[arc]] += amount * lane_use[arc]
            if group[line] >= 0:
                group_left[group[line]] += amount
    return lost


@jit
def _book(sign, first, last, units, row_left, group_count, line_arcs, group, node_row, lane_row, use, lane_use):
    """Add (1) or remove (-1) the units of lines to what rows and groups carry."""
    for line in range(first, last):
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            amount = sign * units[arc]
            if amount != 0:
                if node_row[arc] >= 0:
                    row_left[node_row[arc]] -= amount * use[arc]
                if lane_row[arc] >= 0:
                    row_left[lane_row[arc]] -= amount * lane_use[arc]
                if group[line] >= 0:
                    group_count[group[line]] += amount


@jit
def _worth(
    sku, row_price, group_price, units, foreign, sku_lines, sku_cells, sku_quotas, line_arcs, group, quota, gain,
    node_row, lane_row, use, lane_use, cell_buckets, release, floor, floor_price,
):  # fmt: skip
    """Return what a SKU's units bring after the prices of what they use, in 1/SCALE cents."""
    total = 0
    counts = np.zeros(sku_quotas[sku + 1] - sku_quotas[sku], np.int64)
    for line in range(sku_lines[sku], sku_lines[sku + 1]):
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            if units[arc] > 0:
                worth = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use)
                if group[line] >= 0:
                    worth -= max(group_price[group[line]], 0)
                total += units[arc] * worth
            if quota[line] >= 0:
                counts[quota[line] - sku_quotas[sku]] += units[arc]
    for bucket in range(cell_buckets[sku_cells[sku]], cell_buckets[sku_cells[sku + 1]]):
        total -= foreign[bucket] * max(release[bucket], 0) * SCALE
    for k in range(counts.size):
        total -= max(floor[sku_quotas[sku] + k] - counts[k], 0) * floor_price[sku_quotas[sku] + k] * SCALE
    return total


@jit
def _shortfall(group_count, group_floor, group_floor_price):
    total = 0
    for g in range(group_count.size):
        total += max(group_floor[g] - group_count[g], 0) * group_floor_price[g]
    return total


@jit
def _polish(
    skus, row_price, group_price, row_left, group_count, group_cap, group_floor, group_floor_price, scale, units,
    foreign, lots, quotas, sku_lines, sku_cells, sku_quotas, line_arcs, quantity, holder, group, quota, arc_cell,
    arc_step, gain, node_row, lane_row, use, lane_use, cell_buckets, step, supply, keeper, release, floor, floor_price,
    cap,
):  # fmt: skip
    gained = 0
    local_row, local_group = row_price.copy(), group_price.copy()
    for sku in skus:
        first, last = sku_lines[sku], sku_lines[sku + 1]
        if first == last:
            continue
        begin, end = line_arcs[first], line_arcs[last]
        low, high = cell_buckets[sku_cells[sku]], cell_buckets[sku_cells[sku + 1]]
        old_units, old_foreign = units[begin:end].copy(), foreign[low:high].copy()
        before = _worth(
            sku, row_price, group_price, units, foreign, sku_lines, sku_cells, sku_quotas, line_arcs, group, quota,
            gain, node_row, lane_row, use, lane_use, cell_buckets, release, floor, floor_price,
        )  # fmt: skip
        before -= _shortfall(group_count, group_floor, group_floor_price) * SCALE
        _book(-1, first, last, units, row_left, group_count, line_arcs, group, node_row, lane_row, use, lane_use)
        for attempt in range(ROUNDS):
            _solve_sku(
                sku, local_row, local_group, units, foreign, lots, quotas, sku_lines, sku_cells, sku_quotas, line_arcs,
                quantity, holder, group, quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use,
                cell_buckets, step, supply, keeper, release, floor, floor_price, cap,
            )  # fmt: skip
            _book(1, first, last, units, row_left, group_count, line_arcs, group, node_row, lane_row, use, lane_use)
            fits = True
            rise = scale << (2 * attempt)
            for line in range(first, last):
                for arc in range(line_arcs[line], line_arcs[line + 1]):
                    if units[arc] > 0:
                        for row in (node_row[arc], lane_row[arc]):
                            if row >= 0 and row_left[row] < 0:
                                fits = False
                                local_row[row] = row_price[row] + rise
                        if group[line] >= 0 and group_count[group[line]] > group_cap[group[line]]:
                            fits = False
                            local_group[group[line]] = group_price[group[line]] + rise
            if fits:
                break
            if attempt < ROUNDS - 1:
                _book(
                    -1, first, last, units, row_left, group_count, line_arcs, group, node_row, lane_row, use, lane_use
                )
        for line in range(first, last):
            for arc in range(line_arcs[line], line_arcs[line + 1]):
                if units[arc] > 0:
                    over = 0
                    if node_row[arc] >= 0 and row_left[node_row[arc]] < 0:
                        over = (-row_left[node_row[arc]] + use[arc] - 1) // use[arc]
                    if lane_row[arc] >= 0 and row_left[lane_row[arc]] < 0:
                        over = max(over, (-row_left[lane_row[arc]] + lane_use[arc] - 1) // lane_use[arc])
                    if group[line] >= 0 and group_count[group[line]] > group_cap[group[line]]:
                        over = max(over, group_count[group[line]] - group_cap[group[line]])
                    over = min(over, units[arc])
                    if over > 0:
                        units[arc] -= over
                        if node_row[arc] >= 0:
                            row_left[node_row[arc]] += over * use[arc]
                        if lane_row[arc] >= 0:
                            row_left[lane_row[arc]] += over * lane_use[arc]
                        if group[line] >= 0:
                            group_count[group[line]] -= over
                for row_arc in range(line_arcs[line], line_arcs[line + 1]):
                    if node_row[row_arc] >= 0:
                        local_row[node_row[row_arc]] = row_price[node_row[row_arc]]
                    if lane_row[row_arc] >= 0:
                        local_row[lane_row[row_arc]] = row_price[lane_row[row_arc]]
                if group[line] >= 0:
                    local_group[group[line]] = group_price[group[line]]
        after = _worth(
            sku, row_price, group_price, units, foreign, sku_lines, sku_cells, sku_quotas, line_arcs, group, quota,
            gain, node_row, lane_row, use, lane_use, cell_buckets, release, floor, floor_price,
        )  # fmt: skip
        after -= _shortfall(group_count, group_floor, group_floor_price) * SCALE
        if after >= before:
            gained += after - before
        else:
            _book(-1, first, last, units, row_left, group_count, line_arcs, group, node_row, lane_row, use, lane_use)
            units[begin:end] = old_units
            foreign[low:high] = old_foreign
            _book(1, first, last, units, row_left, group_count, line_arcs, group, node_row, lane_row, use, lane_use)
    return gained
