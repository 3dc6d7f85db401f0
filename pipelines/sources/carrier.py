"""Carrier tracking: EasyPost trackers and webhook events (JSON), plain tables of scans (CSV) → shipment events.

A tracker is keyed by its id, since carriers use tracking numbers again. Its scan history so far arrives each time; see
`tracking` for how scans become events. What a status means is data (seed `carrier_statuses`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from pipelines.sources import scans as scan_tables
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
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
from pipelines.sources.tracking import (
    Scan,
    deadline,
    estimate_event,
    find_status,
    keep_scan,
    newest_on_the_way,
    place_zone,
    scan_events,
    told_at,
)

SYSTEM: Final = "easypost"
_DULL: Final = ("status_update", "unknown")


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds trackers (alone, in a list or in webhook events) or a table of scans."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return scan_tables.recognises(file)
    paths = outline(file.head)
    if paths <= {"trackers", "has_more"} and "trackers" in paths:
        return True  # a page without trackers
    return any(
        {f"{prefix}tracking_code", f"{prefix}tracking_details"} <= paths for prefix in ("", "trackers.", "result.")
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read trackers and scan tables into shipment events. EasyPost's stamps without offset are UTC."""
    documents = [file for file in files if file.kind in (".json", ".jsonl", ".ndjson")]
    tables = [file for file in files if file not in documents]
    read = collect(documents, wrappers=("trackers",), convert=lambda record: _convert(record, context))
    return merge_batches([read, scan_tables.parse(tables, context)]) if tables else read


def _convert(record: Record, context: AdapterContext) -> Parsed:
    if text(record, "object") == "Event":
        return tracker_events(child(record, "result"), context, observed_at=stamp(record, "created_at"))
    return tracker_events(record, context)


def tracker_events(tracker: Record, context: AdapterContext, *, observed_at: datetime | None = None) -> Parsed:
    """Return the events of an EasyPost tracker.

    Args:
        tracker: The tracker object.
        context: Statuses and zone.
        observed_at: When it was told; its `updated_at` by default.
    """
    parsed = Parsed()
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
    scans = _scans(tracker, context, parsed)
    for columns in scan_events(scans):
        parsed.add("shipment", **common, **columns)
    last = newest_on_the_way(scans)
    estimate = _estimate(tracker, context)
    if last is not None and estimate is not None:
        at = told_at(tracker, last)
        parsed.add("shipment", **common, **estimate_event(at, estimate, status_code=text(tracker, "status")))
    return parsed


def _scans(tracker: Record, context: AdapterContext, parsed: Parsed) -> list[Scan]:
    """Return the scans in order; those that cannot be read are noted in `parsed`."""
    details = children(tracker, "tracking_details")
    scans: list[Scan] = []
    faults: list[tuple[int, RecordFault]] = []
    for index, detail in enumerate(details):
        try:
            scans.append(_scan(detail, tracker, context))
        except RecordFault as fault:
            faults.append((index, fault))
    if len(details) == 1 and faults and "carrier statuses" not in str(faults[0][1]):
        raise faults[0][1]
    for index, wrong in faults:
        keep_scan(parsed, f"/tracking_details/{index}", details[index], wrong)
    return sorted(scans, key=lambda scan: scan.at)


def _scan(detail: Record, tracker: Record, context: AdapterContext) -> Scan:
    at = needed_stamp(detail, "datetime")
    place = child(detail, "tracking_location")
    city, state, postal_code = (text(place, key) for key in ("city", "state", "zip"))
    located = state is not None and (city is not None or postal_code is not None)
    code, finer = text(detail, "status"), text(detail, "status_detail")
    return Scan(
        at=at,
        # Without a location the carrier's local time is passed on as if it were UTC.
        time_quality="instant" if located else "estimated",
        status=find_status(context.statuses, SYSTEM, code, detail=finer, carrier=text(tracker, "carrier"), at=at),
        code=code,
        reason=finer if finer not in _DULL else None,
        attributes=to_json({
            "message": text(detail, "message"),
            "city": city,
            "state": state,
            "carrier_code": text(detail, "carrier_code"),
        }),
    )  # fmt: skip


def _estimate(tracker: Record, context: AdapterContext) -> datetime | None:
    """Return the current estimate; where the carrier gave a local date, the end of that day at the destination."""
    details = child(tracker, "carrier_detail")
    place = child(details, "destination_tracking_location")
    zone: tzinfo = place_zone(text(place, "state"), text(place, "country")) or context.zone
    day = text(details, "est_delivery_date_local")
    hour = text(details, "est_delivery_time_local")
    if day is not None and hour is not None:
        return stamp({"est_delivery_date_local": f"{day}T{hour}"}, "est_delivery_date_local", zone=zone)
    if day is not None:
        return deadline(details, "est_delivery_date_local", zone=zone)
    # Full trackers write a date as midnight; those without `carrier_detail` are taken at their word.
    if "carrier_detail" in tracker:
        return deadline(tracker, "est_delivery_date", zone=zone)
    return stamp(tracker, "est_delivery_date")
