"""Plain tables of carrier scans (CSV or TSV), one row per scan → shipment events.

What a status means is data (seed `carrier_statuses`, system `*`): a carrier's own codes and common words. A row whose
status no row of it knows is rejected, never guessed.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, reject_frame
from pipelines.sources.layouts import Layout, fits_any, parse_layouts
from pipelines.sources.records import RecordFault, to_json
from pipelines.sources.tracking import Scan, estimate_event, find_status, newest_on_the_way, place_zone, scan_events
from storage.contracts import SHIPMENT, conform

SOURCE: Final = "carrier"
_OFFSET: Final = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")
SCANS: Final = Layout(
    "scans",
    {
        "tracking_number": ("tracking", "tracking_no", "tracking_id", "tracking_code", "pro_number", "awb", "waybill"),
        "carrier": ("carrier_code", "carrier_name", "scac", "courier", "slug"),
        "status": (
            "status_code", "event_code", "event", "event_type", "scan_code", "scan_type", "tracking_status", "tag",
        ),
        "scanned_at": (
            "scan_time", "scan_date", "scan_datetime", "event_time", "event_date", "event_at", "occurred_at",
            "datetime", "timestamp", "status_time", "status_date", "checkpoint_time",
        ),
        "detail": ("status_detail", "substatus", "sub_status", "subtag", "reason_code", "reason"),
        "message": ("description", "status_description", "event_description"),
        "order_number": ("order_no", "order_id", "order"),
        "shipment_id": ("shipment", "shipment_number"),
        "service": ("service_level", "service_code", "carrier_service"),
        "city": (),
        "state": ("region", "province", "state_province"),
        "country": ("country_code",),
        "estimated_delivery_at": ("estimated_delivery", "estimated_delivery_date", "edd", "eta"),
    },
    required=frozenset({"tracking_number", "status", "scanned_at"}),
    foreign=frozenset({
        "sku", "item_sku", "quantity", "qty", "quantity_shipped", "rma", "rma_id", "rma_number", "return_id",
        "hold_type", "financial_status", "order_status", "lineitem_name", "amazon_order_id", "fivetran_synced",
    }),
    lossy=frozenset({"scanned_at", "message", "city", "state", "country"}),
)  # fmt: skip


def recognises(file: SourceFile) -> bool:
    """Say whether the header is a table of scans."""
    return fits_any(file, [SCANS])


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read scans into shipment events. Stamps without offset are in the zone of the scan's state, else the workspace's.

    Raises:
        MappingError: No file has the columns.
    """
    return parse_layouts(
        files, ((SCANS, _rows),), source=SOURCE, zone=str(context.zone),
        finish=lambda _, batch: _judged(batch, context),
    )  # fmt: skip


def _rows() -> list[dict[str, Any]]:
    return [
        {
            "type": "in_transit",
            "at": "scanned_at",
            "missing_time": "reject",
            "columns": {
                "tracking_number": "tracking_number",
                "carrier": {"column": "carrier", "case": "lower"},
                "status_code": "status",
                "reason": "detail",
                "order_id": {"column": "order_number", "strip_prefix": "#"},
                "shipment_id": "shipment_id",
                "service": "service",
                "estimated_delivery_at": "estimated_delivery_at",
            },
        }
    ]


def _judged(batch: ParsedBatch, context: AdapterContext) -> ParsedBatch:
    """Turn rows, all read as under way, into what their statuses mean."""
    frame = batch.events.get("shipment")
    if frame is None or frame.is_empty():
        return batch
    parcels: dict[tuple[str | None, ...], list[tuple[Scan, datetime | None]]] = defaultdict(list)
    rejects = []
    for row in frame.iter_rows(named=True):
        try:
            scan = _scan(row, context)
        except RecordFault as fault:
            raw = {key: value for key, value in row.items() if value is not None}
            rejects.append({"source_ref": row["source_ref"], "reason": str(fault), "raw": to_json(raw) or ""})
            continue
        key = (row["tracking_number"], row["carrier"], row["shipment_id"])
        parcels[key].append((scan, row["estimated_delivery_at"]))
    events = [event for key, scans in parcels.items() for event in _parcel_events(key, scans)]
    return ParsedBatch(
        events={"shipment": conform(pl.DataFrame(events, schema=SHIPMENT.polars_schema()), "shipment")},
        rejects=pl.concat([batch.rejects, reject_frame(rejects)]),
        rows_in=batch.rows_in,
    )


def _scan(row: Mapping[str, Any], context: AdapterContext) -> Scan:
    if row["tracking_number"] is None:
        message = "the tracking number is empty"
        raise RecordFault(message)
    notes = json.loads(row["attributes"] or "{}")
    told = SCANS.resolve(list(notes))
    text, state, country = (notes.get(told.get(name, "")) for name in ("scanned_at", "state", "country"))
    zone = place_zone(state, country)
    at, quality = row["event_at"], "instant"
    if text and not _OFFSET.search(text):
        quality = "date" if ":" not in text else "instant" if zone is not None else "estimated"
        if zone is not None:
            wall = at.replace(tzinfo=UTC).astimezone(context.zone).replace(tzinfo=zone)
            at = wall.astimezone(UTC).replace(tzinfo=None)
    return Scan(
        at=at,
        time_quality=quality,
        status=find_status(
            context.statuses, SOURCE, row["status_code"], detail=row["reason"], carrier=row["carrier"], at=at
        ),
        code=row["status_code"],
        reason=row["reason"],
        attributes=row["attributes"],
        columns={key: row[key] for key in ("source_ref", "order_id", "service")},
    )


def _parcel_events(
    key: tuple[str | None, ...], scans: Sequence[tuple[Scan, datetime | None]]
) -> Iterator[dict[str, object]]:
    tracking_number, carrier, shipment_id = key
    common = {"tracking_number": tracking_number, "carrier": carrier, "shipment_id": shipment_id, "source": SOURCE}
    ordered = sorted(scans, key=lambda pair: pair[0].at)
    history = [scan for scan, _ in ordered]
    for columns in scan_events(history):
        yield common | columns
    told = [(scan, estimate) for scan, estimate in ordered if estimate is not None]
    if told and newest_on_the_way(history) is not None:
        scan, estimate = told[-1]
        yield common | dict(scan.columns) | estimate_event(scan.at, estimate, status_code=scan.code)
