"""Carrier tracking as EasyPost webhook events: at the first scan, at an exception, at delivery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.clock import HOUR, MINUTE, utc_text, zone
from pipelines.simulator.company import CARRIERS, NODES, Carrier
from pipelines.simulator.geography import STATE_BY_CODE, State
from pipelines.simulator.journal import TrackerKind
from pipelines.simulator.model import Shipment
from pipelines.simulator.writers.files import write_gzip

STATUS: dict[TrackerKind, str] = {"accepted": "in_transit", "exception": "failure", "delivered": "delivered"}
_ORIGIN = {
    "dc_columbus": ("Columbus", "OH", "43217"),
    "tpl_east": ("Allentown", "PA", "18109"),
    "tpl_west": ("Reno", "NV", "89506"),
}


def write_trackers(path: Path, events: Iterable[tuple[int, Shipment, TrackerKind]]) -> None:
    """Write a week of tracking events, one JSON object a line."""
    ordered = sorted(events, key=lambda event: (event[0], event[1].shipment_id))
    write_gzip(path, _lines(ordered))


def _lines(events: list[tuple[int, Shipment, TrackerKind]]) -> Iterator[str]:
    for at, shipment, kind in events:
        yield event_text(at, shipment, kind)


def event_text(at: int, shipment: Shipment, kind: TrackerKind) -> str:
    """Return one webhook event, told at an instant; its tracker lists every scan so far."""
    carrier = CARRIERS[shipment.carrier]
    details = ",".join(_details(shipment, carrier, kind))
    estimate = utc_text(zone(STATE_BY_CODE[shipment.order.state].zone).at(shipment.expected_day, 20 * HOUR))
    tracker = f"trk_{shipment.tracker:012x}"
    status = STATUS[kind] if kind != "exception" or not shipment.delivered_at else "in_transit"
    return (
        f'{{"object":"Event","id":"evt_{shipment.tracker:012x}{kind[0]}","description":"tracker.updated",'
        f'"created_at":"{utc_text(at)}","result":{{"object":"Tracker","id":"{tracker}",'
        f'"tracking_code":"{shipment.tracking}","carrier":"{carrier.name}","status":"{status}",'
        f'"est_delivery_date":"{estimate}","tracking_details":[{details}]}}}}\n'
    )


def _details(shipment: Shipment, carrier: Carrier, kind: TrackerKind) -> Iterator[str]:
    city, state, postal = _ORIGIN[NODES[shipment.node].node_id]
    origin = (city, state, postal)
    target = STATE_BY_CODE[shipment.order.state]
    door = (target.city, target.code, shipment.order.postal)
    name = carrier.name
    yield _detail(shipment.label_at, "pre_transit", "label_created", "Label created", name, origin)
    yield _detail(shipment.accepted_at, "in_transit", "arrived_at_facility", "Accepted at facility", name, origin)
    if kind == "accepted":
        return
    if shipment.exception_at and (kind == "exception" or shipment.exception_at < shipment.delivered_at):
        yield _exception(shipment, target, name)
    if kind == "delivered":
        yield from _last_mile(shipment, name, door)


def _exception(shipment: Shipment, target: State, name: str) -> str:
    place = (target.city, target.code, f"{target.postal_prefix}01")
    if shipment.delivered_at:
        return _detail(shipment.exception_at, "failure", "delivery_exception", "Delivery exception", name, place)
    return _detail(shipment.exception_at, "failure", "lost", "Shipment lost", name, place)


def _last_mile(shipment: Shipment, name: str, door: tuple[str, str, str]) -> Iterator[str]:
    out = max(shipment.delivered_at - 3 * HOUR - 20 * MINUTE, shipment.accepted_at + HOUR, shipment.exception_at + HOUR)
    yield _detail(out, "out_for_delivery", "out_for_delivery", "Out for delivery", name, door)
    yield _detail(shipment.delivered_at, "delivered", "arrived_at_destination", "Delivered", name, door)


def _detail(at: int, status: str, detail: str, message: str, source: str, place: tuple[str, str, str]) -> str:
    return (
        f'{{"object":"TrackingDetail","datetime":"{utc_text(at)}","status":"{status}","status_detail":"{detail}",'
        f'"message":"{message}","source":"{source}","tracking_location":{{"object":"TrackingLocation",'
        f'"city":"{place[0]}","state":"{place[1]}","country":"US","zip":"{place[2]}"}}}}'
    )
