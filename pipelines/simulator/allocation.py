"""Gives stock to orders: nearest node that has everything, else line by line, else the line waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.company import EXPRESS, FREIGHT, GROUND, IRON, NODES, PREFERENCE, WHOLESALE
from pipelines.simulator.model import Line, Order, Shipment, ShortReason
from pipelines.simulator.stock import Stock

Groups = dict[int, list[tuple[Line, int]]]
"""Node → lines and units it ships."""

_ALL_NODES: Final = tuple(range(len(NODES)))


@dataclass(slots=True)
class Allocator:
    """The order management system's allocation under its live rules.

    Attributes:
        stock: Stock it gives away.
        release: Called with each new shipment.
        on_short: Called when a line has to wait for the first time.
        waiting: SKU → lines that wait, in the order in which they came up short.
    """

    stock: Stock
    release: Callable[[Shipment], None]
    on_short: Callable[[Order, Line, int], None]
    waiting: dict[int, list[tuple[Order, Line]]] = field(default_factory=dict)
    _count: int = 0

    def allocate(self, order: Order, at: int) -> None:
        """Give stock to a new order; what cannot be given waits."""
        lines = [line for line in order.lines if line.sku >= 0 and line.wanted > 0]
        groups = self._wholesale_groups(order, lines) if order.channel == WHOLESALE else self._groups(order, lines)
        self._ship(order, groups, at)
        for line in lines:
            if line.wanted > 0:
                self._wait(order, line, at)

    def retry(self, at: int) -> None:
        """Offer new stock to the lines that wait, oldest first."""
        chosen: dict[str, tuple[Order, Groups]] = {}
        for sku in sorted(self.waiting):
            if any(self.stock.free(node, sku) > 0 for node in _ALL_NODES):
                self._retry_sku(sku, chosen)
        for order, groups in chosen.values():
            self._ship(order, groups, at, take=False)

    def forget(self, order: Order, line: Line) -> None:
        """Take a line off the waiting list (cancelled or expired)."""
        entries = self.waiting.get(line.sku, [])
        self.waiting[line.sku] = [entry for entry in entries if entry[1] is not line]
        self.stock.committed[order.node][line.sku] -= line.wanted

    def _retry_sku(self, sku: int, chosen: dict[str, tuple[Order, Groups]]) -> None:
        left = []
        stuck: set[tuple[int, int]] = set()
        for order, line in self.waiting[sku]:
            # What one line could not have, the next of its kind cannot have either.
            kind = (WHOLESALE, order.node) if order.channel == WHOLESALE else (0, line.wanted)
            node, units = (0, 0) if kind in stuck else self._offer(order, line)
            if units:
                self._take(line, node, units)
                self.stock.committed[order.node][sku] -= units
                chosen.setdefault(order.order_id, (order, {}))[1].setdefault(node, []).append((line, units))
            else:
                stuck.add(kind)
            if line.wanted > 0:
                left.append((order, line))
        self.waiting[sku] = left

    def _offer(self, order: Order, line: Line) -> tuple[int, int]:
        """Return (node, units) that a waiting line can have now."""
        if order.channel == WHOLESALE:
            return order.node, self._case_units(order, line)
        for node in PREFERENCE[order.lane_zone]:
            if self.stock.available(order.channel, node, line.sku) >= line.wanted:
                return node, line.wanted
        return 0, 0

    def _case_units(self, order: Order, line: Line) -> int:
        available = max(0, self.stock.available(WHOLESALE, order.node, line.sku))
        pack = SKUS[line.sku].pack
        return line.wanted if available >= line.wanted else available // pack * pack

    def _wholesale_groups(self, order: Order, lines: list[Line]) -> Groups:
        given = [(line, self._case_units(order, line)) for line in lines]
        given = [(line, units) for line, units in given if units]
        return {order.node: given} if given else {}

    def _groups(self, order: Order, lines: list[Line]) -> Groups:
        nodes = PREFERENCE[order.lane_zone]
        stock, channel = self.stock, order.channel
        for node in nodes:
            if all(stock.available(channel, node, line.sku) >= line.wanted for line in lines):
                self._note_detour(order, lines, node)
                return {node: [(line, line.wanted) for line in lines]}
        groups: Groups = {}
        for line in lines:
            for node in nodes:
                if stock.available(channel, node, line.sku) >= line.wanted:
                    self._note_detour(order, [line], node)
                    groups.setdefault(node, []).append((line, line.wanted))
                    break
        return groups

    def _note_detour(self, order: Order, lines: list[Line], node: int) -> None:
        if node == order.node:
            return
        reasons: list[ShortReason] = [
            self.stock.why_short((order.node,), line.sku, line.wanted)
            for line in lines
            if self.stock.available(order.channel, order.node, line.sku) < line.wanted
        ]
        for line in lines:
            line.detour_reason = reasons[0] if reasons else ""

    def _take(self, line: Line, node: int, units: int) -> None:
        line.allocated += units
        self.stock.allocated[node][line.sku] += units

    def _ship(self, order: Order, groups: Groups, at: int, *, take: bool = True) -> None:
        for node, given in groups.items():
            if take:
                for line, units in given:
                    self._take(line, node, units)
            self.release(self._shipment(order, node, given, at))

    def _shipment(self, order: Order, node: int, given: list[tuple[Line, int]], at: int) -> Shipment:
        self._count += 1
        freight = order.channel == WHOLESALE
        shipment = Shipment(
            shipment_id=f"SH{self._count:08d}",
            order=order,
            node=node,
            lines=given,
            units=sum(units for _, units in given),
            released_at=at,
            carrier=IRON if freight else order.carrier,
            service=FREIGHT if freight else EXPRESS if order.express else GROUND,
        )
        for line, units in given:
            line.pieces.append((shipment, units))
        order.shipments.append(shipment)
        return shipment

    def _wait(self, order: Order, line: Line, at: int) -> None:
        nodes = (order.node,) if order.channel == WHOLESALE else PREFERENCE[order.lane_zone]
        line.waits_since = at
        line.short_reason = self.stock.why_short(nodes, line.sku, line.wanted)
        self.stock.committed[order.node][line.sku] += line.wanted
        self.waiting.setdefault(line.sku, []).append((order, line))
        self.on_short(order, line, at)
