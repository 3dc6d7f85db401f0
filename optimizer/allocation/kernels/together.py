"""Orders placed together: some that compete are taken off the plan, a mixed-integer program ships them anew.

Orders compete over SKUs; dear ones are picked rather than cheap ones. The program knows every rule and is solved to
GAP within what the other orders leave; a plan that is worth less is undone. What `orders.ruin_and_recreate` inserts one
by one, this decides at once, so it finds exchanges of several orders that no sequence of insertions does.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]

from optimizer.allocation.kernels.orders import State, World, competing, release_all, ship_pairs, worth_of_all
from optimizer.allocation.kernels.problem import NONE, UNLIMITED, Flags, Ints, KernelProblem

Numbers = npt.NDArray[Any]
Entries = tuple[Numbers, Numbers, Numbers]
"""Row, column and value of entries of a program."""

ORDERS: Final = 100
"""Orders in a program; a problem with no more is one program."""

GAP: Final = 2e-3
NODES: Final = 200
"""Gap and branches at which a program stops."""

KILL_SECONDS: Final = 60.0
_WIDEST: Final = 2**20
"""More nodes than any problem has."""


def place_together(problem: KernelProblem, world: World, state: State, *, programs: int, seed: int) -> bool:
    """Place competing orders anew, so many times; the plan is never worth less for it.

    Args:
        problem: The problem; no line is single-source.
        world: Its index.
        state: The plan; changed in place.
        programs: Programs to solve.
        seed: Seed of the choice of orders.

    Returns:
        Whether the clock stopped a program.
    """
    is_killed, luck = False, np.array([88172645463325252 + seed * 7919], np.uint64)
    gain = np.zeros(problem.lines, np.int64)
    np.maximum.at(gain, np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs)), problem.arc_gain)
    value = np.zeros(problem.orders, np.int64)
    np.add.at(value, problem.line_order, gain * problem.line_quantity)
    everyone = np.arange(problem.orders) if problem.orders <= ORDERS else None
    for _ in range(programs if everyone is None else min(programs, 1)):
        picked = np.empty(ORDERS, np.int64)
        orders = np.sort(picked[: competing(world, value, luck, picked)]) if everyone is None else everyone
        before, kept = worth_of_all(world, state, orders), _drawn(world, state, orders)
        release_all(world, state, orders)
        started = time.monotonic()
        found = _solve(problem, world, state, orders)
        is_killed |= time.monotonic() - started >= KILL_SECONDS
        if found is not None:
            ship_pairs(world, state, *found)
        if found is None or worth_of_all(world, state, orders) < before:
            release_all(world, state, orders)
            ship_pairs(world, state, *kept)
    return is_killed


def _pairs(world: World, orders: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return all pairs of an arc and a bucket of its cell that orders have: pair, arc, bucket, line."""
    lines = world.order_line[_ranges(world.order_lines[orders], world.order_lines[orders + 1])]
    count = np.diff(world.line_arcs)[lines]
    arcs = _ranges(world.line_arcs[lines], world.line_arcs[lines + 1])
    width = np.diff(world.pairs)[arcs]
    pair = _ranges(world.pairs[arcs], world.pairs[arcs + 1])
    arc, line = np.repeat(arcs, width), np.repeat(np.repeat(lines, count), width)
    return pair, arc, world.cell_buckets[world.arc_cell[arc]] + pair - world.pairs[arc], line


def _ranges(first: Ints, end: Ints) -> Ints:
    """Return the whole numbers of all ranges, one range after the other."""
    count = end - first
    return np.repeat(first - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))


def _drawn(world: World, state: State, orders: Ints) -> tuple[Ints, ...]:
    pair, arc, bucket, line = _pairs(world, orders)
    used = state.draws[pair] > 0
    return pair[used], arc[used], bucket[used], line[used], state.draws[pair[used]]


def _solve(problem: KernelProblem, world: World, state: State, orders: Ints) -> tuple[Ints, ...] | None:
    """Return what orders that are off the plan should ship: pair, arc, bucket, line, units; None without an answer."""
    pair, arc, bucket, line = _pairs(world, orders)
    keeper = world.keeper[bucket]
    is_open = (keeper == NONE) | (keeper == world.holder[line]) | (world.release[bucket] >= 0)
    usable = is_open & (world.step[bucket] <= world.arc_step[arc]) & (state.left[bucket] > 0)
    pair, arc, bucket, line = pair[usable], arc[usable], bucket[usable], line[usable]
    if not pair.size:
        return None
    # Lines without a way to ship have a row too: an order that ships whole cannot ship without them.
    lines = np.sort(world.order_line[_ranges(world.order_lines[orders], world.order_lines[orders + 1])])
    at_line, own = np.searchsorted(lines, line), problem.line_order[lines]
    at_order = np.searchsorted(orders, own)
    node = world.cell_node[world.arc_cell[arc]].astype(np.int64)
    uses, at_use = np.unique(at_order[at_line] * _WIDEST + node, return_inverse=True)
    links, first, at_link = np.unique(at_line * _WIDEST + node, return_index=True, return_inverse=True)
    lots, at_lot = np.unique(bucket, return_inverse=True)
    program = _Program()
    foreign = (world.keeper[bucket] != NONE) & (world.keeper[bucket] != world.holder[line])
    quantity = problem.line_quantity[lines]
    ship = program.columns(
        problem.arc_gain[arc] - np.where(foreign, problem.bucket_release[bucket], 0),
        np.minimum(quantity[at_line], state.left[bucket]),
        is_whole=True,
    )
    use = program.columns(np.zeros(uses.size), np.ones(uses.size), is_whole=True)
    most = np.where(world.max_nodes[orders] > 0, world.max_nodes[orders], uses.size)
    extra = program.columns(-world.split[orders], most - 1, is_whole=False)
    whole = program.columns(np.zeros(orders.size), world.complete[orders], is_whole=True)
    # A line: what is open; all of it or nothing where its order ships whole.
    closed = np.flatnonzero(world.complete[own])
    program.rows(
        (at_line, ship, np.ones(ship.size)),
        (closed, whole[at_order[closed]], -quantity[closed]),
        lower=np.where(world.complete[own], 0, -np.inf),
        upper=np.where(world.complete[own], 0, quantity),
    )
    # Lots, node days and lane days: what the others leave.
    program.rows((at_lot, ship, np.ones(ship.size)), upper=state.left[lots])
    for row, taken in ((problem.arc_node_row, problem.arc_use), (problem.arc_lane_row, problem.arc_lane_use)):
        rows, at_row = np.unique(row[arc], return_inverse=True)
        bound = row[arc] >= 0
        upper = np.where(rows >= 0, state.row_left[rows], 0) if state.row_left.size else np.zeros(rows.size)
        program.rows((at_row[bound], ship[bound], taken[arc][bound]), upper=upper)
    # A line ships from a node only if its order uses it; every node after the first is extra.
    room = np.minimum(np.bincount(at_link, weights=state.left[bucket]), quantity[at_line[first]])
    program.rows(
        (at_link, ship, np.ones(ship.size)),
        (np.arange(links.size), use[at_use[first]], -room),
        upper=np.zeros(links.size),
    )
    program.rows(
        (uses // _WIDEST, use, np.ones(use.size)),
        (np.arange(orders.size), extra, -np.ones(orders.size)),
        upper=np.ones(orders.size),
    )
    for member, floor, price, cap, count in (
        (problem.line_group, problem.group_floor, problem.group_floor_price, problem.group_cap, state.group_count),
        (problem.line_quota, problem.quota_floor, problem.quota_floor_price, problem.quota_cap, state.quota_count),
    ):
        # Up to its floor, less what stays short at a price, and within its cap.
        limits, at_limit = np.unique(member[line], return_inverse=True)
        inside, known = member[line] >= 0, limits >= 0
        if not inside.any():
            continue
        missing = np.where(known, np.maximum(floor[limits] - count[limits], 0), 0)
        short = program.columns(-price[limits], missing, is_whole=False)
        counted = (at_limit[inside], ship[inside], np.ones(int(inside.sum())))
        program.rows(counted, (np.arange(limits.size), short, np.ones(limits.size)), lower=missing)
        left = np.where(known & (cap[limits] < UNLIMITED), cap[limits] - count[limits], np.inf)
        program.rows(counted, upper=left)
    values = program.solve()
    if values is None:
        return None
    units = np.rint(values[: pair.size]).astype(np.int64)
    used = units > 0
    return pair[used], arc[used], bucket[used], line[used], units[used]


class _Program:
    """Maximise gain within bounds and rows, put together block by block."""

    def __init__(self) -> None:
        self._count, self._height = 0, 0
        self._columns: list[tuple[Numbers, Numbers, Flags]] = []
        self._entries: list[Entries] = []
        self._limits: list[tuple[Numbers, Numbers]] = []

    def columns(self, gain: Numbers, upper: Numbers, *, is_whole: bool) -> Ints:
        numbers = np.arange(self._count, self._count + len(gain))
        self._count += len(gain)
        self._columns.append((gain, upper, np.full(len(gain), is_whole)))
        return numbers

    def rows(self, *entries: Entries, lower: Numbers | None = None, upper: Numbers | None = None) -> None:
        size = max(0 if limit is None else limit.size for limit in (lower, upper))
        self._entries += [(row + self._height, column, value) for row, column, value in entries]
        self._limits.append(
            (np.full(size, -np.inf) if lower is None else lower, np.full(size, np.inf) if upper is None else upper)
        )
        self._height += size

    def solve(self) -> Numbers | None:
        gain, bound, whole = (np.concatenate(part).astype(np.float64) for part in zip(*self._columns, strict=True))
        row, column, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        lower, upper = (np.concatenate(part) for part in zip(*self._limits, strict=True))
        matrix = sparse.csr_matrix((value.astype(np.float64), (row, column)), shape=(self._height, self._count))
        with _muted():
            found = milp(
                -gain,
                constraints=LinearConstraint(matrix, lower, upper),
                bounds=Bounds(0, bound),
                integrality=whole,
                options={"mip_rel_gap": GAP, "node_limit": NODES, "time_limit": KILL_SECONDS},
            )
        values: Numbers | None = found.x
        return values


@contextmanager
def _muted() -> Iterator[None]:
    """Drop what HiGHS writes to the standard output when it mends a solution, whatever it was asked to display."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        # Its line may still wait in C's own buffer.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
