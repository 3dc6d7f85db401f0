"""Wholesale: purchase orders in, acknowledgements, ASNs and invoices out, and the 997s of both sides."""

from __future__ import annotations

from typing import Final

from pipelines.simulator import edi_sets
from pipelines.simulator.agenda import Agenda
from pipelines.simulator.allocation import Allocator
from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import HOUR, MINUTE, add_working_days, weekday, zone
from pipelines.simulator.company import FREIGHT, IRON, LANES, NODES, RETAILERS, WHOLESALE, ZONE
from pipelines.simulator.consumer import ConsumerDesk
from pipelines.simulator.demand import PurchaseDraft
from pipelines.simulator.draws import Draws
from pipelines.simulator.faults import ASN_LATE
from pipelines.simulator.geography import STATE_BY_CODE
from pipelines.simulator.inbound import Replenishment
from pipelines.simulator.journal import Interchange, Journal
from pipelines.simulator.model import Hold, Line, Order, Shipment, Terms
from pipelines.simulator.stock import Stock

CREDIT_HOLD: Final = 0.05
REJECTED: Final = 0.006
UNANSWERED: Final = 0.006


class EdiDesk:
    """Sends and receives interchanges and sees to their functional acknowledgements."""

    def __init__(self, journal: Journal, seed: int) -> None:
        self._journal = journal
        self._draws = Draws(seed, 6)
        self._controls: dict[tuple[bool, int], int] = {}

    def exchange(self, at: int, set_type: str, bodies: list[list[str]], *, retailer: int, outbound: bool) -> None:
        """Put an interchange on the wire, and its 997 on the way back."""
        if at >= self._journal.end:
            return
        sent = self._put(at, set_type, bodies, retailer=retailer, outbound=outbound)
        draws = self._draws
        if outbound:
            if draws.chance(UNANSWERED):
                return
            hours = draws.between(25, 40) if draws.chance(0.02) else draws.between(0.3, 8)
            status = "R" if draws.chance(REJECTED) else "E" if draws.chance(0.01) else "A"
        else:
            hours, status = draws.between(0.2, 2), "A"
        answer_at = at + int(hours * HOUR)
        if answer_at < self._journal.end:
            answer = [edi_sets.acknowledgement(sent, status)]
            self._put(answer_at, "997", answer, retailer=retailer, outbound=not outbound)

    def _put(self, at: int, set_type: str, bodies: list[list[str]], *, retailer: int, outbound: bool) -> Interchange:
        key = (outbound, retailer)
        self._controls[key] = self._controls.get(key, 0) + 1
        interchange = Interchange(at, outbound, retailer, set_type, self._controls[key], bodies)
        self._journal.week(at).interchanges.append(interchange)
        return interchange


class WholesaleDesk:
    """Follows purchase orders from the 850 to the invoice."""

    def __init__(
        self, edi: EdiDesk, agenda: Agenda, allocator: Allocator, *, stock: Stock, inbound: Replenishment,
        holds: ConsumerDesk, seed: int,
    ) -> None:  # fmt: skip
        self._edi = edi
        self._agenda = agenda
        self._allocator = allocator
        self._stock = stock
        self._inbound = inbound
        self._holds = holds
        self._draws = Draws(seed, 7)
        self._numbers = [retailer.first_number for retailer in RETAILERS]
        self._cartons = 0
        self._invoices = 0

    def receive(self, day: int, drafts: list[PurchaseDraft]) -> list[Order]:
        """Take in the purchase orders of a day: one 850 interchange for each retailer. Returns the orders."""
        admitted = []
        for index in range(len(RETAILERS)):
            mine = [draft for draft in drafts if draft.retailer == index]
            if not mine:
                continue
            at = zone(ZONE).at(day, 6 * HOUR + self._draws.between(0, 50 * MINUTE))
            orders = [self._order(draft, day, at) for draft in mine]
            bodies = [edi_sets.purchase_order(order, day) for order in orders]
            self._edi.exchange(at, "850", bodies, retailer=index, outbound=False)
            self._acknowledge(index, orders, day)
            for order in orders:
                self._plan_release(order)
            admitted += orders
        return admitted

    def _order(self, draft: PurchaseDraft, day: int, at: int) -> Order:
        retailer = RETAILERS[draft.retailer]
        centre, state_code, node = retailer.centres[draft.centre]
        state = STATE_BY_CODE[state_code]
        self._numbers[draft.retailer] += 1 + self._draws.whole(0, 6)
        number = self._numbers[draft.retailer]
        transit = LANES[node, state.lane_zone, IRON, FREIGHT].transit_days
        ship_from = add_working_days(day, self._draws.whole(5, 10))
        window_start = add_working_days(ship_from, transit)
        window_end = add_working_days(window_start, retailer.window_days - 1)
        terms = Terms(
            draft.retailer, centre, node, ship_from, add_working_days(ship_from, retailer.window_days - 1),
            window_start, window_end, window_end + 3,
        )  # fmt: skip
        order = Order(
            number, f"{retailer.retailer}-{number}", WHOLESALE, 0, at, at, state.code, state.lane_zone, state.zone,
            f"{state.postal_prefix}01", express=False, carrier=IRON, node=node, terms=terms,
        )  # fmt: skip
        for position, (sku, cases) in enumerate(draft.lines, start=1):
            units = cases * SKUS[sku].pack
            price = round(SKUS[sku].wholesale_price * retailer.price_share)
            order.lines.append(Line(str(position), sku, units, units, price))
        return order

    def _acknowledge(self, retailer: int, orders: list[Order], day: int) -> None:
        for order in orders:
            for line in order.lines:
                self._confirm(order, line)
        late = self._draws.chance(0.06)
        day_after = add_working_days(day, 1)
        hour = self._draws.between(9, 11) if late else self._draws.between(14.5, 17)
        at = zone(ZONE).at(day_after if late else day, hour * HOUR)
        bodies = [edi_sets.order_acknowledgement(order, at) for order in orders]
        self._edi.exchange(at, "855", bodies, retailer=retailer, outbound=True)

    def _confirm(self, order: Order, line: Line) -> None:
        """Confirm what stock and dated receipts can cover by the ship date; sometimes cut the rest."""
        node, sku, pack = order.node, line.sku, SKUS[line.sku].pack
        inbound = self._inbound.inbound_before(node, sku, order.purchase.ship_from - 1)
        promise = self._stock.available(WHOLESALE, node, sku) + inbound - self._stock.committed[node][sku]
        line.confirmed = line.ordered
        if promise < line.ordered:
            some = max(0, promise) // pack * pack
            if self._draws.chance(0.45):
                line.confirmed = some
                line.cancelled = line.ordered - some
                line.cancel_actor, line.cancelled_at = "seller_oos", order.captured_at
            else:
                line.confirmed = some
            line.short_reason = "no_stock"
        self._stock.committed[node][sku] += line.wanted

    def _plan_release(self, order: Order) -> None:
        draws, node = self._draws, NODES[order.node]
        due = zone(node.zone).at(order.purchase.ship_from, 6.5 * HOUR + draws.between(0, 20 * MINUTE))
        order.due_release_at = order.ready_at = due
        if draws.chance(CREDIT_HOLD):
            placed = order.captured_at + int(draws.between(1, 5) * HOUR)
            ended = zone(ZONE).at(add_working_days(order.purchase.ship_from, draws.whole(-4, 5)), 9 * HOUR)
            order.hold = Hold("credit", placed, 0, "credit-desk")
            self._holds.tell_hold(order, order.hold, ended)
            order.ready_at = max(due, ended + 10 * MINUTE)
        self._agenda.ready(order)

    def release(self, order: Order, at: int) -> None:
        """Allocate a purchase order whose ship window opens."""
        for line in order.lines:
            self._stock.committed[order.node][line.sku] -= line.wanted
        self._allocator.allocate(order, at)

    def short(self, order: Order, line: Line) -> None:
        """Plan the end of a line that waits: nothing leaves after the delivery window."""
        end = zone(ZONE).at(order.purchase.window_end + 1)
        self._agenda.at(end, lambda: self._expire(order, line, end))

    def _expire(self, order: Order, line: Line, at: int) -> None:
        if line.wanted:
            self._allocator.forget(order, line)
            line.cancelled += line.wanted
            line.cancel_actor, line.cancelled_at = "retailer_expiry", at

    def ship(self, shipment: Shipment) -> None:
        """Send the ASN when the truck leaves and the invoice the evening after."""
        order = shipment.order
        retailer, draws = order.purchase.retailer, self._draws
        cartons = sum(-(-units // SKUS[line.sku].pack) for line, units in shipment.lines)
        shipment.sscc = self._cartons
        self._cartons += cartons
        left_day = zone(ZONE).local_day(shipment.shipped_at)
        late = RETAILERS[retailer].retailer == ASN_LATE.scope["customer_id"] and ASN_LATE.covers(left_day)
        delay = draws.between(26, 50) * HOUR if late else draws.between(15, 50) * MINUTE
        asn_at = shipment.shipped_at + int(delay)
        self._agenda_exchange(asn_at, "856", edi_sets.ship_notice(shipment, cartons, asn_at), retailer)
        self._invoices += 1
        invoice_day = left_day + 1 if weekday(left_day) <= 4 else add_working_days(left_day, 1)
        at = zone(ZONE).at(invoice_day, 20 * HOUR + draws.between(0, 40 * MINUTE))
        number = f"INV{700000 + self._invoices}"
        order.invoice = number
        self._agenda_exchange(at, "810", edi_sets.invoice(shipment, number, at), retailer)

    def _agenda_exchange(self, at: int, set_type: str, body: list[str], retailer: int) -> None:
        self._agenda.at(at, lambda: self._edi.exchange(at, set_type, [body], retailer=retailer, outbound=True))
