"""Consumer orders between checkout and release: promise, holds, second thoughts, edits; and patience afterwards."""

from __future__ import annotations

from typing import Final

from pipelines.simulator.agenda import Agenda
from pipelines.simulator.allocation import Allocator
from pipelines.simulator.clock import DAY, HOUR, MINUTE, zone
from pipelines.simulator.company import CHANNELS, NODES, PREFERENCE, ZONE
from pipelines.simulator.draws import Draws
from pipelines.simulator.faults import RELEASE_OUTAGE
from pipelines.simulator.journal import HoldRow, Journal
from pipelines.simulator.model import Hold, Line, Order, Refund
from pipelines.simulator.transport import Transport, promise_day
from pipelines.simulator.warehouse import eligible_day

WAVE: Final = 30 * MINUTE
LONG_LANE_DAYS: Final = 4
FRAUD, ADDRESS, PAYMENT, CANCEL, EDIT = 0.022, 0.036, 0.041, 0.055, 0.068
"""Upper ends of the shares of orders with each fate, one draw for all."""


class ConsumerDesk:
    """Takes consumer orders in and follows them until they are released or cancelled."""

    def __init__(self, journal: Journal, agenda: Agenda, transport: Transport, seed: int) -> None:
        self._journal = journal
        self._agenda = agenda
        self._transport = transport
        self._draws = Draws(seed, 5)
        self._refunds = 0

    def touch(self, order: Order, at: int) -> None:
        """Note that the shop's record of the order changed."""
        order.updated_at = max(order.updated_at, at)
        if at < self._journal.end:
            self._journal.week(at).touched[order.number] = order

    def admit(self, order: Order) -> None:
        """Take an order in and plan its way to release."""
        order.carrier = self._transport.choose_parcel(order)
        order.node = PREFERENCE[order.lane_zone][0]
        order.promised_day = self._promise(order)
        self.touch(order, order.captured_at)
        if order.is_test:
            return
        wait = self._draws.between(2, 5) * HOUR if self._draws.chance(0.03) else 45 * MINUTE
        order.due_release_at = order.ready_at = _next_wave(order.captured_at + int(wait))
        self._fate(order, self._draws.uniform())
        if order.ready_at:
            order.ready_at = _after_outage(order.ready_at)
            self._agenda.ready(order)

    def _promise(self, order: Order) -> int:
        lane = self._transport.promised_lane(order, order.node)
        # Marketplaces quote wider, and so does the shop on the long lanes.
        standard = 1 + (order.channel > 0) + (lane.transit_days >= LONG_LANE_DAYS)
        return promise_day(expected_ship_day(order), lane, 0 if order.express else standard)

    def _fate(self, order: Order, share: float) -> None:
        if share < FRAUD:
            self._review(order, "fraud", "fraud", decline=0.16, hours=(2, 40))
        elif share < ADDRESS:
            self._review(order, "address", "", decline=0.0, hours=(5, 54))
        elif share < PAYMENT:
            self._review(order, "payment", "declined", decline=0.6, hours=(1, 22))
        elif share < EDIT:
            at = order.captured_at + int(self._draws.between(4, 40) * MINUTE)
            if share < CANCEL:
                order.ready_at = 0
                self._agenda.at(at, lambda: self._cancel_order(order, at, "customer"))
            else:
                self._agenda.at(at, lambda: self._edit(order, at))

    def _review(self, order: Order, hold_type: str, reason: str, *, decline: float, hours: tuple[float, float]) -> None:
        draws = self._draws
        placed = order.captured_at + int(draws.between(4, 25) * MINUTE)
        ended = placed + int(draws.between(*hours) * HOUR)
        by = {"fraud": "signifyd", "address": "address-check", "payment": "gateway"}[hold_type]
        order.hold = Hold(hold_type, placed, 0, by)
        declined = draws.chance(decline)
        order.ready_at = 0 if declined else _next_wave(ended)
        if declined:
            self._agenda.at(ended, lambda: self._cancel_order(order, ended, reason))
        self.tell_hold(order, order.hold, ended)

    def tell_hold(self, order: Order, hold: Hold, ended: int) -> None:
        """Write a hold in the weeks in which it is placed and released."""
        journal = self._journal
        note = {"fraud": "risk score", "address": "undeliverable as addressed", "credit": "over limit"}.get(
            hold.hold_type, "authorisation expired"
        )
        row = (order.order_id, hold.hold_type, hold.placed_at)
        if hold.placed_at < journal.end:
            same_week = 0 < ended < journal.end and journal.week(ended) is journal.week(hold.placed_at)
            if not same_week:
                journal.week(hold.placed_at).holds.append(HoldRow(hold.placed_at, *row, 0, hold.placed_by, note))
        if 0 < ended < journal.end:
            hold.released_at = ended
            journal.week(ended).holds.append(HoldRow(ended, *row, ended, hold.placed_by, note))

    def _edit(self, order: Order, at: int) -> None:
        line = order.lines[0]
        if line.ordered > 1:
            line.revised = line.ordered - 1
        elif len(order.lines) > 1:
            line.revised = 0
        self.touch(order, at)

    def _cancel_order(self, order: Order, at: int, reason: str) -> None:
        actor = {"customer": "customer", "fraud": "fraud", "declined": "payment", "inventory": "seller_oos"}[reason]
        order.cancelled_at, order.cancel_reason, order.ready_at = at, reason, 0
        for line in order.lines:
            line.cancelled_at, line.cancel_actor = at, actor
            line.cancelled = line.revised - line.shipped
        self.touch(order, at)

    def short(self, order: Order, line: Line, at: int, allocator: Allocator) -> None:
        """Decide how long customer and shop wait for a line that has no stock."""
        draws = self._draws
        patience = draws.between(1.5, 16) if draws.chance(0.22) else 999.0
        limit = (35.0 if CHANNELS[order.channel] == "dtc" else 14.0) + draws.between(0, 3)
        reason = "customer" if patience < limit else "inventory"
        end = at + int(min(patience, limit) * DAY)
        self._agenda.at(end, lambda: self._give_up(order, line, end, reason, allocator))

    def _give_up(self, order: Order, line: Line, at: int, reason: str, allocator: Allocator) -> None:
        units = line.wanted
        if not units:
            return
        alone = all(other is line or (other.wanted == 0 and not other.allocated) for other in order.lines)
        allocator.forget(order, line)
        if alone and not order.shipments:
            self._cancel_order(order, at, reason)
            return
        line.cancelled += units
        line.cancelled_at, line.cancel_actor = at, "customer" if reason == "customer" else "seller_oos"
        self.refund(order, line, units, at, restock_type="cancel")

    def refund(self, order: Order, line: Line, units: int, at: int, *, restock_type: str) -> None:
        """Give money back for units of a line."""
        self._refunds += 1
        amount = units * line.price - line.discount * units // line.ordered
        order.refunds.append(Refund(self._refunds, at, restock_type, line, units, amount))
        self.touch(order, at)


def expected_ship_day(order: Order) -> int:
    """Return the day on which the checkout expects the order to leave its nearest node."""
    return eligible_day(NODES[order.node], order.captured_at + 75 * MINUTE)


def _next_wave(at: int) -> int:
    return -(-at // WAVE) * WAVE


def _after_outage(at: int) -> int:
    clock = zone(ZONE)
    day = clock.local_day(at)
    if not RELEASE_OUTAGE.covers(day):
        return at
    wednesday = day - (day + 3) % 7 + 2
    start, end = clock.at(wednesday, 9 * HOUR), clock.at(wednesday + 1, 18 * HOUR)
    return end if start <= at < end else at
