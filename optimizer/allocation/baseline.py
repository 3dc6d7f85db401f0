"""Plans without a solver: the rules most companies use, and the honest greedy that looks at money.

Both respect every constraint and every reservation. The rules are the yardstick of a plan's worth; the better of the
two is also the solver's starting point and the answer above the exact path's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

import numpy as np
import polars as pl

from optimizer.allocation.plan import Plan, Problem
from optimizer.allocation.shelf import Shelf

_Take = Callable[[int], bool]


def rule_plan(problem: Problem) -> Plan:
    """Plan by priority, then first come first served, nearest node first, earliest day first.

    Nearest is the preferred node if the line names one, then the shortest transit, the lowest freight and the node's
    name.
    """
    arcs = problem.arcs.frame.with_row_index("arc").with_columns(
        (pl.col("arrival_date") - pl.col("ship_date")).alias("transit")
    )
    arcs = arcs.join(
        problem.data.lines.select("line", "line_id", "priority_rank", "captured_at", "preferred_node_id"),
        on="line",
        how="inner",
    )
    near = pl.col("transit").min().over("line", "node_id")
    dear = pl.col("gain_cents").max().over("line", "node_id")
    away = (pl.col("preferred_node_id") != pl.col("node_id")).fill_null(value=True)
    ranked = arcs.with_columns(near.alias("near"), dear.alias("dear"), away.alias("away")).sort(
        ["line", "away", "near", "dear", "node_id", "day", "gain_cents", "arc"],
        descending=[False, False, False, True, False, False, True, False],
    )
    urgency = arcs.select("order_id", "line", "priority_rank", "captured_at", "line_id", "is_complete").unique("line")
    return _fill(
        problem,
        _queue(urgency.sort("priority_rank", "captured_at", "order_id", "line_id", nulls_last=True)),
        _in_order(ranked),
    )


def value_plan(problem: Problem) -> Plan:
    """Plan by money: best gain per unit first, each line on the arc that gains most, the price of a split counted."""
    frame = problem.arcs.frame.with_row_index("arc")
    best = frame.group_by("line", "order_id", "is_complete", "quantity").agg(pl.col("gain_cents").max().alias("best"))
    whole = (pl.col("best") * pl.col("quantity")).sum().over("order_id") / pl.col("quantity").sum().over("order_id")
    worth = pl.when(pl.col("is_complete")).then(whole).otherwise(pl.col("best"))
    queue = _queue(best.with_columns(worth.alias("worth")).sort(["worth", "line"], descending=[True, False]))
    return _fill(
        problem,
        queue,
        _in_order(frame.sort(["line", "gain_cents", "arc"], descending=[False, True, False])),
        by_value=True,
    )


def better_plan(problem: Problem, plans: Iterable[Plan], worth: Callable[[Problem, Plan], int]) -> Plan:
    """Return the plan of the highest objective, the first of equals."""
    return max(plans, key=lambda plan: worth(problem, plan))


def _queue(lines: pl.DataFrame) -> list[tuple[bool, list[int]]]:
    """Return lines in turn; a ship-complete order stands whole where its first line stands."""
    queue: list[tuple[bool, list[int]]] = []
    complete: dict[str, list[int]] = {}
    for line, order_id, is_complete in lines.select("line", "order_id", "is_complete").iter_rows():
        if not is_complete:
            queue.append((False, [line]))
        elif order_id in complete:
            complete[order_id].append(line)
        else:
            complete[order_id] = [line]
            queue.append((True, complete[order_id]))
    return queue


def _in_order(arcs: pl.DataFrame) -> dict[int, list[int]]:
    rows = arcs.select("line", "arc").iter_rows()
    return {line: [arc for _, arc in group] for line, group in groupby(rows, key=lambda row: row[0])}


def _fill(
    problem: Problem, queue: list[tuple[bool, list[int]]], choices: dict[int, list[int]], *, by_value: bool = False
) -> Plan:
    filler = _Filler(problem, choices, by_value=by_value)
    for is_complete, lines in queue:
        mark = filler.shelf.mark()
        done = [filler.fill(line) for line in lines]
        if is_complete and (not all(done) or (by_value and filler.worth(lines) < 0)):
            filler.shelf.rewind(mark)
            filler.forget(lines)
    return Plan(filler.units, np.zeros(problem.stock.holders.height, dtype=np.int64))


class _Filler:
    def __init__(self, problem: Problem, choices: dict[int, list[int]], *, by_value: bool) -> None:
        self.shelf = Shelf(problem)
        self.units = np.zeros(problem.arcs.count, dtype=np.int64)
        self._choices = choices
        self._by_value = by_value
        self._gain: list[int] = problem.arcs.frame["gain_cents"].to_list()
        self._node: list[str] = problem.arcs.frame["node_id"].to_list()
        self._order: list[int] = problem.arcs.frame["order"].to_list()
        self._whole: list[bool] = problem.arcs.frame["is_complete"].to_list()
        self._open = dict(problem.arcs.frame.select("line", "quantity").iter_rows())
        self._nodes: dict[int, set[str]] = {}
        self._split = problem.data.options.weights.split_cents

    def fill(self, line: int) -> bool:
        """Ship as much of the line as its turn allows; tell whether that is all of it."""
        left = self._open[line]
        for arc in self._turn(line) if self._by_value else self._choices[line]:
            units = min(left, self.shelf.available(arc))
            if units <= 0 or (self._by_value and not self._pays(arc, units)):
                continue
            self.shelf.take(arc, units)
            self.units[arc] += units
            left -= units
            self._nodes.setdefault(self._order[arc], set()).add(self._node[arc])
            if not left:
                return True
        return False

    def _turn(self, line: int) -> list[int]:
        """Order the line's arcs by what they would bring now, the price of a new node counted."""
        open_units = self._open[line]

        def brings(arc: int) -> int:
            units = min(open_units, self.shelf.available(arc))
            worth: int = units * self._gain[arc] - self._opening(arc)
            return worth

        return sorted(self._choices[line], key=brings, reverse=True)

    def _opening(self, arc: int) -> int:
        used = self._nodes.get(self._order[arc], set())
        return self._split if used and self._node[arc] not in used else 0

    def _pays(self, arc: int, units: int) -> bool:
        # The lines of a ship-complete order are judged together, in `worth`.
        return self._whole[arc] or units * self._gain[arc] > self._opening(arc)

    def worth(self, lines: list[int]) -> int:
        """Return what the lines' arcs gain together, splits paid."""
        arcs = [arc for line in lines for arc in self._choices[line] if self.units[arc]]
        nodes = {self._node[arc] for arc in arcs}
        gained: int = sum(int(self.units[arc]) * self._gain[arc] for arc in arcs)
        return gained - self._split * (len(nodes) - 1)

    def forget(self, lines: list[int]) -> None:
        """Take the lines' units off the plan again."""
        for line in lines:
            for arc in self._choices[line]:
                self._nodes.pop(self._order[arc], None)
                self.units[arc] = 0
