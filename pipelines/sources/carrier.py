"""Carrier tracking (EasyPost trackers and their webhook events) → shipment events.

A tracker carries the whole scan history so far, so the same scan arrives many times: a scan's event depends only
on the scan. The carrier's current estimate does not belong to one scan; it comes as an event of its own
(`in_transit`, reason `estimate`) at the newest scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.records import (
    Parsed,
    Record,
    child,
    children,
    collect,
    needed_stamp,
    needed_text,
    outline,
    stamp,
    text,
    to_json,
)

PHYSICAL: Final = frozenset(
    {"in_transit", "out_for_delivery", "delivered", "available_for_pickup", "return_to_sender", "failure"}
)
"""Statuses that mean the carrier holds or held the parcel (pre_transit is only a label)."""

EXCEPTION_STATUSES: Final = frozenset({"failure", "return_to_sender", "error", "cancelled"})
EXCEPTION_DETAILS: Final = frozenset({
    "address_correction",
    "awaiting_information",
    "damaged",
    "delayed",
    "delivery_exception",
    "failure",
    "held",
    "lost",
    "missorted",
    "refused",
    "transit_exception",
    "weather_delay",
})  # fmt: skip
"""Status details that report trouble whatever the status says."""


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds trackers, alone, in a list or in webhook events."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    if paths <= {"trackers", "has_more"} and "trackers" in paths:
        return True  # a page without trackers
    return any(
        {f"{prefix}tracking_code", f"{prefix}tracking_details"} <= paths for prefix in ("", "trackers.", "result.")
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read trackers into shipment events. Stamps without offset are UTC, as EasyPost documents it."""
    del context
    return collect(files, wrappers=("trackers",), convert=_convert)


def _convert(record: Record) -> Parsed:
    parsed = Parsed()
    tracker = record
    observed_at = None
    if text(record, "object") == "Event":
        tracker = child(record, "result")
        observed_at = stamp(record, "created_at")
    common = {
        "tracking_number": needed_text(tracker, "tracking_code"),
        "shipment_id": text(tracker, "id"),
        "carrier": (text(tracker, "carrier") or "").lower() or None,
        "service": text(child(tracker, "carrier_detail"), "service"),
        "observed_at": observed_at or stamp(tracker, "updated_at"),
    }
    # A return label's parcel travels to us: its delivery is no delivery to a customer.
    if tracker.get("is_return") is True:
        return parsed
    scans = sorted(children(tracker, "tracking_details"), key=lambda scan: needed_stamp(scan, "datetime"))
    for columns in _scan_events(scans):
        parsed.add("shipment", **common, **columns)
    estimate = _estimate(tracker, scans)
    if estimate is not None:
        parsed.add("shipment", **common, **estimate)
    return parsed


def _scan_events(scans: Sequence[Record]) -> Iterator[dict[str, object]]:
    accepted = False
    for scan in scans:
        event_type = _event_type(scan)
        physical = _is_physical(scan)
        columns = _scan_columns(scan)
        if physical and not accepted:
            accepted = True
            # Seen for the first time at its delivery: handed over by then at the latest.
            known = event_type == "in_transit"
            quality = columns["time_quality"] if known else "estimated"
            yield columns | {"event_type": "carrier.accepted", "time_quality": quality}
            if known:
                continue
        if event_type is not None:
            yield columns | {"event_type": event_type}


def _scan_columns(scan: Record) -> dict[str, object]:
    place = child(scan, "tracking_location")
    city, state, postal_code = (text(place, key) for key in ("city", "state", "zip"))
    located = state is not None and (city is not None or postal_code is not None)
    detail = text(scan, "status_detail")
    return {
        "event_at": needed_stamp(scan, "datetime"),
        # Without a location the carrier's local time is passed on as if it were UTC.
        "time_quality": "instant" if located else "estimated",
        "status_code": text(scan, "status"),
        "reason": detail if detail not in ("status_update", "unknown") else None,
        "attributes": to_json({"message": text(scan, "message"), "city": city, "state": state}),
    }


def _event_type(scan: Record) -> str | None:
    status = text(scan, "status")
    if status == "delivered":
        return "delivered"
    if status in EXCEPTION_STATUSES or text(scan, "status_detail") in EXCEPTION_DETAILS:
        return "exception"
    return "in_transit" if _is_physical(scan) else None


def _is_physical(scan: Record) -> bool:
    return text(scan, "status") in PHYSICAL and text(scan, "status_detail") != "label_created"


def _estimate(tracker: Record, scans: Sequence[Record]) -> dict[str, object] | None:
    """Return the estimate event, while the parcel is on its way."""
    estimated: datetime | None = stamp(tracker, "est_delivery_date")
    if estimated is None or not scans or _event_type(scans[-1]) not in ("in_transit", "exception"):
        return None
    if not any(_is_physical(scan) for scan in scans):
        return None
    return {
        "event_type": "in_transit",
        "event_at": needed_stamp(scans[-1], "datetime"),
        "time_quality": "instant",
        "status_code": text(tracker, "status"),
        "reason": "estimate",
        "estimated_delivery_at": estimated,
    }
