"""What retailers take back: deductions with reason codes, and our disputes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.simulator import edi_sets
from pipelines.simulator.agenda import Agenda
from pipelines.simulator.clock import DAY, HOUR, add_working_days, zone
from pipelines.simulator.company import RETAILERS, ZONE
from pipelines.simulator.draws import Draws
from pipelines.simulator.faults import ASN_LATE
from pipelines.simulator.journal import DisputeRow, Journal
from pipelines.simulator.model import Order, Shipment
from pipelines.simulator.wholesale import EdiDesk

LATE, EARLY, SHORT, ASN, PRICE = "late_arrive", "early_arrive", "short_ship", "asn_late", "invoice_price"

CODES: Final = {
    "walmart": {LATE: "WM-OTIF-LT", EARLY: "WM-OTIF-ER", SHORT: "WM-0024", PRICE: "WM-0010"},
    "target": {LATE: "VC-OTL", EARLY: "VC-OTE", SHORT: "A030", PRICE: "A036"},
    "kohls": {LATE: "KC-L01", EARLY: "KC-E01", SHORT: "KC-S02", ASN: "KC-ASN", PRICE: "KC-P01"},
    "kroger": {LATE: "ORAD-L", EARLY: "ORAD-E", SHORT: "CFR-95", PRICE: "KR-PRC"},
}
"""Retailer → violation → its own code; seed violation_map of the sample."""

REASONS: Final = {LATE: "50", EARLY: "50", SHORT: "59", ASN: "50", PRICE: "01"}
"""X12 reason (element 426) of a violation."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A violation that the retailer will charge."""

    violation: str
    amount: int
    text: str


class FinanceDesk:
    """Turns failures of purchase orders into deductions, and some of those into disputes."""

    def __init__(self, edi: EdiDesk, agenda: Agenda, journal: Journal, seed: int) -> None:
        self._edi = edi
        self._agenda = agenda
        self._journal = journal
        self._draws = Draws(seed, 8)
        self._deductions = 0
        self._disputes = 0

    def settle(self, shipment: Shipment) -> None:
        """Plan the deductions that a shipment leads to."""
        draws = self._draws
        claims = [claim for claim in self._claims(shipment) if claim.amount > 0]
        for claim in claims:
            day = add_working_days(zone(ZONE).local_day(shipment.delivered_at), draws.whole(9, 22))
            at = zone(ZONE).at(day, 4 * HOUR + draws.between(0, 2 * HOUR))
            self._agenda.at(at, lambda claim=claim, at=at: self._deduct(shipment.order, claim, at))  # type: ignore[misc]

    def _claims(self, shipment: Shipment) -> list[Claim]:
        order, draws = shipment.order, self._draws
        retailer = RETAILERS[order.purchase.retailer].retailer
        value = edi_sets.invoice_total(shipment)
        day = zone(order.zone).local_day(shipment.delivered_at)
        claims = []
        if day > order.purchase.window_end and draws.chance(0.6):
            claims.append(Claim(LATE, value * 3 // 100, "LATE ARRIVAL"))
        elif day < order.purchase.window_start and draws.chance(0.5):
            claims.append(Claim(EARLY, value * 3 // 100, "EARLY ARRIVAL"))
        missing = sum(line.price * (line.ordered - line.allocated) for line in order.lines)
        if missing and draws.chance(0.6):
            claims.append(Claim(SHORT, missing * 5 // 100, "ITEMS NOT FILLED"))
        if retailer == ASN_LATE.scope["customer_id"] and ASN_LATE.covers(day) and draws.chance(0.5):
            claims.append(Claim(ASN, min(15000, value // 8), "ASN AFTER ARRIVAL RULE"))
        if draws.chance(0.04):
            line, units = shipment.lines[0]
            claims.append(Claim(PRICE, line.price * units // 20, "COST DIFFERENCE"))
        if draws.chance(0.05):
            line, units = shipment.lines[-1]
            claims.append(Claim(SHORT, line.price * min(units, 6), "CARTON SHORTAGE CLAIM"))
        return claims

    def _deduct(self, order: Order, claim: Claim, at: int) -> None:
        index = order.purchase.retailer
        retailer = RETAILERS[index]
        self._deductions += 1
        number = f"D{retailer.retailer[:2].upper()}{500000 + self._deductions}"
        body = edi_sets.adjustment(
            order, number, at, amount=claim.amount, reason=REASONS[claim.violation],
            code=CODES[retailer.retailer][claim.violation], text=claim.text,
        )  # fmt: skip
        self._edi.exchange(at, "812", [body], retailer=index, outbound=False)
        if claim.amount >= 1500 and self._draws.chance(0.5):
            self._dispute(order, number, claim, at)

    def _dispute(self, order: Order, deduction: str, claim: Claim, at: int) -> None:
        draws, index = self._draws, order.purchase.retailer
        self._disputes += 1
        number = f"DSP{8000 + self._disputes}"
        filed = at + int(draws.between(2, 12) * DAY)
        deadline = zone(ZONE).local_day(at) + RETAILERS[index].dispute_days
        base = (number, deduction, index, order.order_id, claim.amount, filed, deadline)
        self._tell(DisputeRow(filed, *base, "open", 0, 0))
        resolved = filed + int(draws.between(10, 40) * DAY)
        share = draws.uniform()
        status = "won" if share < 0.42 else "partial" if share < 0.62 else "lost"
        recovered = {"won": claim.amount, "partial": claim.amount // 2, "lost": 0}[status]
        self._tell(DisputeRow(resolved, *base, status, resolved, recovered))

    def _tell(self, row: DisputeRow) -> None:
        if row.at < self._journal.end:
            self._journal.week(row.at).disputes.append(row)
