"""Stock by node and SKU: what is on hand, given away, on quality hold, kept for a channel; and its replenishment.

The live allocation rules (reservations, safety stock) act here. A reservation keeps units of a node's stock for one
channel: the others may only take what lies above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from pipelines.simulator.catalogue import SKUS, WHOLESALE_ASSORTMENT
from pipelines.simulator.clock import HOUR, add_working_days, monday_of, weekday, zone
from pipelines.simulator.company import NODES, PREFERENCE, RETAILERS, WHOLESALE, ZONE
from pipelines.simulator.demand import (
    CONSUMER_UNITS_PER_ORDER,
    UNITS_PER_PURCHASE_ORDER,
    Scale,
    consumer_shares,
    week_factor,
    wholesale_shares,
)
from pipelines.simulator.draws import Draws
from pipelines.simulator.faults import (
    DELAYED_SKUS,
    INBOUND_DELAY,
    MIS_SET_RESERVATION,
    OUT_OF_STOCK,
    OUT_OF_STOCK_SKU,
    STARVED_SKUS,
)
from pipelines.simulator.geography import STATES
from pipelines.simulator.model import ShortReason

REVIEW_DAYS: Final = 14
LEAD_WORKING_DAYS: Final = 12
COVER_DAYS: Final = 21


@dataclass(slots=True, eq=False)
class Receipt:
    """An inbound receipt line."""

    receipt_id: str
    sku: int
    node: int
    quantity: int
    expected_day: int
    arrives_day: int
    noted_at: int
    confirmed: bool = False
    quantity_received: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptNews:
    """A row of the receipts file: what was known of a receipt at an instant."""

    noted_at: int
    receipt: Receipt
    expected_at: int
    confirmed: bool
    checked_in_at: int = 0
    received_at: int = 0
    quantity_received: int = 0


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
        return (
            self.on_hand[node][sku] - self.allocated[node][sku] - self.quarantine[node][sku] - self.safety[node][sku]
        )

    def available(self, channel: int, node: int, sku: int) -> int:
        """Return units that a channel may take."""
        free = self.free(node, sku)
        return free if channel == WHOLESALE else free - self.reserved[node][sku]

    def why_short(self, nodes: tuple[int, ...], sku: int, units: int) -> ShortReason:
        """Return why units could not be given: kept for another channel, or not there."""
        return "channel_reserved" if any(self.free(node, sku) >= units for node in nodes) else "no_stock"


def _cells(value: int) -> list[list[int]]:
    return [[value] * len(SKUS) for _ in NODES]


def _consumer_node_shares() -> list[float]:
    shares = [0.0] * len(NODES)
    total = sum(state.weight for state in STATES)
    for state in STATES:
        shares[PREFERENCE[state.lane_zone][0]] += state.weight / total
    return shares


def _wholesale_node_shares() -> list[float]:
    shares = [0.0] * len(NODES)
    for retailer in RETAILERS:
        for _, _, node in retailer.centres:
            shares[node] += retailer.share / len(retailer.centres)
    return shares


CONSUMER_NODE_SHARES: Final = _consumer_node_shares()
WHOLESALE_NODE_SHARES: Final = _wholesale_node_shares()


class Forecast:
    """The planner's view of mean demand a day by node and SKU."""

    def __init__(self, scale: Scale) -> None:
        self._consumer_units = scale.consumer_per_day * CONSUMER_UNITS_PER_ORDER
        self._wholesale_units = scale.wholesale_per_day * UNITS_PER_PURCHASE_ORDER
        self._wholesale = wholesale_shares()
        self._shares: dict[int, list[float]] = {}

    def consumer(self, node: int, sku: int, day: int) -> float:
        """Return expected consumer units a day."""
        week = day // 7
        if week not in self._shares:
            self._shares = {week: consumer_shares(day)}
        return self._consumer_units * self._shares[week][sku] * CONSUMER_NODE_SHARES[node] * week_factor(day)

    def wholesale(self, node: int, sku: int) -> float:
        """Return expected wholesale units a day."""
        return self._wholesale_units * self._wholesale.get(sku, 0.0) * WHOLESALE_NODE_SHARES[node]

    def cover(self, node: int, sku: int, day: int, days: float) -> int:
        """Return units that cover the demand of so many days with usual luck."""
        consumer = self.consumer(node, sku, day) * days
        wholesale = self.wholesale(node, sku) * days
        spread = math.sqrt(1.6 * consumer + 2.2 * SKUS[sku].pack * 1.7 * wholesale)
        return math.ceil(consumer + wholesale + 1.45 * spread)

    def node_units(self, node: int) -> float:
        """Return mean units that a node ships a day."""
        return (
            self._consumer_units * CONSUMER_NODE_SHARES[node] + self._wholesale_units * WHOLESALE_NODE_SHARES[node]
        )


def open_stock(forecast: Forecast, first_day: int) -> Stock:
    """Return the stock of the first morning: about five weeks of cover."""
    on_hand = [
        [_cases_up(forecast.cover(node.index, sku.index, first_day, 32), sku.pack) for sku in SKUS] for node in NODES
    ]
    safety = [
        [int(0.8 * forecast.consumer(node.index, sku.index, first_day) + 0.35) for sku in SKUS] for node in NODES
    ]
    return Stock(on_hand, safety)


def plan_reservations(forecast: Forecast, first_day: int) -> list[Reservation]:
    """Return the live channel reservations: a week of wholesale demand of key SKUs, and the mis-set ones."""
    rows = []
    fault_day = monday_of(MIS_SET_RESERVATION.from_week)
    for sku in WHOLESALE_ASSORTMENT[:40]:
        for node in NODES:
            usual = _cases_up(round(7 * forecast.wholesale(node.index, sku)), SKUS[sku].pack)
            if sku in STARVED_SKUS:
                huge = _cases_up(forecast.cover(node.index, sku, first_day, 60), 1) * SKUS[sku].pack
                if usual:
                    rows.append(Reservation(sku, node.index, WHOLESALE, usual, first_day, fault_day - 1))
                rows.append(Reservation(sku, node.index, WHOLESALE, huge, fault_day, 0))
            elif usual:
                rows.append(Reservation(sku, node.index, WHOLESALE, usual, first_day, 0))
    return rows


def _cases_up(units: int, pack: int) -> int:
    return -(-units // pack) * pack


class Replenishment:
    """Orders, delays and receives inbound goods."""

    def __init__(self, stock: Stock, forecast: Forecast, seed: int) -> None:
        self._stock = stock
        self._forecast = forecast
        self._draws = Draws(seed, 3)
        self._arriving: dict[int, list[Receipt]] = {}
        self._news: dict[int, list[ReceiptNews]] = {}
        self._quality: dict[int, list[tuple[int, int, int]]] = {}
        self._pending: dict[tuple[int, int], list[Receipt]] = {}
        self._count = 0

    def morning(self, day: int) -> list[ReceiptNews]:
        """Run a day: put away yesterday's arrivals, place and confirm orders. Return the news of the day."""
        self._put_away(day - 1)
        for node, sku, units in self._quality.pop(day, []):
            self._stock.quarantine[node][sku] -= min(units, self._stock.quarantine[node][sku])
        if OUT_OF_STOCK.covers(day):
            self._hold_batch()
        if weekday(day) <= 5:
            self._review(day)
        return self._news.pop(day, [])

    def _put_away(self, day: int) -> None:
        for receipt in self._arriving.pop(day, []):
            node, sku = receipt.node, receipt.sku
            self._pending[node, sku].remove(receipt)
            self._stock.on_hand[node][sku] += receipt.quantity_received
            self._stock.on_order[node][sku] -= receipt.quantity
            if self._draws.chance(0.04):
                units = max(1, receipt.quantity_received // 10)
                self._stock.quarantine[node][sku] += units
                self._quality.setdefault(day + 8, []).append((node, sku, units))

    def _hold_batch(self) -> None:
        for node in range(len(NODES)):
            sku = OUT_OF_STOCK_SKU
            self._stock.quarantine[node][sku] = self._stock.on_hand[node][sku] - self._stock.allocated[node][sku]

    def _review(self, day: int) -> None:
        stock, forecast = self._stock, self._forecast
        for node in range(len(NODES)):
            for sku in range(len(SKUS)):
                if (sku + 5 * node) % REVIEW_DAYS not in _review_slots(day):
                    continue
                position = stock.free(node, sku) + stock.on_order[node][sku] - stock.committed[node][sku]
                ahead = day + LEAD_WORKING_DAYS
                reorder = forecast.cover(node, sku, ahead, LEAD_WORKING_DAYS * 1.4 + REVIEW_DAYS)
                if position <= reorder:
                    target = forecast.cover(node, sku, ahead, LEAD_WORKING_DAYS * 1.4 + REVIEW_DAYS + COVER_DAYS)
                    self._place(node, sku, _cases_up(target - position, SKUS[sku].pack), day)

    def _place(self, node: int, sku: int, quantity: int, day: int) -> None:
        draws = self._draws
        self._count += 1
        expected = add_working_days(day, LEAD_WORKING_DAYS + draws.whole(-2, 3))
        slip = draws.whole(2, 9) if draws.chance(0.10) else draws.whole(0, 1)
        arrives, expected = self._fault_days(sku, expected, add_working_days(expected, slip))
        noted = zone(ZONE).at(day, 9 * HOUR + draws.between(0, 7 * HOUR))
        receipt = Receipt(f"RCV{self._count:07d}", sku, node, quantity, expected, arrives, noted)
        short = draws.chance(0.03)
        receipt.quantity_received = max(1, int(quantity * draws.between(0.85, 0.98))) if short else quantity
        self._stock.on_order[node][sku] += quantity
        self._arriving.setdefault(arrives, []).append(receipt)
        self._pending.setdefault((node, sku), []).append(receipt)
        self._announce(receipt, day)

    @staticmethod
    def _fault_days(sku: int, expected: int, arrives: int) -> tuple[int, int]:
        if sku == OUT_OF_STOCK_SKU and arrives >= monday_of("2026-W36"):
            late = monday_of(OUT_OF_STOCK.to_week) + 7 + 8
            return max(arrives, late + sku % 3), expected
        if sku in DELAYED_SKUS and arrives >= monday_of(INBOUND_DELAY.from_week):
            late = monday_of(INBOUND_DELAY.to_week) + 7 + 2
            return max(arrives, add_working_days(late + sku % 7, 0)), expected
        return arrives, expected

    def _announce(self, receipt: Receipt, day: int) -> None:
        """Put the news of a receipt on the days on which they become known."""
        clock, draws = zone(NODES[receipt.node].zone), self._draws
        noon = clock.at(receipt.expected_day, 12 * HOUR)
        self._tell(day, ReceiptNews(receipt.noted_at, receipt, noon, confirmed=False))
        confirm_day = day + draws.whole(3, 6)
        confirmed_at = zone(ZONE).at(confirm_day, 10 * HOUR + draws.between(0, 6 * HOUR))
        self._tell(confirm_day, ReceiptNews(confirmed_at, receipt, noon, confirmed=True))
        if receipt.arrives_day > receipt.expected_day + 1:
            slip_day = max(confirm_day, min(receipt.expected_day, day + 10)) + 1
            slip_at = zone(ZONE).at(slip_day, 11 * HOUR + draws.between(0, 5 * HOUR))
            new = clock.at(receipt.arrives_day, 12 * HOUR)
            self._tell(slip_day, ReceiptNews(slip_at, receipt, new, confirmed=True))
        checked_in = clock.at(receipt.arrives_day, 6 * HOUR + draws.between(0, 2 * HOUR))
        received = checked_in + int(draws.between(1.2, 7.5) * HOUR)
        expected = clock.at(receipt.arrives_day, 12 * HOUR)
        self._tell(
            receipt.arrives_day,
            ReceiptNews(
                received, receipt, expected, confirmed=True, checked_in_at=checked_in, received_at=received,
                quantity_received=receipt.quantity_received,
            ),
        )  # fmt: skip

    def _tell(self, day: int, news: ReceiptNews) -> None:
        self._news.setdefault(day, []).append(news)

    def inbound_before(self, node: int, sku: int, day: int) -> int:
        """Return units expected at a node by a day."""
        return sum(
            receipt.quantity for receipt in self._pending.get((node, sku), ()) if receipt.expected_day <= day
        )


def _review_slots(day: int) -> tuple[int, ...]:
    # Weekend slots are reviewed on Friday, so that every SKU has its turn in each fortnight.
    slot = day % REVIEW_DAYS
    return (slot, (slot + 1) % REVIEW_DAYS, (slot + 2) % REVIEW_DAYS) if weekday(day) == 5 else (slot,)
