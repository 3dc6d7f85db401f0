"""Order by order under every hard limit: insert an order on its best nodes, take it out, ruin and recreate.

This is the one place that knows order rules (whole or not at all, most nodes, price of a split, single
source). It is the greedy baseline (no prices), the top-up after the paced pass, and the local search. One
thread, so the order of decisions is always the same. Gains are cents; values that pay prices are in 1/SCALE
cents.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numba as nb
import numpy as np

from optimizer.allocation.kernels.flow import NEVER, SCALE, jit
from optimizer.allocation.kernels.problem import Ints, KernelPlan, KernelProblem

LOCAL_NODES: Final = 12
"""Most nodes looked at together for one order, its most valuable ones."""

SUBSET: Final = 3
"""Nodes that are chosen together; more are added one by one while they pay."""

TRIES: Final = 20
"""Draws per order that is to be picked."""

inlined: Final[Any] = nb.njit(inline="always")


class World(NamedTuple):
    """What does not change; see `KernelProblem` for the arrays of the same names."""

    order_lines: Any
    order_line: Any
    line_sku: Any
    sku_lines: Any
    line_arcs: Any
    quantity: Any
    order: Any
    holder: Any
    group: Any
    quota: Any
    single: Any
    arc_cell: Any
    arc_step: Any
    gain: Any
    node_row: Any
    lane_row: Any
    use: Any
    lane_use: Any
    cell_node: Any
    cell_buckets: Any
    step: Any
    supply: Any
    keeper: Any
    release: Any
    pairs: Any
    complete: Any
    max_nodes: Any
    split: Any
    group_floor: Any
    group_price: Any
    group_cap: Any
    quota_floor: Any
    quota_price: Any
    quota_cap: Any


class State(NamedTuple):
    """What is decided: units per arc, draws per arc and bucket of its cell, what is left, counts, floor penalty."""

    units: Any
    draws: Any
    left: Any
    row_left: Any
    group_count: Any
    quota_count: Any
    penalty: Any


class Tariff(NamedTuple):
    """Prices that insertion pays, in 1/SCALE cents."""

    rows: Any
    groups: Any
    lots: Any


def make_world(problem: KernelProblem) -> World:
    """Index a problem by order."""
    order_line = np.argsort(problem.line_order, kind="stable").astype(np.int64)
    order_lines = np.searchsorted(problem.line_order[order_line], np.arange(problem.orders + 1)).astype(np.int64)
    width = np.diff(problem.cell_buckets)[problem.arc_cell]
    return World(
        order_lines, order_line, np.repeat(np.arange(problem.skus), np.diff(problem.sku_lines)), problem.sku_lines,
        problem.line_arcs, problem.line_quantity, problem.line_order, problem.line_holder, problem.line_group,
        problem.line_quota, problem.line_single, problem.arc_cell, problem.arc_step, problem.arc_gain,
        problem.arc_node_row, problem.arc_lane_row, problem.arc_use, problem.arc_lane_use, problem.cell_node,
        problem.cell_buckets, problem.bucket_step, problem.bucket_supply, problem.bucket_holder,
        problem.bucket_release, np.concatenate([[0], np.cumsum(width)]).astype(np.int64), problem.order_complete,
        problem.order_max_nodes, problem.order_split_cents, problem.group_floor, problem.group_floor_price,
        problem.group_cap, problem.quota_floor, problem.quota_floor_price, problem.quota_cap,
    )  # fmt: skip


def empty_state(problem: KernelProblem, world: World) -> State:
    """Return the state in which nothing ships."""
    short = (problem.group_floor * problem.group_floor_price).sum() + (
        problem.quota_floor * problem.quota_floor_price
    ).sum()
    return State(
        np.zeros(problem.arcs, np.int64),
        np.zeros(int(world.pairs[-1]), np.int64),
        problem.bucket_supply.copy(),
        problem.row_capacity.copy(),
        np.zeros(problem.group_cap.size, np.int64),
        np.zeros(problem.quota_cap.size, np.int64),
        np.array([short], np.int64),
    )


def copy_state(state: State) -> State:
    """Return an independent copy."""
    return State(*(part.copy() for part in state))


def no_tariff(problem: KernelProblem) -> Tariff:
    """Return prices of nothing: insertion by gain alone."""
    sizes = problem.row_capacity.size, problem.group_cap.size, problem.bucket_supply.size
    return Tariff(*(np.zeros(size, np.int64) for size in sizes))


def plan_of(world: World, state: State) -> KernelPlan:
    """Read the plan off a state."""
    foreign = np.zeros(world.supply.size, np.int64)
    _foreign(world, state, foreign)
    return KernelPlan(state.units.copy(), foreign)


@inlined
def source_of(
    arc: Any, own: Any, arc_cell: Any, arc_step: Any, cell_buckets: Any, step: Any, keeper: Any, release: Any, left: Any
) -> Any:
    """Return how many units an arc of a holder's line could draw from its cell now, and the bucket of the next one.

    The next unit comes from the holder's own, then the pool, then what others release for least; latest step first.
    The bucket is -1 if there is none.
    """
    there, source, rank = np.int64(0), -1, np.int64(2**60)
    for bucket in range(cell_buckets[arc_cell[arc]], cell_buckets[arc_cell[arc] + 1]):
        here = np.int64(-step[bucket])
        usable = step[bucket] <= arc_step[arc] and left[bucket] > 0
        if keeper[bucket] >= 0:
            if keeper[bucket] == own:
                here -= 2**40
            else:
                here += (release[bucket] + 1) * 2**20
                usable = usable and release[bucket] >= 0
        if usable:
            there += left[bucket]
            if here < rank:
                source, rank = bucket, here
    return there, source


@jit
def room_of(w: Any, s: Any, arc: int, line: int) -> int:
    """Return how many more units of the line an arc can take now."""
    there, _ = source_of(
        arc, w.holder[line], w.arc_cell, w.arc_step, w.cell_buckets, w.step, w.keeper, w.release, s.left
    )
    if w.node_row[arc] >= 0:
        there = min(there, s.row_left[w.node_row[arc]] // w.use[arc])
    if w.lane_row[arc] >= 0:
        there = min(there, s.row_left[w.lane_row[arc]] // w.lane_use[arc])
    if w.group[line] >= 0:
        there = min(there, w.group_cap[w.group[line]] - s.group_count[w.group[line]])
    if w.quota[line] >= 0:
        there = min(there, w.quota_cap[w.quota[line]] - s.quota_count[w.quota[line]])
    return max(there, 0)


@jit
def count_units(w: Any, s: Any, line: int, amount: int) -> None:
    """Count units of a line (negative: taken back) towards its group and quota and their floors."""
    g, k = w.group[line], w.quota[line]
    if g >= 0:
        before = max(w.group_floor[g] - s.group_count[g], 0)
        s.group_count[g] += amount
        s.penalty[0] += w.group_price[g] * (max(w.group_floor[g] - s.group_count[g], 0) - before)
    if k >= 0:
        before = max(w.quota_floor[k] - s.quota_count[k], 0)
        s.quota_count[k] += amount
        s.penalty[0] += w.quota_price[k] * (max(w.quota_floor[k] - s.quota_count[k], 0) - before)


@jit
def use_rows(w: Any, s: Any, arc: int, amount: int) -> None:
    """Use (negative: free) the capacity that units on an arc take."""
    if w.node_row[arc] >= 0:
        s.row_left[w.node_row[arc]] -= amount * w.use[arc]
    if w.lane_row[arc] >= 0:
        s.row_left[w.lane_row[arc]] -= amount * w.lane_use[arc]


@jit
def take(w: Any, s: Any, arc: int, line: int, amount: int) -> None:
    """Put units on an arc that has room for them."""
    arc_cell, arc_step, cell_buckets, step, left = w.arc_cell, w.arc_step, w.cell_buckets, w.step, s.left
    keeper, release, own, first = w.keeper, w.release, w.holder[line], w.cell_buckets[w.arc_cell[arc]]
    rest = amount
    while rest > 0:
        _, source = source_of(arc, own, arc_cell, arc_step, cell_buckets, step, keeper, release, left)
        part = min(rest, left[source])
        left[source] -= part
        s.draws[w.pairs[arc] + source - first] += part
        rest -= part
    s.units[arc] += amount
    use_rows(w, s, arc, amount)
    count_units(w, s, line, amount)


@jit
def give_back(w: Any, s: Any, order: int) -> None:
    """Take an order off the plan."""
    for position in range(w.order_lines[order], w.order_lines[order + 1]):
        line = w.order_line[position]
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            amount = s.units[arc]
            if amount > 0:
                first = w.cell_buckets[w.arc_cell[arc]]
                for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                    s.left[first + pair - w.pairs[arc]] += s.draws[pair]
                    s.draws[pair] = 0
                s.units[arc] = 0
                use_rows(w, s, arc, -amount)
                count_units(w, s, line, -amount)


@jit
def worth_of(w: Any, s: Any, order: int) -> int:
    """Return what an order brings in the plan, in cents: gains less releases and splits."""
    total, seen, nodes = 0, np.empty(64, np.int64), 0
    for position in range(w.order_lines[order], w.order_lines[order + 1]):
        line = w.order_line[position]
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            if s.units[arc] == 0:
                continue
            total += s.units[arc] * w.gain[arc]
            first = w.cell_buckets[w.arc_cell[arc]]
            for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                bucket = first + pair - w.pairs[arc]
                if s.draws[pair] > 0 and w.keeper[bucket] >= 0 and w.keeper[bucket] != w.holder[line]:
                    total -= s.draws[pair] * w.release[bucket]
            node = w.cell_node[w.arc_cell[arc]]
            known = False
            for number in range(nodes):
                known = known or seen[number] == node
            if not known and nodes < 64:
                seen[nodes] = node
                nodes += 1
    return total - max(nodes - 1, 0) * w.split[order]


@jit
def value_subset(
    mask: int, count: int, starts: Any, arc_node: Any, net: Any, room: Any, stock: Any, asked: Any, single: Any,
    whole: bool, taken: Any,
) -> int:  # fmt: skip
    """Return what an order is worth from the nodes in `mask`, NEVER if it must be whole and cannot."""
    total = np.int64(0)
    for i in range(count):
        need = asked[i]
        for number in range(taken.size):
            taken[number] = 0
        for j in range(starts[i], starts[i + 1]):
            if need == 0:
                break
            node = arc_node[j]
            if node < 0 or not (mask >> node) & 1:
                continue
            if single[i]:
                if room[j] >= need:
                    total += need * net[j]
                    need = 0
                continue
            amount = min(need, room[j], stock[j] - taken[node])
            if amount > 0:
                total += amount * net[j]
                taken[node] += amount
                need -= amount
        if whole and need > 0:
            return NEVER
    return total


@jit
def offers(
    w: Any, s: Any, tariff: Any, order: int, share: int, starts: Any, arcs: Any, net: Any, room: Any, stock: Any,
) -> int:  # fmt: skip
    """List where an order's lines can ship now, each line's best arc first; return how many arcs, -1 if it cannot.

    Arrays are taken out of their tuples once: handing the tuples on for every arc would cost more than all the rest.

    Args:
        w: World.
        s: State.
        tariff: Prices.
        order: Order.
        share: Hundredths of the prices that count.
        starts: [lines + 1] zeros; filled with the first arc of each line in the lists.
        arcs: Filled with arcs.
        net: Filled with what the next unit on each arc is worth.
        room: Filled with the units that each arc can take.
        stock: Filled with the units in each arc's cell.
    """
    order_line, line_arcs, quantity, holder, single = w.order_line, w.line_arcs, w.quantity, w.holder, w.single
    arc_cell, arc_step, gain, node_row, lane_row = w.arc_cell, w.arc_step, w.gain, w.node_row, w.lane_row
    use, lane_use, cell_buckets, step, keeper = w.use, w.lane_use, w.cell_buckets, w.step, w.keeper
    release, left, row_left, lots, rows = w.release, s.left, s.row_left, tariff.lots, tariff.rows
    first, whole, n = w.order_lines[order], w.complete[order], 0
    for i in range(w.order_lines[order + 1] - first):
        line = order_line[first + i]
        asked, alone, own = quantity[line], single[line], holder[line]
        most, extra = asked, np.int64(0)
        g, k = w.group[line], w.quota[line]
        if g >= 0:
            most = min(most, w.group_cap[g] - s.group_count[g])
            if s.group_count[g] < w.group_floor[g] and share == 0:
                extra += w.group_price[g] * SCALE
            else:
                extra -= tariff.groups[g] * share // 100
        if k >= 0:
            most = min(most, w.quota_cap[k] - s.quota_count[k])
            if s.quota_count[k] < w.quota_floor[k]:
                extra += w.quota_price[k] * SCALE
        begin = n
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            there, source = source_of(arc, own, arc_cell, arc_step, cell_buckets, step, keeper, release, left)
            space = min(there, most)
            if space <= 0:
                continue
            toll = lots[source]
            if node_row[arc] >= 0:
                space = min(space, row_left[node_row[arc]] // use[arc])
                toll += rows[node_row[arc]] * use[arc]
            if lane_row[arc] >= 0:
                space = min(space, row_left[lane_row[arc]] // lane_use[arc])
                toll += rows[lane_row[arc]] * lane_use[arc]
            if space <= 0 or (alone and space < asked):
                continue
            worth = gain[arc] * SCALE - toll * share // 100 + extra
            if keeper[source] >= 0 and keeper[source] != own:
                worth -= release[source] * SCALE
            if worth <= 0 and not whole:
                continue
            j = n
            while j > begin and net[j - 1] < worth:
                arcs[j], net[j], room[j], stock[j] = arcs[j - 1], net[j - 1], room[j - 1], stock[j - 1]
                j -= 1
            arcs[j], net[j], room[j], stock[j] = arc, worth, space, there
            n += 1
        starts[i + 1] = n
        if whole and n == begin:
            return -1
    return n


@jit
def insert(w: Any, s: Any, tariff: Any, order: int, share: int) -> bool:
    """Ship an order from the nodes that pay best after `share` hundredths of the prices; tell whether it ships."""
    first, last = w.order_lines[order], w.order_lines[order + 1]
    count, whole, split = last - first, w.complete[order], w.split[order] * SCALE
    size = 0
    starts = np.zeros(count + 1, np.int64)
    asked = np.empty(count, np.int64)
    single = np.empty(count, np.bool_)
    for i in range(count):
        line = w.order_line[first + i]
        asked[i], single[i] = w.quantity[line], w.single[line]
        size += w.line_arcs[line + 1] - w.line_arcs[line]
    arcs, node_of = np.empty(size, np.int64), np.empty(size, np.int64)
    net, room, stock = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    n = offers(w, s, tariff, order, share, starts, arcs, net, room, stock)
    if n <= 0:
        return False
    for j in range(n):
        node_of[j] = w.cell_node[w.arc_cell[arcs[j]]]
    nodes = np.empty(n, np.int64)
    weight = np.zeros(n, np.int64)
    local = 0
    for i in range(count):
        for j in range(starts[i], starts[i + 1]):
            at = -1
            for number in range(local):
                if nodes[number] == node_of[j]:
                    at = number
            if at < 0:
                at = local
                nodes[at] = node_of[j]
                local += 1
            weight[at] += max(net[j], 1) * room[j]
    while local > LOCAL_NODES:
        worst = 0
        for number in range(local):
            if weight[number] < weight[worst]:
                worst = number
        local -= 1
        nodes[worst], weight[worst] = nodes[local], weight[local]
    for j in range(n):
        at = -1
        for number in range(local):
            if nodes[number] == node_of[j]:
                at = number
        node_of[j] = at
    units = 0
    for i in range(count):
        units += asked[i]
    limit = local if w.max_nodes[order] == 0 else min(local, w.max_nodes[order])
    limit = min(limit, units)
    taken = np.empty(local, np.int64)
    best, chosen, size = np.int64(0), 0, 0
    for a in range(local):
        here = value_subset(1 << a, count, starts, node_of, net, room, stock, asked, single, whole, taken)
        if here > best:
            best, chosen, size = here, 1 << a, 1
    if limit >= 2:
        for a in range(local):
            for b in range(a + 1, local):
                here = -split + value_subset(
                    (1 << a) | (1 << b), count, starts, node_of, net, room, stock, asked, single, whole, taken
                )
                if here > best:
                    best, chosen, size = here, (1 << a) | (1 << b), 2
    if limit >= 3 and (size == 2 or whole or split == 0):
        for a in range(local):
            for b in range(a + 1, local):
                for c in range(b + 1, local):
                    mask = (1 << a) | (1 << b) | (1 << c)
                    here = -2 * split + value_subset(
                        mask, count, starts, node_of, net, room, stock, asked, single, whole, taken
                    )
                    if here > best:
                        best, chosen, size = here, mask, 3
    while SUBSET <= size < limit:
        add = -1
        for a in range(local):
            if not (chosen >> a) & 1:
                here = -size * split + value_subset(
                    chosen | (1 << a), count, starts, node_of, net, room, stock, asked, single, whole, taken
                )
                if here > best:
                    best, add = here, a
        if add < 0:
            break
        chosen |= 1 << add
        size += 1
    if size == 0:
        return False
    ships = False
    for i in range(count):
        line, need = w.order_line[first + i], asked[i]
        for j in range(starts[i], starts[i + 1]):
            if need == 0:
                break
            if node_of[j] < 0 or not (chosen >> node_of[j]) & 1:
                continue
            amount = min(need, room_of(w, s, arcs[j], line))
            if single[i] and amount < need:
                continue
            if amount > 0:
                take(w, s, arcs[j], line, amount)
                need -= amount
                ships = True
        if whole and need > 0:
            give_back(w, s, order)
            return False
    return ships


@jit
def fill(w: Any, s: Any, tariff: Any, lines: Any, share: int) -> int:
    """Ship what is still open of lines where it pays after `share` hundredths of the prices; no order rules.

    Returns:
        Units added.
    """
    added = 0
    line_arcs, quantity, holder, group, quota = w.line_arcs, w.quantity, w.holder, w.group, w.quota
    arc_cell, arc_step, gain, node_row, lane_row = w.arc_cell, w.arc_step, w.gain, w.node_row, w.lane_row
    use, lane_use, cell_buckets, step, keeper = w.use, w.lane_use, w.cell_buckets, w.step, w.keeper
    release, left, row_left, lots, rows = w.release, s.left, s.row_left, tariff.lots, tariff.rows
    units, group_count, quota_count, group_toll = s.units, s.group_count, s.quota_count, tariff.groups
    group_cap, group_floor, group_price = w.group_cap, w.group_floor, w.group_price
    quota_cap, quota_floor, quota_price = w.quota_cap, w.quota_floor, w.quota_price
    for line in lines:
        first, last, own = line_arcs[line], line_arcs[line + 1], holder[line]
        need = quantity[line]
        for arc in range(first, last):
            need -= units[arc]
        while need > 0:
            most, extra = need, np.int64(0)
            g, k = group[line], quota[line]
            if g >= 0:
                most = min(most, group_cap[g] - group_count[g])
                if group_count[g] < group_floor[g] and share == 0:
                    extra += group_price[g] * SCALE
                else:
                    extra -= group_toll[g] * share // 100
            if k >= 0:
                most = min(most, quota_cap[k] - quota_count[k])
                if quota_count[k] < quota_floor[k]:
                    extra += quota_price[k] * SCALE
            best, top, amount = -1, np.int64(0), 0
            for arc in range(first, last):
                there, source = source_of(arc, own, arc_cell, arc_step, cell_buckets, step, keeper, release, left)
                space = min(there, most)
                if space <= 0:
                    continue
                toll = lots[source]
                if node_row[arc] >= 0:
                    space = min(space, row_left[node_row[arc]] // use[arc])
                    toll += rows[node_row[arc]] * use[arc]
                if lane_row[arc] >= 0:
                    space = min(space, row_left[lane_row[arc]] // lane_use[arc])
                    toll += rows[lane_row[arc]] * lane_use[arc]
                worth = gain[arc] * SCALE - toll * share // 100 + extra
                if keeper[source] >= 0 and keeper[source] != own:
                    worth -= release[source] * SCALE
                if space > 0 and worth > top:
                    best, top, amount = arc, worth, space
            if best < 0:
                break
            take(w, s, best, line, amount)
            need -= amount
            added += amount
    return added


@jit
def insert_all(w: Any, s: Any, tariff: Any, sequence: Any, share: int) -> None:
    """Insert orders in sequence, each as it stands (what it had is taken back first)."""
    for order in sequence:
        give_back(w, s, order)
        insert(w, s, tariff, order, share)


@jit
def release_all(w: Any, s: Any, orders: Any) -> None:
    """Take orders off the plan."""
    for order in orders:
        give_back(w, s, order)


@jit
def insert_missing(w: Any, s: Any, tariff: Any, sequence: Any, share: int) -> None:
    """Insert the orders that ship nothing, or less than all, anew where that is worth more; in sequence."""
    for order in sequence:
        open_units, shipped = 0, 0
        for position in range(w.order_lines[order], w.order_lines[order + 1]):
            line = w.order_line[position]
            open_units += w.quantity[line]
            for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
                shipped += s.units[arc]
        if shipped == 0:
            insert(w, s, tariff, order, share)
        elif shipped < open_units and share == 0:
            before = worth_of(w, s, order) - s.penalty[0]
            units, draws = keep_order(w, s, order)
            give_back(w, s, order)
            insert(w, s, tariff, order, share)
            if worth_of(w, s, order) - s.penalty[0] < before:
                give_back(w, s, order)
                restore_order(w, s, order, units, draws)


@jit
def keep_order(w: Any, s: Any, order: int) -> Any:
    """Copy an order's units and draws."""
    size, pairs = 0, 0
    for position in range(w.order_lines[order], w.order_lines[order + 1]):
        line = w.order_line[position]
        size += w.line_arcs[line + 1] - w.line_arcs[line]
        pairs += w.pairs[w.line_arcs[line + 1]] - w.pairs[w.line_arcs[line]]
    units, draws = np.empty(size, np.int64), np.empty(pairs, np.int64)
    size, pairs = 0, 0
    for position in range(w.order_lines[order], w.order_lines[order + 1]):
        line = w.order_line[position]
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            units[size] = s.units[arc]
            size += 1
            for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                draws[pairs] = s.draws[pair]
                pairs += 1
    return units, draws


@jit
def restore_order(w: Any, s: Any, order: int, units: Any, draws: Any) -> None:
    """Put back what `keep_order` copied; the order is off the plan."""
    size, pairs = 0, 0
    for position in range(w.order_lines[order], w.order_lines[order + 1]):
        line = w.order_line[position]
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            first = w.cell_buckets[w.arc_cell[arc]]
            for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                s.draws[pair] = draws[pairs]
                s.left[first + pair - w.pairs[arc]] -= draws[pairs]
                pairs += 1
            if units[size] > 0:
                s.units[arc] = units[size]
                use_rows(w, s, arc, units[size])
                count_units(w, s, line, units[size])
            size += 1


@jit
def worths(w: Any, s: Any) -> Any:
    """Return what every order brings, in cents."""
    found = np.zeros(w.complete.size, np.int64)
    for order in range(found.size):
        found[order] = worth_of(w, s, order)
    return found


@jit
def broken_orders(w: Any, s: Any) -> Any:
    """Tell which orders ship in part though they must be whole, from too many nodes or sources, or at a loss."""
    found = np.zeros(w.complete.size, np.bool_)
    for order in range(found.size):
        short, shipped, nodes = 0, 0, 0
        seen = np.empty(64, np.int64)
        for position in range(w.order_lines[order], w.order_lines[order + 1]):
            line = w.order_line[position]
            here, sources = 0, 0
            for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
                if s.units[arc] > 0:
                    here += s.units[arc]
                    sources += 1
                    known = False
                    for number in range(nodes):
                        known = known or seen[number] == w.cell_node[w.arc_cell[arc]]
                    if not known and nodes < 64:
                        seen[nodes] = w.cell_node[w.arc_cell[arc]]
                        nodes += 1
            short += w.quantity[line] - here
            shipped += here
            if w.single[line] and here > 0 and (sources > 1 or here < w.quantity[line]):
                found[order] = True
        if shipped == 0:
            continue
        if w.complete[order] and short > 0:
            found[order] = True
        if w.max_nodes[order] > 0 and nodes > w.max_nodes[order]:
            found[order] = True
        if nodes > 1 and w.split[order] > 0:
            found[order] = True
    return found


@jit
def draw(seed: Any) -> int:
    """Return the next number of a xorshift generator, 0 to 2^62."""
    x = seed[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    seed[0] = x
    return np.int64(x >> np.uint64(2))


@jit
def ruin_and_recreate(w: Any, s: Any, tariff: Any, moves: int, seed: Any, warmth: int, most: int) -> int:
    """Take out a handful of orders that compete, insert them anew, keep what is better (or a little worse while warm).

    Args:
        w: World.
        s: State; changed in place, never worse at the end than `warmth` allowed on the way.
        tariff: Prices for inserting at a share of 100, 80, 50, 20 or 0 hundredths.
        moves: Moves to try.
        seed: [1] uint64 state of the generator.
        warmth: Cents by which a move may be worse at the start; falls linearly to 0.
        most: Most orders per move.

    Returns:
        Gain in cents.
    """
    orders = w.complete.size
    picked = np.empty(most, np.int64)
    keys = np.empty(most, np.int64)
    gained = 0
    shares = np.array([100, 80, 50, 20, 0])
    for move in range(moves):
        count, goal = 1, 3 + draw(seed) % max(most - 2, 1)
        picked[0] = draw(seed) % orders
        tries = 0
        while count < goal and tries < 4 * goal:
            tries += 1
            base = picked[draw(seed) % count]
            lines = w.order_lines[base + 1] - w.order_lines[base]
            if lines == 0:
                continue
            line = w.order_line[w.order_lines[base] + draw(seed) % lines]
            sku = w.line_sku[line]
            width = w.sku_lines[sku + 1] - w.sku_lines[sku]
            other = w.order[w.sku_lines[sku] + draw(seed) % width]
            known = False
            for number in range(count):
                known = known or picked[number] == other
            if not known:
                picked[count] = other
                count += 1
        size, pairs, before = 0, 0, -s.penalty[0]
        for number in range(count):
            before += worth_of(w, s, picked[number])
            for position in range(w.order_lines[picked[number]], w.order_lines[picked[number] + 1]):
                line = w.order_line[position]
                for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
                    if s.units[arc] > 0:
                        size += 1
                        pairs += w.pairs[arc + 1] - w.pairs[arc]
        kept_arc, kept_line, kept_units = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
        kept_draws = np.empty(pairs, np.int64)
        size, pairs = 0, 0
        for number in range(count):
            for position in range(w.order_lines[picked[number]], w.order_lines[picked[number] + 1]):
                line = w.order_line[position]
                for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
                    if s.units[arc] > 0:
                        kept_arc[size], kept_line[size], kept_units[size] = arc, line, s.units[arc]
                        size += 1
                        for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                            kept_draws[pairs] = s.draws[pair]
                            pairs += 1
            give_back(w, s, picked[number])
        share = shares[draw(seed) % 5]
        by_value = draw(seed) % 3
        for number in range(count):
            keys[number] = draw(seed)
            if by_value > 0:
                best = 0
                for position in range(w.order_lines[picked[number]], w.order_lines[picked[number] + 1]):
                    line = w.order_line[position]
                    top = 0
                    for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
                        top = max(top, w.gain[arc])
                    best += top * w.quantity[line]
                keys[number] = -best * (64 + keys[number] % 64)
        ranks = np.argsort(keys[:count], kind="mergesort")
        after = 0
        for number in ranks:
            insert(w, s, tariff, picked[number], share)
        after = -s.penalty[0]
        for number in range(count):
            after += worth_of(w, s, picked[number])
        allowed = warmth * (moves - move) // moves * (draw(seed) % 1024) // 1024
        if after + allowed >= before:
            gained += after - before
            continue
        for number in range(count):
            give_back(w, s, picked[number])
        pairs = 0
        for number in range(size):
            arc = kept_arc[number]
            first = w.cell_buckets[w.arc_cell[arc]]
            for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                s.draws[pair] = kept_draws[pairs]
                s.left[first + pair - w.pairs[arc]] -= kept_draws[pairs]
                pairs += 1
            s.units[arc] = kept_units[number]
            use_rows(w, s, arc, kept_units[number])
            count_units(w, s, kept_line[number], kept_units[number])
    return gained


@jit
def competing(w: Any, value: Any, seed: Any, picked: Any) -> int:
    """Pick orders that share SKUs, of three drawn the dearest each time; return how many there are."""
    count, tries = 0, 0
    while count < picked.size and tries < TRIES * picked.size:
        tries += 1
        best = -1
        if count == 0:
            for _ in range(3):
                other = draw(seed) % w.complete.size
                if best < 0 or value[other] > value[best]:
                    best = other
        else:
            base = picked[draw(seed) % count]
            lines = w.order_lines[base + 1] - w.order_lines[base]
            if lines == 0:
                continue
            sku = w.line_sku[w.order_line[w.order_lines[base] + draw(seed) % lines]]
            for _ in range(3):
                other = w.order[w.sku_lines[sku] + draw(seed) % (w.sku_lines[sku + 1] - w.sku_lines[sku])]
                if best < 0 or value[other] > value[best]:
                    best = other
        known = False
        for number in range(count):
            known = known or picked[number] == best
        if not known:
            picked[count] = best
            count += 1
    return count


@jit
def worth_of_all(w: Any, s: Any, orders: Any) -> int:
    """Return what some orders bring, less what all missed floors cost, in cents."""
    total = -s.penalty[0]
    for order in orders:
        total += worth_of(w, s, order)
    return total


@jit
def ship_pairs(w: Any, s: Any, pairs: Any, arcs: Any, buckets: Any, lines: Any, units: Any) -> None:
    """Put units on the plan, drawn from the buckets named; they have room."""
    for number in range(pairs.size):
        s.left[buckets[number]] -= units[number]
        s.draws[pairs[number]] += units[number]
        s.units[arcs[number]] += units[number]
        use_rows(w, s, arcs[number], units[number])
        count_units(w, s, lines[number], units[number])


@jit
def _foreign(w: Any, s: Any, foreign: Any) -> None:
    for line in range(w.quantity.size):
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            if s.units[arc] > 0:
                first = w.cell_buckets[w.arc_cell[arc]]
                for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                    bucket = first + pair - w.pairs[arc]
                    if w.keeper[bucket] >= 0 and w.keeper[bucket] != w.holder[line]:
                        foreign[bucket] += s.draws[pair]


@jit
def load_units(w: Any, s: Any, units: Any, arcs: Any, lines: Any) -> int:
    """Put a plan's units into an empty state, arcs in turn; return units that found no room."""
    lost = 0
    arc_cell, arc_step, cell_buckets, step, keeper = w.arc_cell, w.arc_step, w.cell_buckets, w.step, w.keeper
    holder, release, left, draws, pairs = w.holder, w.release, s.left, s.draws, w.pairs
    node_row, lane_row, use, lane_use, row_left = w.node_row, w.lane_row, w.use, w.lane_use, s.row_left
    group, quota, group_cap, quota_cap = w.group, w.quota, w.group_cap, w.quota_cap
    for number in range(arcs.size):
        arc, line = arcs[number], lines[number]
        most = units[arc]
        if node_row[arc] >= 0:
            most = min(most, row_left[node_row[arc]] // use[arc])
        if lane_row[arc] >= 0:
            most = min(most, row_left[lane_row[arc]] // lane_use[arc])
        if group[line] >= 0:
            most = min(most, group_cap[group[line]] - s.group_count[group[line]])
        if quota[line] >= 0:
            most = min(most, quota_cap[quota[line]] - s.quota_count[quota[line]])
        amount = np.int64(0)
        while amount < most:
            _, source = source_of(arc, holder[line], arc_cell, arc_step, cell_buckets, step, keeper, release, left)
            if source < 0:
                break
            part = min(most - amount, left[source])
            left[source] -= part
            draws[pairs[arc] + source - cell_buckets[arc_cell[arc]]] += part
            amount += part
        s.units[arc] += amount
        if node_row[arc] >= 0:
            row_left[node_row[arc]] -= amount * use[arc]
        if lane_row[arc] >= 0:
            row_left[lane_row[arc]] -= amount * lane_use[arc]
        if group[line] >= 0 or quota[line] >= 0:
            count_units(w, s, line, amount)
        lost += units[arc] - amount
    return lost


def state_of(problem: KernelProblem, world: World, units: Ints) -> tuple[State, int]:
    """Return the state of a plan given as units per arc, and the units that broke a limit and were left out."""
    state = empty_state(problem, world)
    used = np.flatnonzero(units)
    used = used[np.argsort(problem.arc_step[used], kind="stable")]
    lines = np.searchsorted(problem.line_arcs, used, side="right") - 1
    return state, int(load_units(world, state, units, used, lines))
