"""RMA tables (CSV or TSV), one row per returned line, whatever the columns are called → return events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import Layout, fits_any, parse_layouts
from pipelines.sources.wms import SKU, WAREHOUSE

DISPOSITION_NAMES: Final = {
    "restock": "restock_a",
    "restocked": "restock_a",
    "resell": "restock_a",
    "resellable": "restock_a",
    "sellable": "restock_a",
    "a_grade": "restock_a",
    "a": "restock_a",
    "like_new": "restock_a",
    "b": "b_grade",
    "restock_b": "b_grade",
    "open_box": "b_grade",
    "refurb": "refurbish",
    "repair": "refurbish",
    "liquidation": "liquidate",
    "donation": "donate",
    "donated": "donate",
    "dispose": "destroy",
    "disposed": "destroy",
    "destroyed": "destroy",
    "scrap": "destroy",
    "trash": "destroy",
    "discard": "destroy",
    "return_to_vendor": "rtv",
    "vendor_return": "rtv",
}
"""Words systems use → our dispositions; any other word is refused by the row contract."""

RMAS: Final = Layout(
    "rmas",
    {
        "rma_id": ("rma", "rma_number", "rma_no", "rma_num", "return_id", "return_number", "return_no", "ra_number"),
        "order_number": ("order_no", "order_id", "order", "order_name", "original_order", "sales_order"),
        "order_line": ("line", "line_number", "line_no", "line_id", "order_line_number", "order_line_id"),
        "sku": SKU,
        "quantity": ("qty", "quantity_returned", "qty_returned", "return_quantity", "return_qty", "units"),
        "created_at": (
            "rma_date", "rma_created_at", "requested_at", "request_date", "created", "created_date", "opened_at",
            "authorized_at", "date_created", "return_requested_at", "requested_date", "requested_on", "date_requested",
            "initiated_at", "return_date",
        ),
        "in_transit_at": ("first_scan_at", "shipped_at", "label_scanned_at", "return_shipped_at", "return_ship_date"),
        "received_at": ("received", "received_date", "receipt_date", "return_received_at", "date_received"),
        "graded_at": ("inspected_at", "inspection_date", "graded", "graded_date", "inspected"),
        "restocked_at": ("restocked", "restock_date", "putaway_at", "put_away_at", "restocked_date"),
        "refunded_at": ("refund_date", "refunded", "refund_issued_at", "credited_at", "credit_date"),
        "refund_amount": ("refund", "amount", "credit_amount", "refund_total", "amount_refunded"),
        "currency": ("currency_code",),
        "reason": ("return_reason", "reason_code", "return_reason_code"),
        "disposition": ("grade", "condition_grade", "disposition_code", "outcome"),
        "tracking_number": ("return_tracking", "return_tracking_number", "tracking", "label_tracking_number"),
        "warehouse": (*WAREHOUSE, "return_center", "returned_to"),
    },
    required=frozenset({"rma_id", "sku", "quantity", "created_at"}),
    foreign=frozenset({"fivetran_synced"}),
    lossy=frozenset({"disposition"}),
)  # fmt: skip


def recognises(file: SourceFile) -> bool:
    """Say whether the header is an RMA table."""
    return fits_any(file, [RMAS])


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read RMA tables into return events; stamps without offset are in the workspace's zone."""
    return parse_layouts(
        files, ((RMAS, lambda: _rules(context)),), source="returns", zone=str(context.zone), finish=_translated
    )


def _rules(context: AdapterContext) -> list[dict[str, Any]]:
    common = {
        "rma_id": "rma_id",
        "order_id": {"column": "order_number", "strip_prefix": "#"},
        "line_id": "order_line",
        "sku": "sku",
        "quantity": "quantity",
        "node_id": "warehouse",
    }
    money = {"amount": "refund_amount", "currency": {"coalesce": ["currency", {"constant": context.currency}]}}
    graded = {"disposition": "disposition"}
    return [
        {"type": "rma.created", "at": "created_at", "columns": common | {"reason": "reason"}},
        {
            "type": "return.in_transit",
            "at": "in_transit_at",
            "columns": common | {"tracking_number": "tracking_number"},
        },
        {"type": "return.received", "at": "received_at", "columns": common},
        {"type": "return.graded", "at": "graded_at", "columns": common | graded},
        {"type": "return.restocked", "at": "restocked_at", "columns": common | graded},
        {"type": "refund.issued", "at": "refunded_at", "columns": common | money},
    ]


def _translated(layout: Layout, batch: ParsedBatch) -> ParsedBatch:
    """Write dispositions in our words."""
    del layout
    word = pl.col("disposition").str.to_lowercase().str.replace_all("[^a-z0-9]+", "_").str.strip_chars("_")
    known = word.replace(DISPOSITION_NAMES)
    events = {family: frame.with_columns(known.alias("disposition")) for family, frame in batch.events.items()}
    return ParsedBatch(events=events, rejects=batch.rejects, rows_in=batch.rows_in)
