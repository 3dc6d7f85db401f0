"""One policy against the history: day by day, greedy, SKU by SKU (nothing that is simulated joins two SKUs).

A SKU is only looked at on days on which something can move: new lines, new stock, or reservations filled up again.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.replay.history import History
from optimizer.replay.policy import Place, Policy

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a policy shipped.

    Attributes:
        filled: Units per line of the history.
        on_time: Of these, units that arrived by the needed day.
        shipped: Units per SKU and node.
    """

    filled: Ints
    on_time: Ints
    shipped: dict[Place, int]


@dataclass(slots=True)
class _Line:
    line: int
    channel: str
    quantity: int
    captured_day: int
    give_up_day: int
    on_time_day: int
    is_split: bool
    nodes: tuple[str, ...]


@dataclass(slots=True)
class _Cell:
    """Stock of a SKU at a node: `kept` and `pool` share out today's stock, `left` is what rules may still keep."""

    safety: int
    reserved: dict[str, int]
    buffers: dict[str, int]
    stock: int = 0
    shipped: int = 0
    pool: int = 0
    left: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    def share_out(self) -> None:
        """Cover safety stock first, then the channels in the order of their rules; the rest is for everyone."""
        free = max(0, self.stock - self.safety)
        for channel, wanted in self.left.items():
            self.kept[channel] = min(free, wanted)
            free -= self.kept[channel]
        self.pool = free

    def available(self, channel: str) -> int:
        """Return the units that a channel may take now."""
        extra = max(0, self.buffers.get(channel, 0) - self.safety)
        return max(0, self.kept.get(channel, 0) + self.pool - extra)

    def take(self, channel: str, units: int) -> None:
        """Ship units to a channel, its own reservation first."""
        own = min(self.kept.get(channel, 0), units)
        if own:
            self.kept[channel] -= own
            self.left[channel] -= own
        self.pool -= units - own
        self.stock -= units
        self.shipped += units

    @property
    def is_spent(self) -> bool:
        """Whether nobody can take anything more today."""
        return self.pool == 0 and not any(self.kept.values())


def simulate(history: History, policy: Policy, *, lead_days: int, refill_days: int) -> Outcome:
    """Return what the policy would have shipped."""
    filled = np.zeros(history.lines.height, dtype=np.int64)
    on_time = np.zeros(history.lines.height, dtype=np.int64)
    shipped: dict[Place, int] = {}
    supply = _supply_by_sku(history)
    lines = _lines_by_sku(history, policy, supply, lead_days=lead_days)
    for sku, waiting in lines.items():
        incoming = supply.get(sku, {})
        cells = {node: _cell(policy, (sku, node)) for node in sorted({node for node, _ in _flat(incoming)})}
        if cells:
            _run_sku(waiting, incoming, cells, filled, on_time, last_day=history.last_day, refill_days=refill_days)
        shipped |= {(sku, node): cell.shipped for node, cell in cells.items()}
    return Outcome(filled, on_time, shipped)


_Incoming = dict[int, list[tuple[str, int]]]
"""Day → nodes and units that arrive."""
_Ordered = tuple[int, int, _Line]
"""Rank and place in the history, which together order the queue, and the line."""


def _flat(incoming: _Incoming) -> list[tuple[str, int]]:
    return [arrival for arrivals in incoming.values() for arrival in arrivals]


def _supply_by_sku(history: History) -> dict[str, _Incoming]:
    found: dict[str, _Incoming] = {}
    for sku, node_id, day, quantity in history.supply.iter_rows():
        found.setdefault(sku, {}).setdefault(day, []).append((node_id, quantity))
    return found


def _lines_by_sku(
    history: History, policy: Policy, supply: dict[str, _Incoming], *, lead_days: int
) -> dict[str, list[_Ordered]]:
    nodes = {sku: tuple(sorted({node for node, _ in _flat(incoming)})) for sku, incoming in supply.items()}
    never = history.last_day + lead_days
    found: dict[str, list[_Ordered]] = {}
    ranks: dict[tuple[str, str, int], int] = {}
    columns = ("line", "sku", "channel", "priority_rank", "captured_day", "need_day", "give_up_day", "quantity")
    for line, sku, channel, given, captured, need, give_up, quantity in history.lines.select(columns).iter_rows():
        asked = (channel, sku, given)
        if asked not in ranks:
            ranks[asked] = policy.rank(*asked)
        route, there = policy.route(channel), nodes.get(sku, ())
        usable = there if route.nodes is None else tuple(node for node in route.nodes if node in there)
        by_day = (never if need is None else need) - lead_days
        entry = _Line(line, channel, quantity, captured, give_up, by_day, route.is_split, usable)
        found.setdefault(sku, []).append((ranks[asked], line, entry))
    return found


def _cell(policy: Policy, place: Place) -> _Cell:
    reserved = policy.reserved.get(place, {})
    return _Cell(policy.safety.get(place, 0), reserved, policy.buffers.get(place, {}), left=dict(reserved))


def _run_sku(
    lines: list[_Ordered],
    incoming: _Incoming,
    cells: dict[str, _Cell],
    filled: Ints,
    on_time: Ints,
    *,
    last_day: int,
    refill_days: int,
) -> None:
    arrivals = {day: list(group) for day, group in groupby(lines, key=lambda entry: entry[2].captured_day)}
    is_reserved = any(cell.reserved for cell in cells.values())
    refills = set(range(0, last_day + 1, refill_days)) if is_reserved else set()
    queue: list[_Ordered] = []
    for day in sorted(arrivals.keys() | incoming.keys() | refills):
        for node, quantity in incoming.get(day, ()):
            cells[node].stock += quantity
        if day in refills:
            for cell in cells.values():
                cell.left = dict(cell.reserved)
        for entry in arrivals.get(day, ()):
            insort(queue, entry, key=lambda item: item[:2])
        if queue:
            queue = _serve(queue, cells, day, filled, on_time)


def _serve(queue: list[_Ordered], cells: dict[str, _Cell], day: int, filled: Ints, on_time: Ints) -> list[_Ordered]:
    """Serve the queue in its order and return who still waits."""
    for cell in cells.values():
        cell.share_out()
    waiting: list[_Ordered] = []
    for position, entry in enumerate(queue):
        if all(cell.is_spent for cell in cells.values()):
            waiting.extend(queue[position:])
            break
        line = entry[2]
        if day > line.give_up_day:
            continue
        taken = _ship(line, cells)
        if taken:
            line.quantity -= taken
            filled[line.line] += taken
            on_time[line.line] += taken if day <= line.on_time_day else 0
        if line.quantity:
            waiting.append(entry)
    return waiting


def _ship(line: _Line, cells: dict[str, _Cell]) -> int:
    taken = 0
    for node in line.nodes:
        units = min(cells[node].available(line.channel), line.quantity - taken)
        if units == 0 or (not line.is_split and units < line.quantity):
            continue
        cells[node].take(line.channel, units)
        taken += units
        if taken == line.quantity:
            break
    return taken


def stock_frame(history: History, a: Outcome, b: Outcome) -> pl.DataFrame:
    """Return what became of the stock: one row per SKU and node: supplied, shipped_a, left_a, shipped_b, left_b."""
    supplied = history.supply.group_by("sku", "node_id").agg(pl.col("quantity").sum().alias("supplied"))
    for side, outcome in (("a", a), ("b", b)):
        rows = [(sku, node, units) for (sku, node), units in outcome.shipped.items()]
        schema = {"sku": pl.String, "node_id": pl.String, f"shipped_{side}": pl.Int64}
        shipped = pl.DataFrame(rows, schema=schema, orient="row")
        supplied = supplied.join(shipped, on=["sku", "node_id"], how="left").with_columns(
            pl.col(f"shipped_{side}").fill_null(0)
        )
        supplied = supplied.with_columns((pl.col("supplied") - pl.col(f"shipped_{side}")).alias(f"left_{side}"))
    return supplied.sort("sku", "node_id")
