"""The bound that knows order rules: every order answers the prices by itself, and the prices learn from it.

At prices an order is worth the best subset of nodes it may use: the sum over its lines of units times the
best net gain at those nodes, less the splits; nothing if it must ship whole and cannot or does not pay. The
sum over orders plus what the prices charge for all supply and capacity bounds every plan, whatever the
prices. Subsets of up to three nodes are enumerated; an order that may use more is bounded by its lines' best
nodes less three splits, which is never too low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numba as nb
import numpy as np
import numpy.typing as npt

from optimizer.allocation.kernels.flow import NEVER, SCALE, jit
from optimizer.allocation.kernels.orders import Tariff, World
from optimizer.allocation.kernels.passes import arc_value, parallel
from optimizer.allocation.kernels.pricing import gain_scale, legal_groups, pulls
from optimizer.allocation.kernels.problem import UNLIMITED, Ints, KernelProblem

MOMENTUM: Final = 0.8
WIDTH: Final = 24
"""Most nodes of an order whose subsets are enumerated; orders with more are bounded by their lines' best nodes."""


@dataclass(frozen=True, slots=True, eq=False)
class OrderPrices:
    """Prices of rows, groups, lots and quotas in 1/SCALE cents, and the bound that they prove."""

    rows: Ints
    groups: Ints
    lots: Ints
    quotas: Ints
    bound_cents: int

    @property
    def tariff(self) -> Tariff:
        """The prices that insertion pays."""
        return Tariff(self.rows, self.groups, self.lots)


def order_bound(problem: KernelProblem, world: World, prices: OrderPrices, asked: Ints | None = None) -> int:
    """Return the bound in cents that the prices prove; `asked` is filled with units per arc and bucket pair.

    Signs are repaired first, so it holds for any prices. Exact integers throughout.
    """
    rows, lots = np.maximum(prices.rows, 0), np.maximum(prices.lots, 0)
    groups = _legal(prices.groups, problem.group_floor_price, problem.group_cap)
    quotas = _legal(prices.quotas, problem.quota_floor_price, problem.quota_cap)
    worth = np.zeros(problem.orders, np.int64)
    pairs = np.zeros(int(world.pairs[-1]) if asked is None else 0, np.int64) if asked is None else asked
    pairs[:] = 0
    _answers(
        worth, pairs, rows, groups, lots, quotas, world.order_lines, world.order_line, world.line_arcs, world.quantity,
        world.holder, world.group, world.quota, world.arc_cell, world.arc_step, world.gain, world.node_row,
        world.lane_row, world.use, world.lane_use, world.cell_node, world.cell_buckets, world.step, world.keeper,
        world.release, world.pairs, world.complete, world.max_nodes, world.split,
    )  # fmt: skip
    total = int(worth.sum()) + int((rows * problem.row_capacity).sum()) + int((lots * problem.bucket_supply).sum())
    for price, low, high in (
        (groups, problem.group_floor, problem.group_cap),
        (quotas, problem.quota_floor, problem.quota_cap),
    ):
        total += int((np.minimum(price, 0) * low).sum()) + int(
            (np.maximum(price, 0) * np.where(price > 0, high, 0)).sum()
        )
    return total // SCALE


def _legal(price: Ints, floor_price: Ints, cap: Ints) -> Ints:
    kept = np.maximum(price, -floor_price * SCALE)
    return np.where(cap >= UNLIMITED, np.minimum(kept, 0), kept)


def learn_orders(
    problem: KernelProblem, world: World, start: OrderPrices, *, steps: int, length: tuple[float, float]
) -> OrderPrices:
    """Descend on the order-level dual from given prices for so many steps; return the best prices met."""
    scale, asked = gain_scale(problem), np.zeros(int(world.pairs[-1]), np.int64)
    now = [part.astype(np.float64) for part in (start.rows, start.groups, start.lots, start.quotas)]
    momentum = [np.zeros_like(part) for part in now]
    best = start
    for number in range(steps):
        rows, groups, lots, quotas = (np.rint(part).astype(np.int64) for part in now)
        prices = OrderPrices(rows, groups, lots, quotas, 0)
        bound = order_bound(problem, world, prices, asked)
        if bound < best.bound_cents:
            best = OrderPrices(prices.rows, prices.groups, prices.lots, prices.quotas, bound)
        rows, groups, lots, quotas = _loads(problem, world, asked)
        row_pull, group_pull = pulls(problem, (rows, groups), 1.0, now[1])
        quota_pull = _quota_pull(problem, quotas, now[3])
        lot_pull = (lots - problem.bucket_supply) / np.maximum(problem.bucket_supply, 1)
        step = length[0] * (length[1] / length[0]) ** (number / max(steps - 1, 1)) * scale
        for at, pull in enumerate((row_pull, group_pull, lot_pull, quota_pull)):
            momentum[at] = MOMENTUM * momentum[at] + (1 - MOMENTUM) * np.clip(pull, -1, 1)
            now[at] = now[at] + step * momentum[at]
        now[0], now[2] = np.maximum(now[0], 0), np.maximum(now[2], 0)
        now[1] = legal_groups(problem, now[1])
        now[3] = np.maximum(now[3], -problem.quota_floor_price * float(SCALE))
        now[3] = np.where(problem.quota_cap < UNLIMITED, now[3], np.minimum(now[3], 0))
    return best


def _quota_pull(problem: KernelProblem, quotas: Ints, priced: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    to_floor = (quotas - problem.quota_floor) / np.maximum(problem.quota_floor, 1)
    to_cap = (quotas - problem.quota_cap) / np.maximum(problem.quota_cap, 1)
    free = np.minimum(to_floor, 0) + np.maximum(to_cap, 0)
    return np.where(priced < 0, to_floor, np.where(priced > 0, to_cap, free))


def _loads(problem: KernelProblem, world: World, asked: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    rows, groups = np.zeros(problem.row_capacity.size, np.int64), np.zeros(problem.group_cap.size, np.int64)
    lots, quotas = np.zeros(problem.bucket_supply.size, np.int64), np.zeros(problem.quota_cap.size, np.int64)
    _count(
        asked, rows, groups, lots, quotas, world.line_arcs, world.group, world.quota, world.arc_cell, world.node_row,
        world.lane_row, world.use, world.lane_use, world.cell_buckets, world.pairs,
    )  # fmt: skip
    return rows, groups, lots, quotas


@jit
def _count(
    asked, rows, groups, lots, quotas, line_arcs, group, quota, arc_cell, node_row, lane_row, use, lane_use,
    cell_buckets, pairs,
):  # fmt: skip
    for line in range(group.size):
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            first = cell_buckets[arc_cell[arc]]
            for pair in range(pairs[arc], pairs[arc + 1]):
                amount = asked[pair]
                if amount > 0:
                    lots[first + pair - pairs[arc]] += amount
                    if node_row[arc] >= 0:
                        rows[node_row[arc]] += amount * use[arc]
                    if lane_row[arc] >= 0:
                        rows[lane_row[arc]] += amount * lane_use[arc]
                    if group[line] >= 0:
                        groups[group[line]] += amount
                    if quota[line] >= 0:
                        quotas[quota[line]] += amount


@jit
def _subset(mask: int, lines: int, nodes: int, value: Any, quantity: Any, whole: bool) -> int:
    total = np.int64(0)
    for i in range(lines):
        best = np.int64(NEVER) if whole else np.int64(0)
        for node in range(nodes):
            if (mask >> node) & 1:
                best = max(best, value[i, node])
        if best == NEVER:
            return NEVER
        total += best * quantity[i]
    return total


@parallel
def _answers(
    worth, asked, row_price, group_price, lots, quotas, order_lines, order_line, line_arcs, quantity, holder, group,
    quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use, cell_node, cell_buckets, step, keeper, release,
    pairs, complete, max_nodes, split,
):  # fmt: skip
    for order in nb.prange(complete.size):
        first, lines = order_lines[order], order_lines[order + 1] - order_lines[order]
        whole, toll = complete[order], split[order] * SCALE
        seen = np.empty(WIDTH, np.int64)
        value = np.full((lines, WIDTH), NEVER)
        chosen_pair = np.full((lines, WIDTH), np.int64(-1))
        amount = np.empty(lines, np.int64)
        nodes, is_wide = 0, False
        loose = np.int64(0)
        units = 0
        for i in range(lines):
            line = order_line[first + i]
            amount[i] = quantity[line]
            units += amount[i]
            extra = group_price[group[line]] if group[line] >= 0 else 0
            if quota[line] >= 0:
                extra += quotas[quota[line]]
            most = np.int64(0)
            for arc in range(line_arcs[line], line_arcs[line + 1]):
                base = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use) - extra
                cell, at = arc_cell[arc], -1
                for number in range(nodes):
                    if seen[number] == cell_node[cell]:
                        at = number
                if at < 0:
                    if nodes == WIDTH:
                        is_wide = True
                    else:
                        at = nodes
                        seen[at] = cell_node[cell]
                        nodes += 1
                for bucket in range(cell_buckets[cell], cell_buckets[cell + 1]):
                    if step[bucket] > arc_step[arc]:
                        continue
                    net = base - lots[bucket]
                    if keeper[bucket] >= 0 and keeper[bucket] != holder[line]:
                        if release[bucket] < 0:
                            continue
                        net -= release[bucket] * SCALE
                    most = max(most, net)
                    if at >= 0 and net > value[i, at]:
                        value[i, at] = net
                        chosen_pair[i, at] = pairs[arc] + bucket - cell_buckets[cell]
            loose += most * amount[i]
        limit = nodes if max_nodes[order] == 0 else min(nodes, max_nodes[order])
        limit = min(limit, units)
        best, mask = np.int64(0), 0
        if is_wide:
            # More nodes than are enumerated: lines may use any, which is never too low.
            worth[order] = loose
            continue
        for a in range(nodes):
            here = _subset(1 << a, lines, nodes, value, amount, whole)
            if here > best:
                best, mask = here, 1 << a
        # No subset is worth more than every line at its best node.
        if limit >= 2 and loose - toll > best:
            for a in range(nodes):
                for b in range(a + 1, nodes):
                    here = _subset((1 << a) | (1 << b), lines, nodes, value, amount, whole) - toll
                    if here > best:
                        best, mask = here, (1 << a) | (1 << b)
        if limit >= 3 and loose - 2 * toll > best:
            for a in range(nodes):
                for b in range(a + 1, nodes):
                    for c in range(b + 1, nodes):
                        here = _subset((1 << a) | (1 << b) | (1 << c), lines, nodes, value, amount, whole) - 2 * toll
                        if here > best:
                            best, mask = here, (1 << a) | (1 << b) | (1 << c)
        if limit >= 4 and loose - 3 * toll > best:
            best = loose - 3 * toll
            mask = (1 << nodes) - 1
        worth[order] = best
        if best > 0:
            for i in range(lines):
                top, at = np.int64(NEVER) if whole else np.int64(0), -1
                for node in range(nodes):
                    if (mask >> node) & 1 and value[i, node] > top:
                        top, at = value[i, node], node
                if at >= 0:
                    asked[chosen_pair[i, at]] = amount[i]
