"""The order process of the company, day by day: capture, allocation, release, pick, dispatch, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.simulator.agenda import Agenda
from pipelines.simulator.allocation import Allocator
from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import HOUR, MINUTE, monday_of, zone
from pipelines.simulator.company import NODES, WHOLESALE, ZONE
from pipelines.simulator.consumer import ConsumerDesk
from pipelines.simulator.demand import ConsumerDemand, Scale, WholesaleDemand
from pipelines.simulator.faults import MIS_SET_RESERVATION
from pipelines.simulator.finance import FinanceDesk
from pipelines.simulator.forecast import Forecast
from pipelines.simulator.inbound import Replenishment
from pipelines.simulator.journal import Journal, TrackerKind
from pipelines.simulator.model import Line, Order, Shipment
from pipelines.simulator.returns import ReturnsDesk
from pipelines.simulator.stock import Reservation, Stock, open_stock, plan_reservations
from pipelines.simulator.transport import Transport
from pipelines.simulator.truth import Miss, Tally, judge
from pipelines.simulator.warehouse import Warehouse
from pipelines.simulator.wholesale import EdiDesk, WholesaleDesk

RETRY_AT: Final = 8 * HOUR
WEBHOOK_DELAY: Final = 90
"""Seconds between a carrier's scan and the webhook about it."""


class Company:
    """All desks of the company, sharing one stock, one agenda and one journal."""

    def __init__(self, scale: Scale, journal: Journal, *, first_day: int, seed: int) -> None:
        self.journal = journal
        self.scale = scale
        self.first_day = first_day
        self.tally = Tally()
        self.misses: list[Miss] = []
        self.orders = 0
        self.lines = 0
        self._clock = zone(ZONE)
        forecast = Forecast(scale)
        self.stock: Stock = open_stock(forecast, first_day)
        self.reservations: list[Reservation] = plan_reservations(forecast, first_day)
        self.inbound = Replenishment(self.stock, forecast, seed)
        self._agenda = Agenda(self._clock, journal.end)
        self._transport = Transport(seed)
        self.warehouses = [Warehouse(node, forecast.node_units(node.index), self._transport, seed) for node in NODES]
        self._desk = ConsumerDesk(journal, self._agenda, self._transport, seed)
        self._allocator = Allocator(self.stock, self._release, self._short)
        edi = EdiDesk(journal, seed)
        self._wholesale = WholesaleDesk(
            edi, self._agenda, self._allocator, stock=self.stock, inbound=self.inbound, holds=self._desk, seed=seed
        )
        self._finance = FinanceDesk(edi, self._agenda, journal, seed)
        self._returns = ReturnsDesk(journal, self._agenda, self._desk, self.stock, seed)
        self._consumer_demand = ConsumerDemand(seed)
        self._wholesale_demand = WholesaleDemand(seed)
        self._live: dict[str, Order] = {}

    def run_week(self, week: int) -> None:
        """Run seven days."""
        monday = self.first_day + 7 * week
        consumer = self._consumer_demand.week(monday, self.scale.consumer_by_week[week])
        drafts = self._wholesale_demand.week(monday, self.scale.wholesale_by_week[week])
        days = _by_day(consumer)
        for day in range(monday, monday + 7):
            self._set_reservations(day)
            if day == self.first_day:
                self._snapshot(self._clock.at(day, 5 * MINUTE))
            for news in self.inbound.morning(day):
                if news.noted_at < self.journal.end:
                    self.journal.week(news.noted_at).receipts.append(news)
            self._admit(self._wholesale.receive(day, drafts.get(day, [])))
            orders = days.get(day, [])
            for order in orders:
                self._desk.admit(order)
            self._admit(orders)
            self._run_day(day)
        self._snapshot(self._clock.at(monday + 6, 23 * HOUR + 45 * MINUTE))
        self._close_orders()

    def judge_open(self) -> None:
        """Judge the orders that are still open at the end."""
        for order in self._live.values():
            self._judge(order)
        self._live.clear()

    def _admit(self, orders: list[Order]) -> None:
        for order in orders:
            self.orders += 1
            self.lines += len(order.lines)
            if not order.is_test:
                self._live[order.order_id] = order

    def _run_day(self, day: int) -> None:
        self._agenda.run_actions(day)
        self._allocator.retry(self._clock.at(day, RETRY_AT))
        for order in self._agenda.take_ready(day):
            if order.channel == WHOLESALE:
                self._wholesale.release(order, order.ready_at)
            else:
                self._allocator.allocate(order, order.ready_at)
        for warehouse in self.warehouses:
            for shipment in warehouse.run_day(day, self.stock):
                self._shipped(shipment)
        # What the day's allocation and dispatch led to on the same day, such as the ASN of a truck that left.
        self._agenda.run_actions(day)

    def _set_reservations(self, day: int) -> None:
        if day not in (self.first_day, monday_of(MIS_SET_RESERVATION.from_week)):
            return
        for row in self.reservations:
            if row.first_day <= day and (not row.last_day or day <= row.last_day):
                self.stock.reserved[row.node][row.sku] = row.quantity

    def _release(self, shipment: Shipment) -> None:
        if shipment.released_at < self.journal.end:
            self.journal.week(shipment.released_at).released.append(shipment)
        self.warehouses[shipment.node].release(shipment)

    def _short(self, order: Order, line: Line, at: int) -> None:
        if order.channel == WHOLESALE:
            self._wholesale.short(order, line)
        else:
            self._desk.short(order, line, at, self._allocator)

    def _shipped(self, shipment: Shipment) -> None:
        journal, order = self.journal, shipment.order
        journal.week(shipment.shipped_at).shipped.append(shipment)
        scans: tuple[tuple[int, TrackerKind], ...] = (
            (shipment.accepted_at, "accepted"), (shipment.exception_at, "exception"),
            (shipment.delivered_at, "delivered"),
        )  # fmt: skip
        for at, kind in scans:
            if 0 < at < journal.end - WEBHOOK_DELAY:
                journal.week(at + WEBHOOK_DELAY).trackers.append((at + WEBHOOK_DELAY, shipment, kind))
        if order.channel == WHOLESALE:
            self._wholesale.ship(shipment)
            self._finance.settle(shipment)
        else:
            self._desk.touch(order, shipment.shipped_at)
            if shipment.delivered_at:
                self._returns.deliver(shipment, [SKUS[line.sku].category.name for line, _ in shipment.lines])

    def _snapshot(self, at: int) -> None:
        stock = self.stock
        on_hand, allocated, quarantine = (
            [row[:] for row in cells] for cells in (stock.on_hand, stock.allocated, stock.quarantine)
        )
        self.journal.week(at).snapshots.append((at, on_hand, allocated, quarantine))

    def _close_orders(self) -> None:
        closed = [order for order in self._live.values() if order.is_shipped]
        for order in closed:
            self._judge(order)
            del self._live[order.order_id]

    def _judge(self, order: Order) -> None:
        self.misses += judge(order, self.journal.end, self.tally)


def _by_day(orders: Iterator[Order]) -> dict[int, list[Order]]:
    clock = zone(ZONE)
    days: dict[int, list[Order]] = {}
    for order in orders:
        days.setdefault(clock.local_day(order.captured_at), []).append(order)
    return days
