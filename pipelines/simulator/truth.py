"""The truth: why each missed line was missed. Written to a file that only tests and benchmarks read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.simulator.clock import DAY, zone
from pipelines.simulator.company import NODES, RETAILERS, WHOLESALE, ZONE
from pipelines.simulator.consumer import expected_ship_day
from pipelines.simulator.model import Line, Order, Shipment
from pipelines.simulator.transport import Transport
from pipelines.simulator.warehouse import operating_days_between

UPSTREAM_FIRST: Final = (
    "hold_credit", "hold_fraud", "hold_address", "hold_payment", "late_release", "no_stock", "channel_reserved",
    "missed_cut_off", "pick_pack_delay", "missed_pickup", "carrier_transit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Miss:
    """A missed line, the cause that cost it most, and what else cost it days."""

    order_id: str
    line_id: str
    cause: str
    also: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """Counts of what was judged, for the report of a simulation."""

    due: int = 0
    missed: int = 0


def judge(order: Order, as_of: int, tally: Tally) -> Iterator[Miss]:
    """Yield the missed lines of an order: not all units inside the window, and the window is over."""
    start, end = window(order)
    if end > as_of or order.is_test:
        return
    for line in order.lines:
        base = base_units(line, end)
        if line.sku < 0 or not base:
            continue
        tally.due += 1
        inside = sum(units for shipment, units in line.pieces if start <= shipment.delivered_at < min(end, as_of + 1))
        if inside < base:
            tally.missed += 1
            cause, *also = find_causes(order, line, base, as_of)
            yield Miss(order.order_id, line.line_id, cause, tuple(also))


def window(order: Order) -> tuple[int, int]:
    """Return the promised window as [start, end), with the grace that the retailer's profile gives."""
    if order.terms is None:
        return 1, zone(order.zone).at(order.promised_day + 1)
    clock = zone(ZONE)
    before, after = RETAILERS[order.terms.retailer].grace_days
    return clock.at(order.terms.window_start - before), clock.at(order.terms.window_end + 1 + after)


def base_units(line: Line, window_end: int) -> int:
    """Return the units that count: as revised by the buyer, less what never was to be delivered."""
    excused = line.cancel_actor in ("fraud", "payment") or (
        line.cancel_actor == "customer" and line.cancelled_at < window_end
    )
    return line.revised - line.cancelled if excused else line.revised


def find_causes(order: Order, line: Line, base: int, as_of: int) -> list[str]:
    """Return the causes that cost the line days, the worst first; of equals the one further upstream."""
    if sum(units for _, units in line.pieces) < base:
        if line.short_reason:
            return [line.short_reason]
        if order.hold is not None:
            return [f"hold_{order.hold.hold_type}"]
        return ["late_release" if order.ready_at > order.due_release_at else "unknown"]
    shipment = max((s for s, _ in line.pieces), key=lambda s: s.delivered_at or as_of * 2)
    if order.terms is not None and 0 < shipment.delivered_at < window(order)[0]:
        return ["early_delivery"]
    days = lost_days(order, line, shipment, as_of)
    return [cause for cause in sorted(UPSTREAM_FIRST, key=lambda c: -days[c]) if days[cause] > 0] or ["unknown"]


def lost_days(order: Order, line: Line, shipment: Shipment, as_of: int) -> dict[str, float]:
    """Return cause → days that it cost the line on the way to its last piece."""
    node = NODES[shipment.node]
    days = dict.fromkeys(UPSTREAM_FIRST, 0.0)
    upstream = max(0.0, (order.ready_at - order.due_release_at) / DAY)
    days[f"hold_{order.hold.hold_type}" if order.hold is not None else "late_release"] = upstream
    if line.waits_since:
        days[line.short_reason or "no_stock"] = max(0.0, (shipment.released_at - line.waits_since) / DAY)
    if line.detour_reason and order.channel != WHOLESALE:
        promised = Transport.promised_lane(order, order.node).transit_days
        days[line.detour_reason] += max(0, Transport.lane(shipment).transit_days - promised)
    if not upstream and not line.waits_since and order.channel != WHOLESALE:
        days["missed_cut_off"] = _cut_off_days(order, shipment)
    last = shipment.pick_day or zone(node.zone).local_day(as_of)
    days["pick_pack_delay"] = float(operating_days_between(node, shipment.eligible_day, last))
    days["missed_pickup"] = 1.0 if shipment.missed_pickup else 0.0
    days["carrier_transit"] = float(max(0, shipment.extra_days))
    return days


def _cut_off_days(order: Order, shipment: Shipment) -> float:
    """Return the days between the pick day counted on at checkout and the one the release got."""
    return float(max(0, shipment.eligible_day - expected_ship_day(order)))
