"""What is left while a plan is made one decision at a time: units per cell and step, node days, carrier days.

Belongs here: the one bookkeeping of stock, reserves and capacity that every rule-based plan uses. Not here: who goes
first (baseline.py).
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import polars as pl

from optimizer.allocation.plan import Problem
from optimizer.allocation.stock import Ints

_PLENTY = 2**62


class Shelf:
    """Mutable rest of supply and capacity; `take` reduces it, `rewind` undoes what was taken since `mark`."""

    def __init__(self, problem: Problem) -> None:
        stock = problem.stock
        self._ends = np.repeat(stock.starts[1:], np.diff(stock.starts))
        self._begins = np.repeat(stock.starts[:-1], np.diff(stock.starts))
        self._slack = stock.pool.copy()
        self._own = [kept.copy() for kept in stock.reserved]
        self._left: dict[Hashable, int] = {}
        self._keys = _capacity_keys(problem, self._left)
        frame = problem.arcs.frame
        self._row = frame["row"].to_list()
        self._holder = frame["holder_id"].to_list()
        self._taken: list[tuple[int, int, Ints, Ints | None]] = []

    def available(self, arc: int) -> int:
        """Return how many units could still be put on an arc."""
        row = self._row[arc]
        rest = self._slack[row : self._ends[row]]
        own = self._own_rest(arc)
        units = int((rest if own is None else rest + own).min())
        return min(units, *(self._left.get(key, _PLENTY) for key in self._keys[arc]))

    def _own_rest(self, arc: int) -> Ints | None:
        row, holder = self._row[arc], self._holder[arc]
        return None if holder < 0 else self._own[holder][row - self._begins[row] :]

    def take(self, arc: int, units: int) -> None:
        """Put units on an arc; the caller has asked `available` first."""
        row = self._row[arc]
        rest, own = self._slack[row : self._ends[row]], self._own_rest(arc)
        self._taken.append((arc, units, rest.copy(), None if own is None else own.copy()))
        if own is None:
            rest -= units
        else:
            kept = np.minimum(own, units)
            own -= kept
            rest -= units - kept
        for key in self._keys[arc]:
            if key in self._left:
                self._left[key] -= units

    def mark(self) -> int:
        """Return a point to rewind to."""
        return len(self._taken)

    def rewind(self, mark: int) -> None:
        """Undo everything taken since the mark."""
        while len(self._taken) > mark:
            arc, units, rest, own = self._taken.pop()
            row = self._row[arc]
            self._slack[row : self._ends[row]] = rest
            now = self._own_rest(arc)
            if now is not None and own is not None:
                now[:] = own
            for key in self._keys[arc]:
                if key in self._left:
                    self._left[key] += units


def _capacity_keys(problem: Problem, left: dict[Hashable, int]) -> list[tuple[Hashable, Hashable]]:
    limits = dict(problem.data.nodes.select("node_id", "daily_capacity_units").drop_nulls().iter_rows())
    keys: list[tuple[Hashable, Hashable]] = []
    columns = problem.arcs.frame.select("node_id", "day", "cap", "ship_date", pl.col("cap_units").fill_null(0))
    for node_id, day, cap, ship_date, units in columns.iter_rows():
        keys.append(((node_id, day), (cap, ship_date)))
        if node_id in limits:
            left.setdefault((node_id, day), limits[node_id])
        if cap >= 0:
            left.setdefault((cap, ship_date), units)
    return keys
