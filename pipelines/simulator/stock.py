"""Stock by node and SKU: what is on hand, given away, on quality hold, kept for a channel.

The live allocation rules (reservations, safety stock) act here. A reservation keeps units of a node's stock for one
channel: the others may only take what lies above it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.simulator.catalogue import SKUS, WHOLESALE_ASSORTMENT
from pipelines.simulator.clock import monday_of
from pipelines.simulator.company import NODES, WHOLESALE
from pipelines.simulator.faults import MIS_SET_RESERVATION, STARVED_SKUS
from pipelines.simulator.forecast import Forecast, cases_up
from pipelines.simulator.model import ShortReason


@dataclass(frozen=True, slots=True)
class Reservation:
    """A row of the channel reservations: first and last day it is live; 0 = open."""

    sku: int
    node: int
    channel: int
    quantity: int
    first_day: int
    last_day: int


@dataclass(slots=True)
class Stock:
    """Stock cells as lists by node, then SKU."""

    on_hand: list[list[int]]
    safety: list[list[int]]
    allocated: list[list[int]] = field(default_factory=lambda: _cells(0))
    quarantine: list[list[int]] = field(default_factory=lambda: _cells(0))
    reserved: list[list[int]] = field(default_factory=lambda: _cells(0))
    on_order: list[list[int]] = field(default_factory=lambda: _cells(0))
    committed: list[list[int]] = field(default_factory=lambda: _cells(0))

    def free(self, node: int, sku: int) -> int:
        """Return sellable units that no order has, whoever they are kept for."""
        return self.on_hand[node][sku] - self.allocated[node][sku] - self.quarantine[node][sku] - self.safety[node][sku]

    def available(self, channel: int, node: int, sku: int) -> int:
        """Return units that a channel may take."""
        free = self.free(node, sku)
        return free if channel == WHOLESALE else free - self.reserved[node][sku]

    def why_short(self, nodes: tuple[int, ...], sku: int, units: int) -> ShortReason:
        """Return why units could not be given: kept for another channel, or not there."""
        return "channel_reserved" if any(self.free(node, sku) >= units for node in nodes) else "no_stock"


def _cells(value: int) -> list[list[int]]:
    return [[value] * len(SKUS) for _ in NODES]


def open_stock(forecast: Forecast, first_day: int) -> Stock:
    """Return the stock of the first morning: about five weeks of cover."""
    on_hand = [
        [cases_up(forecast.cover(node.index, sku.index, first_day, 32), sku.pack) for sku in SKUS] for node in NODES
    ]
    safety = [[int(0.8 * forecast.consumer(node.index, sku.index, first_day) + 0.35) for sku in SKUS] for node in NODES]
    return Stock(on_hand, safety)


def plan_reservations(forecast: Forecast, first_day: int) -> list[Reservation]:
    """Return the live channel reservations: a week of wholesale demand of key SKUs, and the mis-set ones."""
    rows = []
    fault_day = monday_of(MIS_SET_RESERVATION.from_week)
    for sku in WHOLESALE_ASSORTMENT[:40]:
        for node in NODES:
            usual = cases_up(round(7 * forecast.wholesale(node.index, sku)), SKUS[sku].pack)
            if sku in STARVED_SKUS:
                huge = cases_up(forecast.cover(node.index, sku, first_day, 60), 1) * SKUS[sku].pack
                if usual:
                    rows.append(Reservation(sku, node.index, WHOLESALE, usual, first_day, fault_day - 1))
                rows.append(Reservation(sku, node.index, WHOLESALE, huge, fault_day, 0))
            elif usual:
                rows.append(Reservation(sku, node.index, WHOLESALE, usual, first_day, 0))
    return rows
