"""Replenishment: inbound goods are ordered by forecast, announced, confirmed, delayed and received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import HOUR, add_working_days, monday_of, weekday, zone
from pipelines.simulator.company import NODES, ZONE
from pipelines.simulator.draws import Draws
from pipelines.simulator.faults import DELAYED_SKUS, INBOUND_DELAY, OUT_OF_STOCK, OUT_OF_STOCK_SKU
from pipelines.simulator.forecast import Forecast, cases_up
from pipelines.simulator.stock import Stock

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
                    self._place(node, sku, cases_up(target - position, SKUS[sku].pack), day)

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
        return sum(receipt.quantity for receipt in self._pending.get((node, sku), ()) if receipt.expected_day <= day)


def _review_slots(day: int) -> tuple[int, ...]:
    # Weekend slots are reviewed on Friday, so that every SKU has its turn in each fortnight.
    slot = day % REVIEW_DAYS
    return (slot, (slot + 1) % REVIEW_DAYS, (slot + 2) % REVIEW_DAYS) if weekday(day) == 5 else (slot,)
