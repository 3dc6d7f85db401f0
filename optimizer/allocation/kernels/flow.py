"""The exact plan of one SKU at given prices: a transport of its lines to its buckets, solved by shortest paths.

One SKU has many lines and few *sinks*: the buckets of its cells, one forced sink per capped quota (it must
take what the cap leaves over), one free sink per quota with a floor (units that may stay short for nothing),
and the overflow (stay short, at the floor's price). Lines enter one by one, dearest first; a line's units
follow the cheapest chain of displacements through the few sinks, found by Dijkstra on reduced costs, so the
flow is optimal after every line and the sinks' prices are exact dual prices in the same integers as the
gains.

The cheapest line to move from sink i to sink j is the root of a tournament tree over the lines at i whose
nodes hold the minima for all j at once; a tree is only built when its sink runs full.

Money inside the kernels is in 1/SCALE cents, so that prices are finer than gains and all sums stay exact integers.
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
import numpy as np

SCALE: Final = 64
"""Parts of a cent in which the kernels count."""

NEVER: Final = -(2**60)
FAR: Final = 2**55
FORCED: Final = 2**46
"""Value of a unit in a forced sink: above any gain, below NEVER by so much that chains of both stay in int64."""

LEAF: Final = 16
TREE_WORDS: Final = 2**23
"""Most words of the trees of one SKU; above it leaves grow."""

jit: Final[Any] = nb.njit(cache=True, nogil=True)


@jit
def fill_leaf(tree: Any, sink: int, leaf: int, width: int, leaves: int, value: Any, units: Any) -> None:
    """Recompute one leaf of a sink's tree and its ancestors."""
    columns, node = value.shape[1], leaves + leaf
    best = tree[sink, node]
    best[:] = FAR
    for line in range(leaf * width, min((leaf + 1) * width, value.shape[0])):
        if units[line, sink] > 0:
            here = value[line, sink]
            for other in range(columns):
                loss = here - value[line, other]
                best[other] = min(best[other], loss)
    while node > 1:
        node >>= 1
        left, right, top = tree[sink, 2 * node], tree[sink, 2 * node + 1], tree[sink, node]
        for other in range(columns):
            top[other] = min(left[other], right[other])


@jit
def find_mover(tree: Any, sink: int, other: int, width: int, leaves: int, value: Any, units: Any) -> int:
    """Return the line that loses least by moving from `sink` to `other`."""
    node, goal = 1, tree[sink, 1, other]
    while node < leaves:
        node *= 2
        if tree[sink, node, other] != goal:
            node += 1
    first = (node - leaves) * width
    for line in range(first, min(first + width, value.shape[0])):
        if units[line, sink] > 0 and value[line, sink] - value[line, other] == goal:
            return line
    return -1


@jit
def transport(value: Any, quantity: Any, room: Any, units: Any, price: Any) -> None:
    """Place every line's units in sinks so that their total value is greatest.

    Args:
        value: [n, m + 1] value of a unit of a line in a sink, NEVER where it cannot go; overflow is the last.
        quantity: [n] units.
        room: [m] units that a sink takes; used up.
        units: [n, m + 1] zeros; filled with the plan.
        price: [m + 1] zeros; filled with the sinks' dual prices (0 where room is left and for the overflow).
    """
    lines, columns = value.shape
    sinks = columns - 1
    width = LEAF
    leaves = 1
    while leaves * width < lines:
        leaves *= 2
    while leaves > 1 and sinks * 2 * leaves * columns > TREE_WORDS:
        leaves //= 2
        width *= 2
    tree = np.empty((sinks, 2 * leaves, columns), dtype=np.int64)
    is_full = np.zeros(columns, dtype=np.bool_)
    top = np.empty(lines, dtype=np.int64)
    for line in range(lines):
        best = NEVER
        for sink in range(sinks):
            if value[line, sink] < FORCED // 2:
                best = max(best, value[line, sink])
        top[line] = -best
    reach = np.empty(columns, dtype=np.int64)
    came = np.empty(columns, dtype=np.int64)
    done = np.empty(columns, dtype=np.bool_)
    movers = np.empty(columns, dtype=np.int64)
    for sink in range(sinks):
        if room[sink] <= 0:
            is_full[sink] = True
            tree[sink] = FAR
    for line in np.argsort(top, kind="mergesort"):
        left = quantity[line]
        while left > 0:
            gain = NEVER
            for sink in range(columns):
                gain = max(gain, value[line, sink] - price[sink])
            target, distance = -1, 0
            for sink in range(columns):
                reach[sink] = gain - (value[line, sink] - price[sink])
                came[sink] = -1
                done[sink] = False
                if target < 0 and reach[sink] == 0 and not is_full[sink]:
                    target = sink
            while target < 0:
                near, distance = -1, FAR
                for sink in range(columns):
                    if not done[sink] and (
                        reach[sink] < distance
                        or (reach[sink] == distance and near >= 0 and is_full[near] and not is_full[sink])
                    ):
                        near, distance = sink, reach[sink]
                if not is_full[near]:
                    target = near
                    break
                done[near] = True
                shift = distance - price[near]
                root = tree[near, 1]
                for sink in range(columns):
                    if not done[sink]:
                        through = shift + root[sink] + price[sink]
                        if through < reach[sink]:
                            reach[sink] = through
                            came[sink] = near
            amount = left
            if target < sinks:
                amount = min(amount, room[target])
            step = target
            while came[step] >= 0:
                source = came[step]
                movers[step] = find_mover(tree, source, step, width, leaves, value, units)
                amount = min(amount, units[movers[step], source])
                step = source
            for sink in range(columns):
                if done[sink]:
                    price[sink] += distance - reach[sink]
            left -= amount
            first = step
            step = target
            while came[step] >= 0:
                source = came[step]
                mover = movers[step]
                units[mover, source] -= amount
                units[mover, step] += amount
                step = source
            units[line, first] += amount
            step = target
            while came[step] >= 0:
                source = came[step]
                mover = movers[step]
                if units[mover, source] == 0 or units[mover, step] == amount:
                    if units[mover, source] == 0:
                        fill_leaf(tree, source, mover // width, width, leaves, value, units)
                    if step < sinks and is_full[step] and units[mover, step] == amount:
                        fill_leaf(tree, step, mover // width, width, leaves, value, units)
                step = source
            if is_full[first]:
                fill_leaf(tree, first, line // width, width, leaves, value, units)
            if target < sinks:
                room[target] -= amount
                if room[target] == 0:
                    is_full[target] = True
                    tree[target] = FAR
                    for leaf in range((lines + width - 1) // width):
                        fill_leaf(tree, target, leaf, width, leaves, value, units)
