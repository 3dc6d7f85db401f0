"""Consumer returns: who sends what back, why, and what becomes of the goods."""

from __future__ import annotations

from typing import Final

from pipelines.simulator.agenda import Agenda
from pipelines.simulator.clock import DAY, HOUR, add_working_days, zone
from pipelines.simulator.company import NODES
from pipelines.simulator.consumer import ConsumerDesk
from pipelines.simulator.draws import Draws, cumulate
from pipelines.simulator.journal import Journal, ReturnCase
from pipelines.simulator.model import Line, Shipment
from pipelines.simulator.stock import Stock

RETURN_SHARE: Final = {"bedding": 0.13, "lighting": 0.105, "bath": 0.085, "tableware": 0.075, "cookware": 0.08}
USUAL_SHARE: Final = 0.055
REASONS: Final = ("changed_mind", "not_as_described", "defective", "damaged_in_transit", "wrong_item", "arrived_late")
_REASONS: Final = cumulate([38, 22, 14, 13, 6, 7])
DISPOSITIONS: Final = ("restock_a", "b_grade", "refurbish", "liquidate", "donate", "destroy")
_SOUND: Final = cumulate([76, 12, 2, 5, 3, 2])
_BROKEN: Final = cumulate([4, 14, 14, 20, 12, 36])


class ReturnsDesk:
    """Plans the returns of what is delivered."""

    def __init__(self, journal: Journal, agenda: Agenda, desk: ConsumerDesk, stock: Stock, seed: int) -> None:
        self._journal = journal
        self._agenda = agenda
        self._desk = desk
        self._stock = stock
        self._draws = Draws(seed, 9)
        self._count = 0

    def deliver(self, shipment: Shipment, categories: list[str]) -> None:
        """Decide which lines of a delivered shipment will come back."""
        for (line, units), category in zip(shipment.lines, categories, strict=True):
            if self._draws.chance(RETURN_SHARE.get(category, USUAL_SHARE)):
                created = shipment.delivered_at + int(self._draws.between(1, 19) * DAY)
                back = self._draws.whole(1, units)
                self._agenda.at(created, lambda line=line, back=back, at=created: self._open(shipment, line, back, at))  # type: ignore[misc]

    def _open(self, shipment: Shipment, line: Line, units: int, at: int) -> None:
        draws = self._draws
        self._count += 1
        reason = REASONS[draws.index(_REASONS)]
        broken = reason in ("defective", "damaged_in_transit")
        disposition = DISPOSITIONS[draws.index(_BROKEN if broken else _SOUND)]
        refund = units * line.price - line.discount * units // line.ordered
        case = ReturnCase(
            self._count, shipment.order, line.line_id, line.sku, units, reason, disposition, refund,
            2 if shipment.order.lane_zone == "west" else 0, at,
        )  # fmt: skip
        share = draws.uniform()
        if share < 0.02:
            case.ended_at, case.end_state = at + int(draws.between(1, 6) * DAY), "cancelled"
        elif share < 0.07:
            case.ended_at, case.end_state = at + 28 * DAY, "expired"
        else:
            self._plan_way_back(case, line)
        self._journal.add_return(case)

    def _plan_way_back(self, case: ReturnCase, line: Line) -> None:
        draws, clock = self._draws, zone(NODES[case.node].zone)
        case.in_transit_at = case.created_at + int(draws.between(0.5, 5) * DAY)
        day = add_working_days(clock.local_day(case.in_transit_at), draws.whole(2, 6))
        case.received_at = clock.at(day, draws.between(8, 14) * HOUR)
        graded = add_working_days(day, draws.whole(0, 3))
        case.graded_at = max(clock.at(graded, draws.between(9, 15) * HOUR), case.received_at + HOUR)
        case.refunded_at = case.graded_at + int(draws.between(0.3, 30) * HOUR)
        self._agenda.at(case.refunded_at, lambda: self._refund(case, line))
        if case.disposition == "restock_a":
            case.restocked_at = case.graded_at + int(draws.between(0.5, 2) * HOUR)
            self._agenda.at(case.restocked_at, lambda: self._restock(case))
        case.ended_at, case.end_state = max(case.refunded_at, case.restocked_at) + HOUR, "closed"

    def _refund(self, case: ReturnCase, line: Line) -> None:
        line.returned += case.quantity
        self._desk.refund(case.order, line, case.quantity, case.refunded_at, restock_type="return")

    def _restock(self, case: ReturnCase) -> None:
        self._stock.on_hand[case.node][case.sku] += case.quantity
