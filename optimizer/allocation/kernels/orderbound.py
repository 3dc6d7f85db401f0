"""The bound that knows order rules: every order answers the prices by itself, and the prices learn from it.

At prices an order is worth the best subset of nodes it may use: its lines' units at the best net gains of
those nodes, from no bucket more than it holds, less the splits; nothing if it must ship whole and cannot or
does not pay. The sum over orders plus what the prices charge for all supply and capacity bounds every plan,
whatever the prices. Subsets of up to three nodes are enumerated; an order that may use more is bounded by all its
nodes less three splits, which is never too low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numba as nb
import numpy as np

from optimizer.allocation.kernels.flow import NEVER, SCALE, jit
from optimizer.allocation.kernels.orders import Tariff, World
from optimizer.allocation.kernels.passes import arc_value, parallel
from optimizer.allocation.kernels.pricing import Floats, legal_groups
from optimizer.allocation.kernels.problem import UNLIMITED, Ints, KernelProblem

MOMENTUM: Final = 0.9
LENGTH: Final = 0.1
"""Share of Polyak's step at the start."""

SHORTER: Final = 0.6
PATIENCE: Final = 30
"""Steps without progress, as a part of all steps, before steps get shorter."""

PROGRESS: Final = 1e-4
"""Fall of the bound, relative to its distance from a plan, that counts as progress."""

PART: Final = 256
"""Orders that a thread answers for in one go."""

WIDTH: Final = 24
DRAWS: Final = 96
"""Most nodes of an order and most buckets of a line that are looked at one by one; beyond them every unit of an order
counts at its line's best gain."""


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
        world.lane_row, world.use, world.lane_use, world.cell_node, world.cell_buckets, world.step, world.supply,
        world.keeper, world.release, world.pairs, world.complete, world.max_nodes, world.split,
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
    problem: KernelProblem, world: World, start: OrderPrices, *, steps: int, reached_cents: int
) -> OrderPrices:
    """Descend on the order-level dual from given prices; return the best prices met.

    Subgradient steps of Polyak's length in the metric of the limits (a price moves by what is over relative to what is
    there), with momentum; without progress the search goes back to the best prices and takes shorter steps.

    Args:
        problem: The problem.
        world: Its index.
        start: Prices to start from.
        steps: Steps to take.
        reached_cents: Value of a plan, below which no bound can fall.
    """
    asked = np.zeros(int(world.pairs[-1]), np.int64)
    limits = (problem.row_capacity, problem.group_floor, problem.bucket_supply, _finite(problem.quota_cap))
    metric = [1 / np.maximum(limit, 1) for limit in limits]
    best = start
    at = [part.astype(np.float64) for part in (start.rows, start.groups, start.lots, start.quotas)]
    momentum = [np.zeros_like(part) for part in at]
    length, patience, idle = LENGTH, max(steps // PATIENCE, 4), 0
    for _ in range(steps):
        rows, groups, lots, quotas = (np.rint(part).astype(np.int64) for part in at)
        now = OrderPrices(rows, groups, lots, quotas, 0)
        bound = order_bound(problem, world, now, asked)
        if bound < best.bound_cents:
            idle = idle + 1 if best.bound_cents - bound < PROGRESS * (best.bound_cents - reached_cents) else 0
            best = OrderPrices(now.rows, now.groups, now.lots, now.quotas, bound)
        else:
            idle += 1
        if idle >= patience:
            length, idle = length * SHORTER, 0
            at = [part.astype(np.float64) for part in (best.rows, best.groups, best.lots, best.quotas)]
            momentum = [np.zeros_like(part) for part in at]
            order_bound(problem, world, best, asked)
            bound = best.bound_cents
        excess = _excess(problem, world, asked, at)
        momentum = [MOMENTUM * old + (1 - MOMENTUM) * new for old, new in zip(momentum, excess, strict=True)]
        size = sum(float((part * part * scale).sum()) for part, scale in zip(momentum, metric, strict=True))
        step = length * max(bound - reached_cents, 1) * SCALE / max(size, 1e-9)
        at = [part + step * scale * move for part, scale, move in zip(at, metric, momentum, strict=True)]
        at[0], at[2] = np.maximum(at[0], 0), np.maximum(at[2], 0)
        at[1] = legal_groups(problem, at[1])
        at[3] = np.maximum(at[3], -problem.quota_floor_price * float(SCALE))
        at[3] = np.where(problem.quota_cap < UNLIMITED, at[3], np.minimum(at[3], 0))
    return best


def _excess(problem: KernelProblem, world: World, asked: Ints, at: list[Floats]) -> list[Floats]:
    """Return by how much each limit is over (below: under, where its price can still fall)."""
    rows, groups, lots, quotas = _loads(problem, world, asked)
    over_rows, over_lots = (rows - problem.row_capacity).astype(np.float64), lots - problem.bucket_supply
    return [
        np.where(at[0] > 0, over_rows, np.maximum(over_rows, 0)),
        _elastic(groups, problem.group_floor, problem.group_cap, at[1]),
        np.where(at[2] > 0, over_lots, np.maximum(over_lots, 0)).astype(np.float64),
        _elastic(quotas, problem.quota_floor, problem.quota_cap, at[3]),
    ]


def _elastic(count: Ints, floor: Ints, cap: Ints, price: Floats) -> Floats:
    under, over = (count - floor).astype(np.float64), (count - cap).astype(np.float64)
    free = np.minimum(under, 0) + np.maximum(over, 0)
    return np.where(price < 0, under, np.where(price > 0, over, free))


def _finite(cap: Ints) -> Ints:
    return np.where(cap < UNLIMITED, cap, 1)


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
def _subset(mask: int, lines: int, counts: Any, node: Any, net: Any, most: Any, quantity: Any, whole: bool) -> int:
    """Return what an order is worth from the nodes in `mask`, NEVER if it must be whole and they hold too little."""
    total = np.int64(0)
    for i in range(lines):
        need = quantity[i]
        for place in range(counts[i]):
            if net[i, place] <= 0 and not whole:
                break
            if (mask >> node[i, place]) & 1:
                part = min(need, most[i, place])
                total += part * net[i, place]
                need -= part
                if need == 0:
                    break
        if whole and need > 0:
            return NEVER
    return total


@parallel
def _answers(
    worth, asked, row_price, group_price, lots, quotas, order_lines, order_line, line_arcs, quantity, holder, group,
    quota, arc_cell, arc_step, gain, node_row, lane_row, use, lane_use, cell_node, cell_buckets, step, supply, keeper,
    release, pairs, complete, max_nodes, split,
):  # fmt: skip
    for part in nb.prange((complete.size + PART - 1) // PART):
        begin, end = part * PART, min((part + 1) * PART, complete.size)
        widest = 0
        for order in range(begin, end):
            widest = max(widest, order_lines[order + 1] - order_lines[order])
        seen, amount, counts = np.empty(WIDTH, np.int64), np.empty(widest, np.int64), np.empty(widest, np.int64)
        # What a line may draw on: buckets with node, net gain, units and the pair of arc and bucket; best gain first.
        node, net = np.empty((widest, DRAWS), np.int64), np.empty((widest, DRAWS), np.int64)
        most, drawn = np.empty((widest, DRAWS), np.int64), np.empty((widest, DRAWS), np.int64)
        source = np.empty(DRAWS, np.int64)
        for order in range(begin, end):
            first, lines = order_lines[order], order_lines[order + 1] - order_lines[order]
            whole, toll = complete[order], split[order] * SCALE
            nodes, is_wide, loose, asked_units = 0, False, np.int64(0), 0
            for i in range(lines):
                line = order_line[first + i]
                amount[i] = quantity[line]
                asked_units += amount[i]
                extra = group_price[group[line]] if group[line] >= 0 else 0
                if quota[line] >= 0:
                    extra += quotas[quota[line]]
                top, count = np.int64(0), 0
                for arc in range(line_arcs[line], line_arcs[line + 1]):
                    base = arc_value(arc, row_price, gain, node_row, lane_row, use, lane_use) - extra
                    cell, at = arc_cell[arc], -1
                    for number in range(nodes):
                        if seen[number] == cell_node[cell]:
                            at = number
                    if at < 0 and nodes < WIDTH:
                        at = nodes
                        seen[at] = cell_node[cell]
                        nodes += 1
                    is_wide = is_wide or at < 0
                    for bucket in range(cell_buckets[cell], cell_buckets[cell + 1]):
                        if step[bucket] > arc_step[arc]:
                            continue
                        here = base - lots[bucket]
                        if keeper[bucket] >= 0 and keeper[bucket] != holder[line]:
                            if release[bucket] < 0:
                                continue
                            here -= release[bucket] * SCALE
                        top = max(top, here)
                        place = 0
                        while place < count and source[place] != bucket:
                            place += 1
                        if place == count:
                            if count == DRAWS:
                                is_wide = True
                                continue
                            count += 1
                        elif net[i, place] >= here:
                            continue
                        while place > 0 and net[i, place - 1] < here:
                            source[place], node[i, place] = source[place - 1], node[i, place - 1]
                            net[i, place], most[i, place] = net[i, place - 1], most[i, place - 1]
                            drawn[i, place] = drawn[i, place - 1]
                            place -= 1
                        source[place], node[i, place], net[i, place] = bucket, at, here
                        most[i, place], drawn[i, place] = supply[bucket], pairs[arc] + bucket - cell_buckets[cell]
                counts[i] = count
                loose += top * amount[i]
            if is_wide:
                # More than is enumerated: every unit at its line's best, which is never too low.
                worth[order] = loose
                continue
            limit = nodes if max_nodes[order] == 0 else min(nodes, max_nodes[order])
            limit = min(limit, asked_units)
            best, mask = np.int64(0), 0
            # No subset is worth more than all nodes together.
            loose = _subset((1 << nodes) - 1, lines, counts, node, net, most, amount, whole)
            for a in range(nodes):
                here = _subset(1 << a, lines, counts, node, net, most, amount, whole)
                if here > best:
                    best, mask = here, 1 << a
            if limit >= 2 and loose - toll > best:
                for a in range(nodes):
                    for b in range(a + 1, nodes):
                        two = (1 << a) | (1 << b)
                        here = _subset(two, lines, counts, node, net, most, amount, whole) - toll
                        if here > best:
                            best, mask = here, two
            if limit >= 3 and loose - 2 * toll > best:
                for a in range(nodes):
                    for b in range(a + 1, nodes):
                        for c in range(b + 1, nodes):
                            three = (1 << a) | (1 << b) | (1 << c)
                            here = _subset(three, lines, counts, node, net, most, amount, whole) - 2 * toll
                            if here > best:
                                best, mask = here, three
            if limit >= 4 and loose - 3 * toll > best:
                best = loose - 3 * toll
                mask = (1 << nodes) - 1
            worth[order] = best
            if best > 0:
                for i in range(lines):
                    need = amount[i]
                    for place in range(counts[i]):
                        if need == 0 or (net[i, place] <= 0 and not whole):
                            break
                        if (mask >> node[i, place]) & 1:
                            units = min(need, most[i, place])
                            asked[drawn[i, place]] = units
                            need -= units
