"""Nodes: which day a release is picked, the queue against daily capacity, pick, pack and dispatch."""

from __future__ import annotations

import math
from typing import Final

from pipelines.simulator.clock import HOUR, MINUTE, weekday, zone
from pipelines.simulator.company import FREIGHT, Node
from pipelines.simulator.draws import Draws, cumulate
from pipelines.simulator.faults import TPL_SLIP
from pipelines.simulator.model import Shipment
from pipelines.simulator.stock import Stock
from pipelines.simulator.transport import Transport

SHIFT_START: Final = 7 * HOUR
SHIFT_HOURS: Final = 8.5
SLIP_DAYS: Final = cumulate([20, 40, 15, 20, 5])
"""Shares of shipments that the planted 3PL fault delays by 0, 1, … operating days; the mean is 1.5."""


def operating_day(node: Node, day: int, *, after: int = 0) -> int:
    """Return the first operating day from `day` on, then `after` operating days later."""
    while True:
        while weekday(day) not in node.operating_days:
            day += 1
        if after == 0:
            return day
        after -= 1
        day += 1


def eligible_day(node: Node, released_at: int) -> int:
    """Return the day on which a release should be picked: the same day before cut-off, else the next."""
    clock = zone(node.zone)
    day = clock.local_day(released_at)
    late = clock.local_second(released_at) >= node.cut_off
    return operating_day(node, day + 1 if late and weekday(day) in node.operating_days else day)


def operating_days_between(node: Node, start: int, end: int) -> int:
    """Return the operating days in (start, end]."""
    return sum(1 for day in range(start + 1, end + 1) if weekday(day) in node.operating_days)


class Warehouse:
    """The queue of one node."""

    def __init__(self, node: Node, daily_units: float, transport: Transport, seed: int) -> None:
        self.node = node
        self.capacity = math.ceil((daily_units * 7 / len(node.operating_days) * 1.45 + 110) / 10) * 10
        self._transport = transport
        self._draws = Draws(seed, 10 + node.index)
        self._clock = zone(node.zone)
        self._due: dict[int, list[Shipment]] = {}
        self._carry: list[Shipment] = []
        self._dock: list[Shipment] = []

    def release(self, shipment: Shipment) -> None:
        """Put a shipment into the queue."""
        shipment.eligible_day = eligible_day(self.node, shipment.released_at)
        if self.node.node_id == TPL_SLIP.scope["node_id"] and TPL_SLIP.covers(shipment.eligible_day):
            shipment.slip_days = self._draws.index(SLIP_DAYS)
        start = operating_day(self.node, shipment.eligible_day, after=shipment.slip_days)
        self._due.setdefault(start, []).append(shipment)

    def run_day(self, day: int, stock: Stock) -> list[Shipment]:
        """Work one day. Returns the shipments that left."""
        if weekday(day) not in self.node.operating_days:
            return []
        queue = self._carry + self._due.pop(day, [])
        queue.sort(key=lambda s: (s.service == "ground", s.released_at, s.shipment_id))
        self._carry = []
        used, picked = 0, self._dock
        self._dock = []
        for shipment in queue:
            if used and used + shipment.units > self.capacity:
                self._carry.append(shipment)
                continue
            self._pick(shipment, day, used / self.capacity)
            used += shipment.units
            picked.append(shipment)
        return self._dispatch(picked, day, stock)

    @property
    def in_progress(self) -> list[Shipment]:
        """Packed shipments that wait at the dock for a carrier that did not come."""
        return self._dock

    def _pick(self, shipment: Shipment, day: int, share: float) -> None:
        draws = self._draws
        shipment.pick_day = day
        start = self._clock.at(day, SHIFT_START + min(share, 1.0) * SHIFT_HOURS * HOUR + draws.between(0, 15 * MINUTE))
        start = max(start, shipment.released_at + int(draws.between(5, 25) * MINUTE))
        freight = shipment.service == FREIGHT
        pick = draws.between(25, 60) if freight else draws.between(6, 26)
        pack = draws.between(12, 30) if freight else draws.between(4, 14)
        # Whatever is picked today is packed before the carriers come.
        latest = self._clock.at(day, self.node.pick_up - 12 * MINUTE)
        start = min(start, latest - int((pick + pack) * MINUTE) - 5 * MINUTE)
        shipment.pick_started_at = start
        shipment.pick_completed_at = start + int(pick * MINUTE)
        shipment.packed_at = shipment.pick_completed_at + int(pack * MINUTE)
        shipment.label_at = shipment.packed_at + int(draws.between(1, 5) * MINUTE)
        self._transport.label(shipment)

    def _dispatch(self, packed: list[Shipment], day: int, stock: Stock) -> list[Shipment]:
        left = []
        for shipment in packed:
            if not self._transport.comes(shipment.node, shipment.carrier, day):
                shipment.missed_pickup = True
                self._dock.append(shipment)
                continue
            self._transport.depart(shipment, day)
            for line, units in shipment.lines:
                stock.on_hand[shipment.node][line.sku] -= units
                stock.allocated[shipment.node][line.sku] -= units
                line.shipped += units
            left.append(shipment)
        return left
