"""Plans without a solver: the rules most companies use, and the honest greedy that looks at money.

Both respect every constraint and every reservation; what may be broken at a price (commitments, thresholds) they do not
look at, except that lines go in the order of their allocation class. The rules are the yardstick of a plan's worth; the
better of the two is also the solver's starting point and the answer above the exact path's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import polars as pl

from optimizer.allocation.frames import CLASSES
from optimizer.allocation.plan import Plan, Problem
from optimizer.allocation.shelf import Shelf

_Load = tuple[str, int, str, str]


def rule_plan(problem: Problem) -> Plan:
    """Plan by class, priority, then first come first served, nearest node first, earliest day first.

    Nearest is the preferred node if the line names one, then the shortest transit, the lowest freight and the node's
    name.
    """
    arcs = problem.arcs.frame.with_row_index("arc").with_columns(
        (pl.col("arrival_date") - pl.col("ship_date")).alias("transit")
    )
    arcs = arcs.join(
        problem.data.lines.select("line", "priority_rank", "captured_at", "preferred_node_id", "allocation_class"),
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
    rank = pl.col("allocation_class").replace_strict(
        {name: place for place, name in enumerate(CLASSES)}, return_dtype=pl.Int64
    )
    urgency = arcs.with_columns(rank.alias("class")).unique("line")
    return _fill(
        problem,
        urgency.sort("class", "priority_rank", "captured_at", "order_id", "line_id", nulls_last=True)["line"].to_list(),
        _in_order(ranked),
    )


def value_plan(problem: Problem) -> Plan:
    """Plan by money: best gain per unit first, each line on the arc that gains most, the price of a split counted."""
    frame = problem.arcs.frame.with_row_index("arc")
    key = ["line", "order_id", "group", "quantity"]
    best = frame.group_by(key).agg(pl.col("gain_cents").max().alias("best"))
    together = (pl.col("best") * pl.col("quantity")).sum().over("order_id", "group")
    whole = together / pl.col("quantity").sum().over("order_id", "group")
    worth = pl.when(pl.col("group").is_not_null()).then(whole).otherwise(pl.col("best"))
    queue = best.with_columns(worth.alias("worth")).sort(["worth", "line"], descending=[True, False])
    return _fill(
        problem,
        queue["line"].to_list(),
        _in_order(frame.sort(["line", "gain_cents", "arc"], descending=[False, True, False])),
        by_value=True,
    )


def better_plan(problem: Problem, plans: Iterable[Plan], worth: Callable[[Problem, Plan], int]) -> Plan:
    """Return the plan of the highest objective, the first of equals."""
    return max(plans, key=lambda plan: worth(problem, plan))


def _in_order(arcs: pl.DataFrame) -> dict[int, list[int]]:
    rows = arcs.select("line", "arc").iter_rows()
    return {line: [arc for _, arc in group] for line, group in groupby(rows, key=lambda row: row[0])}


@dataclass(slots=True)
class _Line:
    """What the rules need to know of a line."""

    order: str
    group: str | None
    limit: int
    pack: int
    min_units: int
    max_nodes: int | None
    is_single_source: bool
    is_single_shipment: bool


@dataclass(slots=True)
class _Bundle:
    """Lines that are filled in one go: a line, a group, or all groups and lines of an order with a rule of its own."""

    lines: list[int] = field(default_factory=list)
    min_units: int = 0
    is_single_shipment: bool = False


def _fill(problem: Problem, queue: list[int], choices: dict[int, list[int]], *, by_value: bool = False) -> Plan:
    filler = _Filler(problem, choices, by_value=by_value)
    for bundle in filler.bundles(queue):
        filler.fill_bundle(bundle)
    return Plan(filler.units, np.zeros(problem.stock.holders.height, dtype=np.int64))


class _Filler:
    def __init__(self, problem: Problem, choices: dict[int, list[int]], *, by_value: bool) -> None:
        frame = problem.arcs.frame
        self.shelf = Shelf(problem)
        self.units = np.zeros(problem.arcs.count, dtype=np.int64)
        self._choices = choices
        self._by_value = by_value
        self._gain: list[int] = frame["gain_cents"].to_list()
        self._node: list[str] = frame["node_id"].to_list()
        self._load: list[_Load] = list(frame.select("node_id", "day", "carrier", "service").iter_rows())
        self._used: dict[str, dict[str, int]] = {}
        self._split = problem.data.options.weights.split_cents
        columns = ("order_id", "group", "limit", "pack_multiple", "min_units", "max_nodes")
        rows = problem.data.lines.select("line", *columns, "is_single_source", "is_single_shipment")
        self._lines = {line: _Line(*given) for line, *given in rows.iter_rows() if line in choices}

    def bundles(self, queue: list[int]) -> list[_Bundle]:
        """Return lines in turn; what is filled in one go stands where its first line stands."""
        found: dict[tuple[str, str], _Bundle] = {}
        for line in queue:
            rule = self._lines[line]
            is_order = rule.min_units > 0 or rule.is_single_shipment
            group = rule.group if rule.group is not None else f"#{line}"
            bundle = found.setdefault((rule.order, "" if is_order else group), _Bundle())
            bundle.lines.append(line)
            bundle.min_units = max(bundle.min_units, rule.min_units)
            bundle.is_single_shipment |= rule.is_single_shipment
        return list(found.values())

    def fill_bundle(self, bundle: _Bundle) -> None:
        """Fill a bundle as far as its rules allow, not at all where they forbid that."""
        if not bundle.is_single_shipment:
            self._fill_groups(bundle, None)
            return
        # By the load that ships most, the first of equals in the turn of the first line.
        loads = dict.fromkeys(self._load[arc] for line in bundle.lines for arc in self._choices[line])
        best: tuple[int, _Load] | None = None
        for load in loads:
            mark = self.shelf.mark()
            shipped = self._fill_groups(bundle, load)
            self._undo(mark, bundle.lines)
            if shipped and (best is None or shipped > best[0]):
                best = (shipped, load)
        if best is not None:
            self._fill_groups(bundle, best[1])

    def _fill_groups(self, bundle: _Bundle, load: _Load | None) -> int:
        """Fill the bundle's groups one by one; return the units shipped, 0 if they miss the minimum."""
        before = self.shelf.mark()
        groups: dict[str, list[int]] = {}
        for line in bundle.lines:
            groups.setdefault(self._lines[line].group or f"#{line}", []).append(line)
        for lines in groups.values():
            mark = self.shelf.mark()
            done = [self._fill_line(line, load) for line in lines]
            is_whole = self._lines[lines[0]].group is not None
            if is_whole and (not all(done) or (self._by_value and self._worth(lines) < 0)):
                self._undo(mark, lines)
        shipped = sum(int(self.units[arc]) for line in bundle.lines for arc in self._choices[line])
        if shipped < bundle.min_units:
            self._undo(before, bundle.lines)
            return 0
        return shipped

    def _fill_line(self, line: int, load: _Load | None) -> bool:
        """Ship as much of the line as its turn allows; tell whether that is all of it."""
        arcs = self._turn(line) if self._by_value else self._choices[line]
        arcs = [arc for arc in arcs if load is None or self._load[arc] == load]
        if not self._lines[line].is_single_source:
            return self._put(line, arcs)
        nodes = list(dict.fromkeys(self._node[arc] for arc in arcs))
        for node in nodes:
            mark = self.shelf.mark()
            own = [arc for arc in arcs if self._node[arc] == node]
            done = self._put(line, own)
            if done or (self._lines[line].group is None and any(self.units[arc] for arc in own)):
                return done
            self._undo(mark, [line])
        return False

    def _put(self, line: int, arcs: list[int]) -> bool:
        rule = self._lines[line]
        left = rule.limit
        for arc in arcs:
            units = min(left, self.shelf.available(arc))
            units -= units % rule.pack
            if units <= 0 or not self._may_use(rule, arc) or (self._by_value and not self._pays(line, arc, units)):
                continue
            self.shelf.take(arc, units)
            self.units[arc] += units
            left -= units
            used = self._used.setdefault(rule.order, {})
            used[self._node[arc]] = used.get(self._node[arc], 0) + units
            if not left:
                return True
        return False

    def _may_use(self, rule: _Line, arc: int) -> bool:
        used = self._used.get(rule.order, {})
        return rule.max_nodes is None or self._node[arc] in used or len(used) < rule.max_nodes

    def _undo(self, mark: int, lines: list[int]) -> None:
        """Take the lines' units since the mark off the plan again (they had none before it)."""
        self.shelf.rewind(mark)
        for line in lines:
            used = self._used.get(self._lines[line].order, {})
            for arc in self._choices[line]:
                if self.units[arc]:
                    used[self._node[arc]] -= int(self.units[arc])
                    if not used[self._node[arc]]:
                        del used[self._node[arc]]
                    self.units[arc] = 0

    def _turn(self, line: int) -> list[int]:
        """Order the line's arcs by what they would bring now, the price of a new node counted."""
        open_units = self._lines[line].limit

        def brings(arc: int) -> int:
            units = min(open_units, self.shelf.available(arc))
            worth: int = units * self._gain[arc] - self._opening(line, arc)
            return worth

        return sorted(self._choices[line], key=brings, reverse=True)

    def _opening(self, line: int, arc: int) -> int:
        used = self._used.get(self._lines[line].order, {})
        return self._split if used and self._node[arc] not in used else 0

    def _pays(self, line: int, arc: int, units: int) -> bool:
        # The lines of a group are judged together, in `_worth`.
        return self._lines[line].group is not None or units * self._gain[arc] > self._opening(line, arc)

    def _worth(self, lines: list[int]) -> int:
        """Return what the lines' arcs gain together, splits paid."""
        arcs = [arc for line in lines for arc in self._choices[line] if self.units[arc]]
        nodes = {self._node[arc] for arc in arcs}
        gained: int = sum(int(self.units[arc]) * self._gain[arc] for arc in arcs)
        return gained - self._split * (len(nodes) - 1)
