"""From prices to a plan: units where the prices put them, then small linear programs where they leave doubt.

A paced pass (`pricing.pace`) comes close to every limit. Its units are put on the plan line by line, from the cheapest
lots, those first that bring most per unit of capacity, stock not counted: where few others want a unit of stock, it
stays unsold when its line gives way. What is left over is filled. Then rounds: SKUs that forgo most at the prices, by
their lines' choices or by stock left at a price, and in turn such lines one by one, some by luck, are taken off the
plan, and a linear program places them anew, all at once, within what the others leave. A round that gains nothing is
undone. A program has so many columns at most, whatever the size of the problem; solutions
are rounded down and filled up.

A problem that is no larger than WHOLE_COLUMNS is one linear program: its prices are exact, its vertex has few
fractions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numba as nb
import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from optimizer.allocation.backend import Flags, relaxation
from optimizer.allocation.kernels.flow import SCALE, jit
from optimizer.allocation.kernels.orders import (
    State,
    Tariff,
    World,
    count_units,
    empty_state,
    fill,
    room_of,
    use_rows,
    worth_of,
)
from optimizer.allocation.kernels.passes import Prices, arc_value, parallel
from optimizer.allocation.kernels.pricing import Floats, Learnt, pace
from optimizer.allocation.kernels.problem import NONE, UNLIMITED, Ints, KernelProblem

WHOLE_COLUMNS: Final = 130_000
MOST_COLUMNS: Final = 24_000
"""Pairs of an arc and a bucket in the program of a whole problem, and in that of a round."""

MOST_LINES: Final = 1_000
"""Lines of one SKU in a round, chosen by luck where it has more."""

FILL_SHARES: Final = (100, 70, 50, 20, 0)
KILL_SECONDS: Final = 60.0
WHOLE: Final = 1e-6
"""Units by which a value may lie below a whole number and count as it."""


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A state within every limit but the order rules; `is_killed`: the clock stopped a program."""

    state: State
    is_killed: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """See `backend.Program`."""

    matrix: sparse.csr_matrix
    lower: Floats
    upper: Floats
    gain: Floats
    bound: Floats
    is_integer: Flags
    rows: slice
    floors: slice
    caps: slice
    offset: int = field(default=0)

    def prices(self, duals: Floats) -> Prices:
        """Read the prices of rows and groups off those of all rows of the program."""
        groups = duals[self.floors] + duals[self.caps]
        rows = np.maximum(duals[self.rows], 0)
        return Prices(np.rint(rows * SCALE).astype(np.int64), np.rint(groups * SCALE).astype(np.int64))


def settle(problem: KernelProblem, world: World, learnt: Learnt, *, rounds: int, seed: int) -> Settled:
    """Return a plan near the prices; order rules are not looked at.

    Args:
        problem: The problem.
        world: Its index.
        learnt: Prices of rows, groups, lots and quotas.
        rounds: Linear programs.
        seed: Seed of all luck.
    """
    settling = _Settling(problem, world, learnt, seed)
    settling.load(pace(problem, learnt.prices, seed=seed))
    for number in range(rounds):
        settling.place(settling.lines_forgoing() if number % 2 else settling.skus_forgoing())
    return Settled(settling.state, settling.is_killed)


def is_one_program(world: World) -> bool:
    """Whether a problem is small enough for `solve_whole`."""
    return bool(world.pairs[-1] <= WHOLE_COLUMNS)


def solve_whole(problem: KernelProblem, world: World) -> tuple[Prices, State] | None:
    """Return the prices of the linear relaxation and its vertex rounded; order rules are not looked at.

    None if the clock stopped the solver.
    """
    nothing = Learnt(Prices.zero(problem), 0, np.zeros_like(problem.bucket_supply), np.zeros_like(problem.quota_cap), 0)
    settling = _Settling(problem, world, nothing, 0)
    prices = settling.place(np.arange(problem.lines))
    return None if prices is None else (prices, settling.state)


class _Settling:
    def __init__(self, problem: KernelProblem, world: World, learnt: Learnt, seed: int) -> None:
        self.problem, self.world, self.learnt = problem, world, learnt
        self.state, self.random = empty_state(problem, world), np.random.default_rng(seed)
        self.tariff = Tariff(learnt.prices.rows, learnt.prices.groups, learnt.lots)
        self.columns = np.diff(world.pairs[problem.line_arcs])
        self.sku = np.repeat(np.arange(problem.skus), np.diff(problem.sku_lines))
        self.is_killed = False

    def load(self, units: Ints) -> None:
        """Put units per arc on the plan as far as they have room, dearest per capacity first, then fill it up."""
        value = np.zeros(self.problem.lines, np.float64)
        _value(self.world, value, units, self.tariff)
        dearest = np.argsort(-value, kind="stable")
        _load(self.world, self.state, dearest, units, self.tariff.lots)
        self._fill(dearest)

    def lines_forgoing(self) -> Ints:
        """Return lines wherever they are, those that forgo much rather than others, some for luck."""
        margin, regret = self._preferences()
        luck = self.random.random(regret.size)
        lines = np.argsort(-(regret + float(margin.mean())) * luck, kind="stable")
        return np.sort(lines[np.cumsum(self.columns[lines]) <= MOST_COLUMNS])

    def skus_forgoing(self) -> Ints:
        """Return the lines of SKUs, those that forgo much per line, by choice or by stock left, rather than others."""
        _, regret = self._preferences()
        size = np.diff(self.problem.sku_lines)
        chosen = np.bincount(self.sku, weights=regret, minlength=size.size)
        unsold = np.concatenate([[0.0], np.cumsum(self.tariff.lots.astype(np.float64) * self.state.left)])
        left = np.diff(unsold[self.problem.cell_buckets[self.problem.sku_cells]])
        forgone = (chosen + left) / np.maximum(size, 1)
        order = np.argsort(-forgone * self.random.random(size.size), kind="stable")
        rank = np.empty(size.size, np.int64)
        rank[order] = np.arange(size.size)
        lines = np.lexsort((self.random.random(self.sku.size), rank[self.sku]))
        within = np.arange(lines.size) - np.repeat(np.cumsum(size[order]) - size[order], size[order])
        lines = lines[within < MOST_LINES]
        return np.sort(lines[np.cumsum(self.columns[lines]) <= MOST_COLUMNS])

    def _preferences(self) -> tuple[Ints, Ints]:
        """Return by how much each line prefers one arc (or none) to all others, and what it forgoes now."""
        problem, prices = self.problem, self.learnt.prices
        margin, regret = np.zeros(problem.lines, np.int64), np.zeros(problem.lines, np.int64)
        _prefer(
            margin, regret, self.state.units, prices.rows, prices.groups, self.learnt.lots, self.learnt.quotas,
            problem.line_arcs, problem.line_quantity, problem.line_holder, problem.line_group, problem.line_quota,
            problem.arc_cell, problem.arc_step, problem.arc_gain, problem.arc_node_row, problem.arc_lane_row,
            problem.arc_use, problem.arc_lane_use, problem.cell_buckets, problem.bucket_step, problem.bucket_holder,
            problem.bucket_release,
        )  # fmt: skip
        return margin, regret

    def place(self, lines: Ints) -> Prices | None:
        """Place lines anew by a linear program, unless what was is worth more; return the program's prices."""
        world, state = self.world, self.state
        orders = np.unique(self.problem.line_order[lines]).astype(np.int64)
        before = _worth(world, state, orders)
        kept = _lift(world, state, lines, self.columns)
        arc, line, bucket, pair = _pairs(world, state, lines)
        program = self._program(lines, arc, line, bucket)
        found = relaxation(program, kill_seconds=KILL_SECONDS)
        if found is None:
            self.is_killed = True
            _lower(world, state, lines, kept)
            return None
        units = np.zeros_like(kept)
        units[pair] = np.floor(found[0][: arc.size] + WHOLE).astype(np.int64)
        _lower(world, state, lines, units)
        self._fill(lines)
        if _worth(world, state, orders) < before:
            _lift(world, state, lines, self.columns)
            _lower(world, state, lines, kept)
        return program.prices(found[1])

    def _fill(self, lines: Ints) -> None:
        for share in FILL_SHARES:
            fill(self.world, self.state, self.tariff, lines, share)

    def _program(self, lines: Ints, arc: Ints, line: Ints, bucket: Ints) -> _Program:
        """Return the program of lines that are off the plan, a column per pair of an arc and a bucket."""
        problem, state = self.problem, self.state
        rows, size = _Rows(), arc.size
        columns, ones = np.arange(size), np.ones(size)
        place = np.zeros(problem.lines, np.int64)
        place[lines] = np.arange(lines.size)
        rows.add(place[line], columns, ones, upper=problem.line_quantity[lines])
        lots, at = np.unique(bucket, return_inverse=True)
        rows.add(at, columns, ones, upper=state.left[lots])
        shared = rows.add(
            np.concatenate([problem.arc_node_row[arc], problem.arc_lane_row[arc]]),
            np.concatenate([columns, columns]),
            np.concatenate([problem.arc_use[arc], problem.arc_lane_use[arc]]).astype(np.float64),
            upper=state.row_left,
        )
        is_foreign = (problem.bucket_holder[bucket] >= 0) & (problem.bucket_holder[bucket] != problem.line_holder[line])
        gain = [problem.arc_gain[arc] - np.where(is_foreign, problem.bucket_release[bucket], 0)]
        bound, elastic = [problem.line_quantity[line]], []
        for member, floor, price, cap, count in (
            (problem.line_group, problem.group_floor, problem.group_floor_price, problem.group_cap, state.group_count),
            (problem.line_quota, problem.quota_floor, problem.quota_floor_price, problem.quota_cap, state.quota_count),
        ):
            # Lines of a limit fall between its floor, less what stays short at a price, and its cap.
            missing = np.maximum(floor - count, 0)
            floors = rows.add(
                np.concatenate([member[line], np.arange(floor.size)]),
                np.concatenate([columns, size + np.arange(floor.size)]),
                np.ones(columns.size + floor.size),
                lower=missing,
            )
            caps = rows.add(member[line], columns, ones, upper=np.where(cap < UNLIMITED, cap - count, np.inf))
            elastic += [floors, caps]
            gain.append(-price)
            bound.append(missing)
            size += floor.size
        return _Program(
            *rows.arrays(size),
            gain=np.concatenate(gain).astype(np.float64),
            bound=np.concatenate(bound).astype(np.float64),
            is_integer=np.zeros(size, np.bool_),
            rows=shared,
            floors=elastic[0],
            caps=elastic[1],
        )


class _Rows:
    """Rows of a program, added block by block; a member of -1 is in no row."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints, Floats]] = []
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._count = 0

    def add(
        self,
        member: Any,
        columns: Ints,
        values: Floats,
        *,
        lower: Ints | None = None,
        upper: Ints | Floats | None = None,
    ) -> slice:
        size = lower.size if lower is not None else upper.size if upper is not None else 0
        inside = member >= 0
        self._parts.append((member[inside].astype(np.int64) + self._count, columns[inside], values[inside]))
        self._lower.append(np.full(size, -np.inf) if lower is None else lower.astype(np.float64))
        self._upper.append(np.full(size, np.inf) if upper is None else upper.astype(np.float64))
        self._count += size
        return slice(self._count - size, self._count)

    def arrays(self, columns: int) -> tuple[sparse.csr_matrix, Floats, Floats]:
        row, column, value = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        matrix = sparse.csr_matrix((value, (row, column)), shape=(self._count, columns))
        return matrix, np.concatenate(self._lower), np.concatenate(self._upper)


def _pairs(world: World, state: State, lines: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return pairs of an arc and a bucket with units that it may draw on: arc, line, bucket, place among all pairs."""
    count = np.diff(world.line_arcs)[lines]
    arc = np.repeat(world.line_arcs[lines] - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
    line = np.repeat(lines, count)
    width = np.diff(world.pairs)[arc]
    inner = np.arange(int(width.sum())) - np.repeat(np.cumsum(width) - width, width)
    arc, line = np.repeat(arc, width), np.repeat(line, width)
    bucket = world.cell_buckets[world.arc_cell[arc]] + inner
    keeper = world.keeper[bucket]
    is_open = (keeper == NONE) | (keeper == world.holder[line]) | (world.release[bucket] >= 0)
    usable = is_open & (world.step[bucket] <= world.arc_step[arc]) & (state.left[bucket] > 0)
    return arc[usable], line[usable], bucket[usable], np.flatnonzero(usable)


@jit
def _lot_price(arc, holder, arc_cell, arc_step, cell_buckets, step, keeper, release, lots):
    cell, least = arc_cell[arc], np.int64(2**50)
    for bucket in range(cell_buckets[cell], cell_buckets[cell + 1]):
        if step[bucket] <= arc_step[arc]:
            price = lots[bucket]
            if keeper[bucket] >= 0 and keeper[bucket] != holder:
                if release[bucket] < 0:
                    continue
                price += release[bucket] * SCALE
            least = min(least, price)
    return least


@parallel
def _prefer(
    margin, regret, units, rows, groups, lots, quotas, line_arcs, quantity, holder, group, quota, arc_cell, arc_step,
    gain, node_row, lane_row, use, lane_use, cell_buckets, step, keeper, release,
):  # fmt: skip
    for line in nb.prange(margin.size):
        extra = groups[group[line]] if group[line] >= 0 else 0
        if quota[line] >= 0:
            extra += quotas[quota[line]]
        # Staying short is worth 0.
        top, second, now = np.int64(0), np.int64(-(2**50)), np.int64(0)
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            worth = arc_value(arc, rows, gain, node_row, lane_row, use, lane_use) - extra
            worth -= _lot_price(arc, holder[line], arc_cell, arc_step, cell_buckets, step, keeper, release, lots)
            now += units[arc] * worth
            if worth > top:
                top, second = worth, top
            else:
                second = max(second, worth)
        margin[line], regret[line] = top - second, top * quantity[line] - now


@jit
def _value(w: Any, value: Any, units: Any, tariff: Any) -> None:
    """Fill in what each line with units brings after the prices of rows, per unit of capacity, at its dearest arc."""
    line_arcs, gain, node_row, lane_row, use, lane_use = w.line_arcs, w.gain, w.node_row, w.lane_row, w.use, w.lane_use
    for line in range(value.size):
        extra = tariff.groups[w.group[line]] if w.group[line] >= 0 else 0
        for arc in range(line_arcs[line], line_arcs[line + 1]):
            if units[arc] > 0:
                worth = arc_value(arc, tariff.rows, gain, node_row, lane_row, use, lane_use) - extra
                value[line] = max(value[line], worth / use[arc])


@jit
def _load(w: Any, s: Any, sequence: Any, units: Any, lots: Any) -> None:
    """Put units on the plan, line by line in sequence, as many as there is room for, from the cheapest lots."""
    arc_cell, arc_step, cell_buckets, step = w.arc_cell, w.arc_step, w.cell_buckets, w.step
    keeper, release, left = w.keeper, w.release, s.left
    for line in sequence:
        own = w.holder[line]
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            rest = min(units[arc], room_of(w, s, arc, line)) if units[arc] > 0 else 0
            first, last = cell_buckets[arc_cell[arc]], cell_buckets[arc_cell[arc] + 1]
            taken = 0
            while taken < rest:
                source, least = first, np.int64(2**60)
                for bucket in range(first, last):
                    if step[bucket] > arc_step[arc] or left[bucket] <= 0:
                        continue
                    price = lots[bucket]
                    if keeper[bucket] >= 0 and keeper[bucket] != own:
                        if release[bucket] < 0:
                            continue
                        price += release[bucket] * SCALE
                    # At one price the line's own units go first, then the latest.
                    price = 2 * price - (keeper[bucket] >= 0 and keeper[bucket] == own)
                    if price < least or (price == least and step[bucket] > step[source]):
                        source, least = bucket, price
                part = min(rest - taken, left[source])
                left[source] -= part
                s.draws[w.pairs[arc] + source - first] += part
                taken += part
            if taken > 0:
                s.units[arc] += taken
                use_rows(w, s, arc, taken)
                count_units(w, s, line, taken)


@jit
def _worth(w: Any, s: Any, orders: Any) -> int:
    total = -s.penalty[0]
    for order in orders:
        total += worth_of(w, s, order)
    return total


@jit
def _lift(w: Any, s: Any, lines: Any, columns: Any) -> Any:
    """Take lines off the plan; return their units per pair of arc and bucket."""
    size = 0
    for line in lines:
        size += columns[line]
    kept, count = np.zeros(size, np.int64), 0
    for line in lines:
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            first = w.cell_buckets[w.arc_cell[arc]]
            for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                kept[count] = s.draws[pair]
                s.left[first + pair - w.pairs[arc]] += s.draws[pair]
                s.draws[pair] = 0
                count += 1
            if s.units[arc] > 0:
                use_rows(w, s, arc, -s.units[arc])
                count_units(w, s, line, -s.units[arc])
                s.units[arc] = 0
    return kept


@jit
def _lower(w: Any, s: Any, lines: Any, kept: Any) -> None:
    """Put lines that are off the plan on it, as many of the given units per pair as there is room for."""
    count = 0
    for line in lines:
        for arc in range(w.line_arcs[line], w.line_arcs[line + 1]):
            first = w.cell_buckets[w.arc_cell[arc]]
            for pair in range(w.pairs[arc], w.pairs[arc + 1]):
                bucket = first + pair - w.pairs[arc]
                amount = min(kept[count], s.left[bucket])
                count += 1
                if amount <= 0:
                    continue
                amount = min(amount, room_of(w, s, arc, line))
                s.left[bucket] -= amount
                s.draws[pair] += amount
                s.units[arc] += amount
                use_rows(w, s, arc, amount)
                count_units(w, s, line, amount)
