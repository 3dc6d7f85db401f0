"""Plain tables of carrier scans (CSV or TSV), one row per scan → shipment events.

What a status means is data (seed `carrier_statuses`, system `*`): a carrier's own codes and common words. A row whose
status no row of it knows is rejected, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from pipelines.sources.base import REJECT_SCHEMA, AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import Layout, fits_any, parse_layouts
from pipelines.sources.mapping.values import to_utc
from pipelines.sources.records import RecordFault
from pipelines.sources.tracking import ESTIMATE, RETURNED, find_status, place_zone
from storage.contracts import conform

SOURCE: Final = "carrier"
_OFFSET: Final = r"(Z|[+-]\d{2}:?\d{2})$"
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


_PARCEL: Final = ("tracking_number", "carrier", "shipment_id")
_CARGO: Final = {"uom": "scanned_at", "ship_to_region": "state", "origin_region": "country"}
"""Columns that no scan has → the texts that travel in them until they have been judged."""


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
                **_CARGO,
            },
        }
    ]


def _judged(batch: ParsedBatch, context: AdapterContext) -> ParsedBatch:
    """Turn rows, all read as under way, into what their statuses mean."""
    rows = batch.events.get("shipment")
    if rows is None or rows.is_empty():
        return batch
    judged = _with_status(_placed(rows, context), context)
    faulty = judged.filter(pl.col("fault").is_not_null())
    rejects = faulty.select(
        "source_ref",
        pl.col("fault").alias("reason"),
        pl.struct(pl.col(rows.columns).cast(pl.String)).struct.json_encode().alias("raw"),
    )
    events = _events(judged.filter(pl.col("fault").is_null()))
    return ParsedBatch(
        events={"shipment": conform(events.select([*rows.columns]), "shipment")},
        rejects=pl.concat([batch.rejects, rejects.select(list(REJECT_SCHEMA))]),
        rows_in=batch.rows_in,
    )


def _placed(rows: pl.DataFrame, context: AdapterContext) -> pl.DataFrame:
    """Read stamps without offset in the zone of their state, and say how well each time is known."""
    zones = rows.select("ship_to_region", "origin_region").unique()
    names = [place_zone(state, country) for state, country in zones.iter_rows()]
    zones = zones.with_columns(pl.Series("zone", [str(name) if name else None for name in names], dtype=pl.String))
    written = pl.col("uom").fill_null("")
    is_aware = written.str.contains(_OFFSET)
    wall = (
        pl.col("event_at")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(str(context.zone))
        .dt.replace_time_zone(None)
    )
    local = [
        pl.when(~is_aware & (pl.col("zone") == name)).then(to_utc(wall, name))
        for name in sorted({str(name) for name in names if name})
    ]
    quality = (
        pl.when(~is_aware & ~written.str.contains(":"))
        .then(pl.lit("date"))
        .when(is_aware | pl.col("zone").is_not_null())
        .then(pl.lit("instant"))
        .otherwise(pl.lit("estimated"))
    )
    joined = rows.join(
        zones, on=["ship_to_region", "origin_region"], how="left", nulls_equal=True, maintain_order="left"
    )
    return joined.with_columns(
        pl.coalesce(*local, pl.col("event_at")).alias("event_at"), quality.alias("time_quality")
    ).with_columns(pl.col("event_at").dt.date().alias("day"), *(pl.lit(None, pl.String).alias(name) for name in _CARGO))


def _with_status(rows: pl.DataFrame, context: AdapterContext) -> pl.DataFrame:
    """Add what each status means on its day, or why it cannot be used."""
    key = ["carrier", "status_code", "reason", "day"]
    meanings = []
    for carrier, code, detail, day in rows.select(key).unique().iter_rows():
        at = datetime.combine(day, datetime.min.time())
        row: dict[str, Any] = dict(zip(key, (carrier, code, detail, day), strict=True))
        try:
            status = find_status(context.statuses, SOURCE, code, detail=detail, carrier=carrier, at=at)
            row |= {"kind": status.event_type, "physical": status.is_physical, "back": status.is_return_leg}
        except RecordFault as fault:
            row |= {"fault": str(fault)}
        meanings.append(row)
    schema = {
        "carrier": pl.String(), "status_code": pl.String(), "reason": pl.String(), "day": pl.Date(),
        "kind": pl.String(), "physical": pl.Boolean(), "back": pl.Boolean(), "fault": pl.String(),
    }  # fmt: skip
    known = pl.DataFrame(meanings, schema=schema)
    nameless = pl.when(pl.col("tracking_number").is_null()).then(pl.lit("the tracking number is empty"))
    return rows.join(known, on=key, how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.coalesce(nameless, pl.col("fault")).alias("fault")
    )


def _events(scans: pl.DataFrame) -> pl.DataFrame:
    """Return the events of all parcels; the same rules as `tracking.scan_events`, column by column."""
    scans = scans.sort([*_PARCEL, "event_at"], maintain_order=True).with_row_index("row")
    went_back = pl.col("back").cum_max().over(_PARCEL)
    scans = scans.with_columns(
        (pl.col("physical") & (pl.col("physical").cum_sum().over(_PARCEL) == 1)).alias("is_first"),
        (went_back & pl.col("kind").is_in(["delivered", "arrived"])).fill_null(value=False).alias("is_returned"),
    )
    scans = scans.with_columns(
        pl.when("is_returned").then(pl.lit("exception")).otherwise("kind").alias("kind"),
        pl.when("is_returned").then(pl.lit(RETURNED)).otherwise("reason").alias("reason"),
    )
    moving = pl.col("kind").is_in(["in_transit", "carrier.accepted"]).fill_null(value=False)
    bare = scans.with_columns(pl.lit(None, pl.Datetime("us")).alias("estimated_delivery_at"))
    accepted = bare.filter("is_first").with_columns(
        pl.lit("carrier.accepted").alias("event_type"),
        pl.when(moving).then("time_quality").otherwise(pl.lit("estimated")).alias("time_quality"),
        pl.lit(0).alias("step"),
    )
    told = bare.filter(pl.col("kind").is_not_null() & ~(pl.col("is_first") & moving)).with_columns(
        pl.col("kind").replace({"carrier.accepted": "in_transit"}).alias("event_type"), pl.lit(1).alias("step")
    )
    last = scans.group_by(_PARCEL, maintain_order=True).agg(
        pl.col("kind").last().is_in(["in_transit", "carrier.accepted", "exception"]).alias("is_under_way"),
        pl.col("physical").any().alias("is_with_carrier"),
        pl.col("row").filter(pl.col("estimated_delivery_at").is_not_null()).last().alias("row"),
    )
    estimates = (
        scans.join(last.filter(pl.col("is_under_way") & pl.col("is_with_carrier")).select("row"), on="row", how="semi")
    ).with_columns(
        pl.lit("in_transit").alias("event_type"),
        pl.lit("instant").alias("time_quality"),
        pl.lit(ESTIMATE).alias("reason"),
        pl.lit(2).alias("step"),
    )
    return pl.concat([accepted, told, estimates], how="diagonal").sort(["row", "step"], maintain_order=True)
