"""Carriers: which one takes a shipment, how long it is under way, what goes wrong there."""

from __future__ import annotations

from typing import Final

from pipelines.simulator.clock import HOUR, MINUTE, add_working_days, weekday, zone
from pipelines.simulator.company import BLUE, BLUE_SHARE, CARRIERS, EXPRESS, GROUND, IRON, LANES, NODES, SWIFT, Lane
from pipelines.simulator.draws import Draws, cumulate
from pipelines.simulator.faults import LANE_DELAY
from pipelines.simulator.geography import STATE_BY_CODE
from pipelines.simulator.model import Order, Shipment

_PARCEL_EXTRA: Final = cumulate([0.02, 0.93, 0.038, 0.012])
_FREIGHT_EXTRA: Final = cumulate([0.025, 0.875, 0.075, 0.025])
_NO_SHOW: Final = 0.012
_EXCEPTION: Final = 0.011
_LOST: Final = 0.0012
LOST_DAYS: Final = 4000


class Transport:
    """Moves shipments from the dock to the door."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, 4)
        self._parcels = 0
        self._no_shows: dict[tuple[int, int, int], bool] = {}

    def choose_parcel(self, order: Order) -> int:
        """Return the carrier of a consumer order."""
        if order.express:
            return SWIFT
        return BLUE if self._draws.chance(BLUE_SHARE[order.lane_zone]) else SWIFT

    @staticmethod
    def lane(shipment: Shipment) -> Lane:
        """Return the lane that a shipment travels."""
        return LANES[shipment.node, shipment.order.lane_zone, shipment.carrier, shipment.service]

    @staticmethod
    def promised_lane(order: Order, node: int) -> Lane:
        """Return the lane that a consumer promise counts on."""
        return LANES[node, order.lane_zone, order.carrier, EXPRESS if order.express else GROUND]

    def comes(self, node: int, carrier: int, day: int) -> bool:
        """Say whether the carrier comes to a node on a day (LTL is booked, parcels sometimes fail)."""
        key = (node, carrier, day)
        if key not in self._no_shows:
            self._no_shows[key] = carrier != IRON and self._draws.chance(_NO_SHOW)
        return not self._no_shows[key]

    def label(self, shipment: Shipment) -> None:
        """Buy a label: the shipment has a tracking number from now on."""
        self._parcels += 1
        shipment.tracker = self._parcels
        shipment.tracking = f"{CARRIERS[shipment.carrier].prefix}{920000000000 + 7 * self._parcels}"

    def depart(self, shipment: Shipment, ship_day: int) -> None:
        """Collect a shipment on a day and decide its way to the door."""
        draws, carrier = self._draws, CARRIERS[shipment.carrier]
        clock = zone(NODES[shipment.node].zone)
        shipment.shipped_at = clock.at(ship_day, NODES[shipment.node].pick_up + draws.between(0, 20 * MINUTE))
        scan = draws.between(4, 11) if draws.chance(0.03) else draws.between(0.2, 2.2)
        shipment.accepted_at = shipment.shipped_at + int(scan * HOUR)
        transit = self.lane(shipment).transit_days
        saturday = carrier.delivers_saturday
        shipment.expected_day = _delivery_day(ship_day, transit, works_saturday=saturday)
        shipment.extra_days = self._extra(shipment, ship_day)
        arrival = max(1, transit + shipment.extra_days)
        self._deliver(shipment, _delivery_day(ship_day, arrival, works_saturday=saturday))

    def _extra(self, shipment: Shipment, ship_day: int) -> int:
        draws = self._draws
        extra = draws.index(_FREIGHT_EXTRA if shipment.carrier == IRON else _PARCEL_EXTRA) - 1
        if shipment.carrier == BLUE and shipment.order.lane_zone == "northeast" and LANE_DELAY.covers(ship_day):
            extra = max(extra, 0) + 2
        if draws.chance(_EXCEPTION):
            extra = max(extra, 0) + draws.whole(1, 3)
            shipment.exception_at = 1
        return LOST_DAYS if draws.chance(_LOST) and shipment.carrier != IRON else extra

    def _deliver(self, shipment: Shipment, day: int) -> None:
        draws = self._draws
        clock = zone(STATE_BY_CODE[shipment.order.state].zone)
        if shipment.extra_days >= LOST_DAYS:
            shipment.exception_at = shipment.accepted_at + int(draws.between(5, 8) * 24 * HOUR)
            return
        low, high = (7.2, 15.8) if shipment.carrier == IRON else (9.0, 19.8)
        shipment.delivered_at = clock.at(day, draws.between(low, high) * HOUR)
        if shipment.exception_at:
            before = max(shipment.delivered_at - int(draws.between(24, 44) * HOUR), shipment.accepted_at + 3 * HOUR)
            shipment.exception_at = before


def _delivery_day(ship_day: int, transit: int, *, works_saturday: bool) -> int:
    # A parcel collected on a Saturday starts to move on Monday.
    start = ship_day if weekday(ship_day) <= 5 else add_working_days(ship_day, 0)
    return add_working_days(start, transit, works_saturday=works_saturday)


def promise_day(ship_day: int, lane: Lane, buffer_days: int) -> int:
    """Return the delivery day promised at checkout."""
    saturday = CARRIERS[lane.carrier].delivers_saturday
    return _delivery_day(ship_day, lane.transit_days + buffer_days, works_saturday=saturday)
