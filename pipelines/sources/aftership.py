"""AfterShip tracking webhooks and API answers (legacy and dated versions up to 2026-07) → shipment events.

A tracking carries all its checkpoints each time. `checkpoint_time` is the carrier's local time where it has no offset.
AfterShip keeps its first estimate (`first_estimated_delivery`): it is told at the acceptance, the latest at the
newest checkpoint. What a tag and subtag mean is data (seed `carrier_statuses`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    collect,
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
    first_physical,
    from_epoch,
    keep_scan,
    moment,
    newest_on_the_way,
    place_zone,
    scan_events,
    told_at,
)

SYSTEM: Final = "aftership"
EVENTS: Final = ("tracking_update", "edd_revise", "tracking_pending_time")
_PREFIXES: Final = ("", "msg.", "data.", "data.tracking.", "data.trackings.", "trackings.", "tracking.")
_MARKS: Final = frozenset({"tracking_number", "slug", "tag"})
_ESTIMATES: Final = (
    "latest_estimated_delivery",
    "courier_estimated_delivery_date",
    "aftership_estimated_delivery_date",
    "expected_delivery",
)
"""Where versions keep the current estimate, best first."""


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds AfterShip trackings or webhook messages."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    if {"event", "event_id", "ts", "msg"} <= paths:
        return True
    return any(
        {prefix + mark for mark in _MARKS} <= paths and {f"{prefix}checkpoints", f"{prefix}subtag"} & paths
        for prefix in _PREFIXES
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read trackings into shipment events, one per checkpoint that says something, and their estimates."""
    return collect(
        files,
        wrappers=("data", "trackings", "tracking"),
        convert=lambda record: _convert(record, context),
        is_record=lambda record: "tracking_number" in record or "msg" in record,
    )


def _convert(record: Record, context: AdapterContext) -> Parsed:
    observed_at = None
    tracking = record
    if "msg" in record:
        event = text(record, "event")
        if event not in EVENTS:
            message = f"event: {event!r} is not an event this source reads (expected {', '.join(EVENTS)})"
            raise RecordFault(message)
        tracking = child(record, "msg")
        observed_at = from_epoch(record, "ts")
    parsed = Parsed()
    order = text(tracking, "order_number")
    common: dict[str, Any] = {
        "tracking_number": needed_text(tracking, "tracking_number"),
        "shipment_id": text(tracking, "id"),
        "carrier": (text(tracking, "slug") or "").lower() or None,
        "service": text(tracking, "shipment_type"),
        "order_id": order.removeprefix("#") if order else None,
        "observed_at": observed_at or stamp(tracking, "updated_at"),
    }
    scans = _scans(tracking, context, parsed)
    for columns in scan_events(scans, is_returned=_went_back(tracking, scans)):
        parsed.add("shipment", **common, **columns)
    _add_estimates(parsed, tracking, scans, common, context)
    return parsed


def _went_back(tracking: Record, scans: Sequence[Scan]) -> bool:
    """Say whether only the tracking, and no checkpoint, tells that the parcel was returned."""
    return tracking.get("return_to_sender") is True and not any(scan.status.is_return_leg for scan in scans)


def _scans(tracking: Record, context: AdapterContext, parsed: Parsed) -> list[Scan]:
    scans: list[Scan] = []
    seen: set[str] = set()
    for index, checkpoint in enumerate(children(tracking, "checkpoints")):
        try:
            mark = text(checkpoint, "hash")
            if mark is None or mark not in seen:
                scans.append(_scan(checkpoint, tracking, context))
                seen |= {mark} if mark else set()
        except RecordFault as fault:
            keep_scan(parsed, f"/checkpoints/{index}", checkpoint, fault)
    return sorted(scans, key=lambda scan: scan.at)


def _scan(checkpoint: Record, tracking: Record, context: AdapterContext) -> Scan:
    state = text(checkpoint, "state")
    country = text(checkpoint, "country_iso3") or text(checkpoint, "country_region")
    at, quality = moment(checkpoint, "checkpoint_time", zone=place_zone(state, country), fallback=context.zone)
    tag, subtag = text(checkpoint, "tag"), text(checkpoint, "subtag")
    carrier = text(checkpoint, "slug") or text(tracking, "slug")
    return Scan(
        at=at,
        time_quality=quality,
        status=find_status(context.statuses, SYSTEM, tag, detail=subtag, carrier=carrier, at=at),
        code=subtag or tag,
        reason=text(checkpoint, "subtag_message"),
        attributes=to_json({
            **{key: text(checkpoint, key) for key in ("message", "city", "hash", "raw_tag", "created_at")},
            "state": state,
            "country": country,
        }),
    )  # fmt: skip


def _add_estimates(
    parsed: Parsed, tracking: Record, scans: Sequence[Scan], common: dict[str, Any], context: AdapterContext
) -> None:
    first, last = first_physical(scans), newest_on_the_way(scans)
    if first is None:
        return
    place = text(tracking, "destination_state")
    country = text(tracking, "destination_country_iso3") or text(tracking, "destination_country_region")
    zone: tzinfo = place_zone(place, country) or context.zone
    frozen = _estimate(tracking, "first_estimated_delivery", zone)
    if frozen is not None:
        parsed.add("shipment", **common, **estimate_event(first.at, frozen, status_code=first.code))
    current = next((found for key in _ESTIMATES if (found := _estimate(tracking, key, zone)) is not None), None)
    if last is not None and current is not None and current != frozen:
        at = told_at(tracking, last)
        if frozen is None or at > first.at:  # otherwise the first one stands for this instant
            parsed.add("shipment", **common, **estimate_event(at, current, status_code=text(tracking, "tag")))


def _estimate(tracking: Record, key: str, zone: tzinfo) -> Any:  # noqa: ANN401 - an instant or None
    """Return an estimate: a date or instant, or an object with one; of a range, its end."""
    value = tracking.get(key)
    if not isinstance(value, dict):
        return deadline(tracking, key, zone=zone)
    names = ("datetime_max", "estimated_delivery_date_max", "datetime", "estimated_delivery_date")
    return next((found for name in names if (found := deadline(value, name, zone=zone)) is not None), None)
