"""What is left while a plan is made one decision at a time: stock, lots, reserves, limits, capacity, credit, doors.

Belongs here: the one bookkeeping of everything that units use up, which every rule-based plan uses. Not here: who goes
first and which orders ship whole (baseline.py).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl

from optimizer.allocation.model import dock_limits
from optimizer.allocation.plan import Problem
from optimizer.allocation.stock import Ints

_Load = tuple[int, str, int]


class Shelf:
    """Mutable rest of supply and capacity; `take` reduces it, `rewind` undoes what was taken since `mark`."""

    def __init__(self, problem: Problem) -> None:
        """Lay out what each arc draws on."""
        stock, frame = problem.stock, problem.arcs.frame
        self._ends = np.repeat(stock.starts[1:], np.diff(stock.starts))
        self._begins = np.repeat(stock.starts[:-1], np.diff(stock.starts))
        self._slack = stock.pool.copy()
        self._own = [kept.copy() for kept in stock.reserved]
        self._row = frame["row"].to_list()
        self._holder = frame["holder_id"].to_list()
        self._limits = _limits_of(problem)
        self._limit_left = [units.copy() for units in stock.limit_units]
        self._left = problem.resources.frame["limit"].to_numpy().astype(np.int64)
        self._uses: dict[int, list[tuple[int, int]]] = defaultdict(list)
        resources = problem.resources
        for arc, resource, use in zip(
            resources.arc.tolist(), resources.resource.tolist(), resources.use.tolist(), strict=True
        ):
            self._uses[arc].append((resource, use))
        self._lots = _lots_of(problem)
        self._lot_left = stock.lots["quantity"].to_numpy().astype(np.int64)
        self._loads, self._doors = _docks_of(problem)
        self._docked: dict[_Load, int] = defaultdict(int)
        self._taken: list[list[tuple[Ints, Ints]]] = []
        self._docked_by: list[_Load | None] = []

    def available(self, arc: int) -> int:
        """Return how many units could still be put on an arc."""
        row = self._row[arc]
        rest = self._slack[row : self._ends[row]]
        own = self._own_rest(arc)
        units = int((rest if own is None else rest + own).min())
        for limit in self._limits.get(arc, ()):
            units = min(units, int(self._limit_left[limit][row - self._begins[row] :].min()))
        if arc in self._lots:
            units = min(units, int(self._lot_left[self._lots[arc]].sum()))
        for resource, use in self._uses.get(arc, ()):
            units = min(units, int(self._left[resource]) // use if use else units)
        load = self._loads.get(arc)
        if load is not None and not self._docked[load] and not self._doors[load[1:]]:
            return 0
        return max(units, 0)

    def _own_rest(self, arc: int) -> Ints | None:
        row, holder = self._row[arc], self._holder[arc]
        return None if holder < 0 else self._own[holder][row - self._begins[row] :]

    def take(self, arc: int, units: int) -> None:
        """Put units on an arc; the caller has asked `available` first."""
        row = self._row[arc]
        changed: list[tuple[Ints, Ints]] = []

        def save(view: Ints) -> Ints:
            changed.append((view, view.copy()))
            return view

        rest, own = save(self._slack[row : self._ends[row]]), self._own_rest(arc)
        if own is None:
            rest -= units
        else:
            kept = np.minimum(save(own), units)
            own -= kept
            rest -= units - kept
        for limit in self._limits.get(arc, ()):
            view = save(self._limit_left[limit][row - self._begins[row] :])
            view -= units
        wanted = units
        for lot in self._lots.get(arc, ()):
            taken = min(wanted, int(self._lot_left[lot]))
            save(self._lot_left[lot : lot + 1])[:] -= taken
            wanted -= taken
        for resource, use in self._uses.get(arc, ()):
            save(self._left[resource : resource + 1])[:] -= units * use
        load = self._loads.get(arc)
        if load is not None:
            if not self._docked[load]:
                self._doors[load[1:]] -= 1
            self._docked[load] += 1
        self._taken.append(changed)
        self._docked_by.append(load)

    def mark(self) -> int:
        """Return a point to rewind to."""
        return len(self._taken)

    def rewind(self, mark: int) -> None:
        """Undo everything taken since the mark."""
        while len(self._taken) > mark:
            for view, before in reversed(self._taken.pop()):
                view[:] = before
            load = self._docked_by.pop()
            if load is not None:
                self._docked[load] -= 1
                if not self._docked[load]:
                    self._doors[load[1:]] += 1


def _limits_of(problem: Problem) -> dict[int, list[int]]:
    """Return the channel limits that each arc falls under."""
    found: dict[int, list[int]] = defaultdict(list)
    if problem.stock.limits.is_empty():
        return found
    arcs = problem.arcs.frame.with_row_index("arc").select(
        "arc", "cell", "channel", pl.col("customer_id").alias("buyer")
    )
    met = arcs.join(problem.stock.limits, on=["cell", "channel"], how="inner").filter(
        pl.col("customer_id").is_null() | (pl.col("customer_id") == pl.col("buyer")).fill_null(value=False)
    )
    for arc, limit in met.select("arc", "limit_id").iter_rows():
        found[arc].append(limit)
    return found


def _lots_of(problem: Problem) -> dict[int, list[int]]:
    """Return the lots each arc of a cell with dated lots may draw on, the one that expires first first."""
    found: dict[int, list[int]] = {}
    lots: dict[int, list[tuple[int, int, object]]] = defaultdict(list)
    columns = ("cell", "day", "expires_on")
    for lot, (cell, day, expires_on) in enumerate(problem.stock.lots.select(columns).iter_rows()):
        lots[cell].append((lot, day, expires_on))
    if not lots:
        return found
    days = problem.stock.steps["day"].to_list()
    for arc, (cell, row, until) in enumerate(problem.arcs.frame.select("cell", "row", "fresh_until").iter_rows()):
        if cell in lots:
            found[arc] = [lot for lot, day, expires_on in lots[cell] if day <= days[row] and expires_on >= until]
    return found


def _docks_of(problem: Problem) -> tuple[dict[int, _Load], dict[tuple[str, int], int]]:
    """Return the load of each arc that needs one of a limited number of appointments, and the doors of node days."""
    frame = problem.arcs.frame.with_row_index("arc").filter("needs_appointment")
    if frame.is_empty():
        return {}, {}
    met = frame.join(dock_limits(problem.data), on=["node_id", "ship_date"], how="inner")
    loads: dict[int, _Load] = {}
    doors: dict[tuple[str, int], int] = {}
    for arc, order, node_id, day, count in met.select("arc", "order", "node_id", "day", "doors").iter_rows():
        loads[arc] = (order, node_id, day)
        doors[node_id, day] = count
    return loads, doors
