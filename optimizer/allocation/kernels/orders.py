"""Order by order under every hard limit: insert an order on its best nodes, take it out, ruin and recreate.

This is the one place that knows order rules (whole or not at all, most nodes, price of a split, single
source). It is the greedy baseline (no prices), the top-up after the paced pass, and the local search. One
thread, so the order of decisions is always the same. Gains are cents; values that pay prices are in 1/SCALE
cents.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from optimizer.allocation.kernels.flow import NEVER, SCALE, jit
from optimizer.allocation.kernels.problem import Ints, KernelPlan, KernelProblem

LOCAL_NODES: Final = 12
"""Most nodes looked at together for one order, its most valuable ones."""

SUBSET: Final = 3
"""Nodes that are chosen together; more are added one by one while they pay."""


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


@jit
def is_open(w: Any, arc: int, line: int, bucket: int) -> bool:
    """Whether an arc of a line may draw on a bucket of its cell."""
    if w.step[bucket] > w.arc_step[arc]:
        return False
    return w.keeper[bucket] < 0 or w.keeper[bucket] == w.holder[line] or w.release[bucket] >= 0


@jit
def stock_of(w: Any, s: Any, arc: int, line: int) -> int:
    """Return how many more units an arc could draw from its cell now."""
    cell, there = w.arc_cell[arc], 0
    for bucket in range(w.cell_buckets[cell], w.cell_buckets[cell + 1]):
        if is_open(w, arc, line, bucket):
            there += s.left[bucket]
    return there


@jit
def room_of(w: Any, s: Any, arc: int, line: int) -> int:
    """Return how many more units of the line an arc can take now."""
    there = stock_of(w, s, arc, line)
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
def next_bucket(w: Any, s: Any, arc: int, line: int) -> int:
    """Return the bucket that the next unit comes from: own, then the pool, then others' cheapest; latest first."""
    cell, found, rank = w.arc_cell[arc], -1, np.int64(2**60)
    for bucket in range(w.cell_buckets[cell], w.cell_buckets[cell + 1]):
        if s.left[bucket] > 0 and is_open(w, arc, line, bucket):
            here = np.int64(0) if w.keeper[bucket] < 0 else np.int64(-1) * 2**40
            if w.keeper[bucket] >= 0 and w.keeper[bucket] != w.holder[line]:
                here = (w.release[bucket] + 1) * 2**20
            here -= w.step[bucket]
            if here < rank:
                found, rank = bucket, here
    return found


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
    """Put units on an arc; the caller has asked `room_of`."""
    first = w.cell_buckets[w.arc_cell[arc]]
    rest = amount
    while rest > 0:
        bucket = next_bucket(w, s, arc, line)
        part = min(rest, s.left[bucket])
        s.left[bucket] -= part
        s.draws[w.pairs[arc] + bucket - first] += part
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
def net_of(w: Any, s: Any, tariff: Any, arc: int, line: int, share: int) -> int:
    """Return what the next unit on an arc is worth after `share` hundredths of the prices; the arc has room."""
    bucket = next_bucket(w, s, arc, line)
    toll = tariff.lots[bucket]
    if w.node_row[arc] >= 0:
        toll += tariff.rows[w.node_row[arc]] * w.use[arc]
    if w.lane_row[arc] >= 0:
        toll += tariff.rows[w.lane_row[arc]] * w.lane_use[arc]
    worth = w.gain[arc] * SCALE - toll * share // 100
    if w.keeper[bucket] >= 0 and w.keeper[bucket] != w.holder[line]:
        worth -= w.release[bucket] * SCALE
    g, k = w.group[line], w.quota[line]
    if g >= 0:
        if s.group_count[g] < w.group_floor[g] and share == 0:
            worth += w.group_price[g] * SCALE
        else:
            worth -= tariff.groups[g] * share // 100
    if k >= 0 and s.quota_count[k] < w.quota_floor[k]:
        worth += w.quota_price[k] * SCALE
    return worth


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
def insert(w: Any, s: Any, tariff: Any, order: int, share: int) -> bool:
    """Ship an order from the nodes that pay best after `share` hundredths of the prices; tell whether it ships."""
    first, last = w.order_lines[order], w.order_lines[order + 1]
    count, whole, split = last - first, w.complete[order], w.split[order] * SCALE
    size = 0
    for position in range(first, last):
        line = w.order_line[position]
        size += w.line_arcs[line + 1] - w.line_arcs[line]
    starts = np.zeros(count + 1, np.int64)
    asked = np.empty(count, np.int64)
    single = np.empty(count, np.bool_)
    arcs, node_of = np.empty(size, np.int64), np.empty(size, np.int64)
    net, room, stock = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    n = 0
    for i in range(count):
        line = w.order_line[first + i]
        asked[i], single[i] = w.quantity[line], w.single[line]
        begin = n
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            space = min(room_of(w, s, arc, line), asked[i])
            if space <= 0 or ((whole or single[i]) and single[i] and space < asked[i]):
                continue
            worth = net_of(w, s, tariff, arc, line, share)
            if worth <= 0 and not whole:
                continue
            j = n
            while j > begin and net[j - 1] < worth:
                arcs[j], net[j], node_of[j] = arcs[j - 1], net[j - 1], node_of[j - 1]
                room[j], stock[j] = room[j - 1], stock[j - 1]
                j -= 1
            arcs[j], net[j], node_of[j] = arc, worth, w.cell_node[w.arc_cell[arc]]
            room[j], stock[j] = space, stock_of(w, s, arc, line)
            n += 1
        starts[i + 1] = n
        if whole and n == begin:
            return False
    if n == 0:
        return False
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
    for line in lines:
        first, last = w.line_arcs[line], w.line_arcs[line + 1]
        need = w.quantity[line]
        for arc in range(first, last):
            need -= s.units[arc]
        while need > 0:
            best, top, space = -1, np.int64(0), 0
            for arc in range(first, last):
                room = room_of(w, s, arc, line)
                if room > 0:
                    worth = net_of(w, s, tariff, arc, line, share)
                    if worth > top:
                        best, top, space = arc, worth, room
            if best < 0:
                break
            amount = min(need, space)
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
def load_units(w: Any, s: Any, units: Any, by_step: Any) -> int:
    """Put a plan's units into an empty state, arcs of the earliest steps first; return units that found no room."""
    lost = 0
    for number in range(by_step.size):
        arc, line = by_step[number] >> np.int64(0), np.int64(0)
        line = np.searchsorted(w.line_arcs, arc, side="right") - 1
        amount = min(units[arc], room_of(w, s, arc, line))
        if amount > 0:
            take(w, s, arc, line, amount)
        lost += units[arc] - amount
    return lost


def state_of(problem: KernelProblem, world: World, units: Ints) -> tuple[State, int]:
    """Return the state of a plan given as units per arc, and the units that broke a limit and were left out."""
    state = empty_state(problem, world)
    used = np.flatnonzero(units)
    return state, int(load_units(world, state, units, used[np.argsort(problem.arc_step[used], kind="stable")]))
