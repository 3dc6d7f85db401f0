"""What all tracking sources share: scans of one parcel → shipment events.

A tracking document carries the whole scan history so far, so the same scan arrives many times: a scan's event depends
only on the scan. The first scan that proves that the carrier has the parcel is its acceptance. The carrier's current
estimate belongs to no scan; it comes as an event of its own (`in_transit`, reason `estimate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from pipelines.sources.places import zone_of
from pipelines.sources.records import Parsed, Record, RecordFault, end_of_day, stamp, text, to_json
from pipelines.sources.statuses import Status, StatusBook

_US: Final = ("US", "USA", "UNITED STATES")
ESTIMATE: Final = "estimate"
RETURNED: Final = "returned_to_sender"
_DAY_ONLY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T00:00(:00(\.0+)?)?(Z|[+-]00:?00)?)?")


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of a parcel.

    Attributes:
        at: When, naive UTC.
        time_quality: How well that is known.
        status: What its code means.
        code: The code as the source gives it.
        reason: Its detail, for people.
        attributes: What else is worth keeping, as JSON.
        columns: Further columns of its events.
    """

    at: datetime
    time_quality: str
    status: Status
    code: str | None
    reason: str | None = None
    attributes: str | None = None
    columns: Mapping[str, object] = field(default_factory=dict)


def scan_events(scans: Sequence[Scan], *, is_returned: bool = False) -> Iterator[dict[str, object]]:
    """Yield the events of one parcel's scans.

    Args:
        scans: In the order in which they happened.
        is_returned: The source says that the parcel went back, without a scan that says so.
    """
    accepted = False
    returning = is_returned
    for scan in scans:
        event_type = scan.status.event_type
        reason = scan.reason
        returning = returning or scan.status.is_return_leg
        if returning and event_type in ("delivered", "arrived"):
            event_type, reason = "exception", RETURNED  # back at the sender, not with the customer
        columns: dict[str, object] = {
            **scan.columns,
            "event_at": scan.at,
            "time_quality": scan.time_quality,
            "status_code": scan.code,
            "reason": reason,
            "attributes": scan.attributes,
        }
        if scan.status.is_physical and not accepted:
            accepted = True
            # Seen for the first time at its delivery: handed over by then at the latest.
            known = event_type in ("in_transit", "carrier.accepted")
            quality = scan.time_quality if known else "estimated"
            yield columns | {"event_type": "carrier.accepted", "time_quality": quality}
            if known:
                continue
        if event_type is not None:
            yield columns | {"event_type": "in_transit" if event_type == "carrier.accepted" else event_type}


def told_at(record: Record, last: Scan) -> datetime:
    """Return when an estimate was told: at the record's last update, which may be later than its newest scan."""
    updated_at = stamp(record, "updated_at")
    return last.at if updated_at is None else max(last.at, updated_at)


def estimate_event(at: datetime, estimate: datetime, *, status_code: str | None) -> dict[str, object]:
    """Return the event of an estimate."""
    return {
        "event_type": "in_transit",
        "event_at": at,
        "time_quality": "instant",
        "status_code": status_code,
        "reason": ESTIMATE,
        "estimated_delivery_at": estimate,
    }


def newest_on_the_way(scans: Sequence[Scan]) -> Scan | None:
    """Return the newest scan of a parcel that is with the carrier and not delivered: estimates count only then."""
    last = scans[-1] if scans else None
    if last is None or last.status.event_type not in ("in_transit", "carrier.accepted", "exception"):
        return None
    return last if any(scan.status.is_physical for scan in scans) else None


def first_physical(scans: Sequence[Scan]) -> Scan | None:
    """Return the scan that proves the acceptance."""
    return next((scan for scan in scans if scan.status.is_physical), None)


def deadline(record: Record, key: str, *, zone: tzinfo) -> datetime | None:
    """Return an estimate or promise: an instant, or for a date (also written as midnight) the end of that local day."""
    value = text(record, key)
    if value is None:
        return None
    if _DAY_ONLY.fullmatch(value):
        return end_of_day(value, key, zone)
    return stamp(record, key, zone=zone)


def moment(record: Record, key: str, *, zone: tzinfo | None, fallback: tzinfo) -> tuple[datetime, str]:
    """Return an instant that must be there and how well it is known.

    A stamp without offset is in `zone`, the place's own; without one it is read in `fallback` and only estimated.
    """
    value = text(record, key)
    if value is None:
        message = f"{key} is missing"
        raise RecordFault(message)
    at = stamp(record, key, zone=zone or fallback)
    if at is None:
        message = f"{key} is missing"
        raise RecordFault(message)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return at, "date"
    if re.search(r"(Z|[+-]\d{2}:?\d{2})$", value) or zone is not None:
        return at, "instant"
    return at, "estimated"


def place_zone(region: str | None, country: str | None) -> ZoneInfo | None:
    """Return the zone of a place as carriers write it (`USA`, lower case), or None where it is not known."""
    if region is None:
        return None
    code = (country or "US").upper()
    name = zone_of(region.upper(), "US" if code in _US else code)
    return ZoneInfo(name) if name else None


def find_status(
    book: StatusBook, system: str, code: str | None, *, detail: str | None = None, carrier: str | None, at: datetime
) -> Status:
    """Return what a status means.

    Raises:
        RecordFault: No row of the carrier statuses knows it.
    """
    status = book.find(system, code, detail=detail, carrier=carrier, at=at)
    if status is None:
        message = (
            f"status {code!r} of {carrier or system} is not among the carrier statuses: add it to "
            "seeds/carrier_statuses.csv, then read the rejected scans again"
        )
        raise RecordFault(message)
    return status


def keep_scan(parsed: Parsed, pointer: str, part: Record, fault: RecordFault) -> None:
    """Note a scan that could not be read, with its own position."""
    parsed.refused.append((pointer, str(fault), part))


def place_attributes(place: Record, **more: object) -> str | None:
    """Return where a scan was, and whatever else, as JSON."""
    return to_json({key: text(place, key) for key in place if not isinstance(place[key], dict | list)} | more)


def from_epoch(record: Record, key: str) -> datetime | None:
    """Return a Unix time in seconds (or milliseconds) as naive UTC."""
    value = text(record, key)
    if value is None:
        return None
    if not re.fullmatch(r"\d{9,13}", value):
        message = f"{key}: {value[:60]!r} is not a Unix time"
        raise RecordFault(message)
    seconds = int(value) / (1000 if len(value) > 11 else 1)
    return datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - naive UTC by convention
