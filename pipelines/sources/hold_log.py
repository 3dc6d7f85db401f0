"""Hold logs (CSV or TSV), one row per stay on hold: credit holds of the ERP or the credit desk, and others → holds.

The kind of hold stands in a column, or the file is a credit desk's (a column or the file's name says credit).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import Layout, columns_of, parse_layouts, plain

HOLD_NAMES: Final = {
    "credit": "credit", "credit_hold": "credit", "credit_limit": "credit", "over_limit": "credit", "ar": "credit",
    "past_due": "credit", "overdue": "credit", "fraud": "fraud", "fraud_review": "fraud", "risk": "fraud",
    "address": "address", "address_check": "address", "bad_address": "address", "payment": "payment",
    "payment_pending": "payment", "authorization": "payment", "stock": "stock", "inventory": "stock",
    "out_of_stock": "stock", "backorder": "stock",
}  # fmt: skip
"""Words systems use → our kinds of hold; any other word is `other`, its text kept in the attributes."""

HOLDS: Final = Layout(
    "holds",
    {
        "order_number": (
            "order_no", "order_id", "order", "sales_order", "sales_order_number", "so_number", "document_number",
        ),
        "order_line": ("line", "line_number", "line_id"),
        "hold_type": ("hold_code", "hold_name", "hold_category", "type_of_hold"),
        "placed_at": (
            "hold_placed_at", "held_at", "hold_date", "hold_placed", "hold_start", "on_hold_since", "placed_on",
            "credit_hold_date", "credit_hold_placed_at", "date_placed", "hold_created_at",
        ),
        "released_at": (
            "hold_released_at", "released", "release_date", "hold_released", "hold_end", "released_on", "date_released",
            "credit_release_date", "credit_hold_released_at", "hold_release_date",
        ),
        "customer_id": ("customer", "account", "account_id", "customer_number"),
        "reason": ("hold_reason", "note", "notes", "comment", "reason_code"),
    },
    required=frozenset({"order_number", "placed_at"}),
    foreign=frozenset({"sku", "item_sku", "rma_id", "rma_number", "tracking_number"}),
    lossy=frozenset({"hold_type"}),
)  # fmt: skip


def recognises(file: SourceFile) -> bool:
    """Say whether the header is a log of holds whose kind is known."""
    cells, _ = columns_of(file)
    return HOLDS.fits(cells) and ("hold_type" in HOLDS.resolve(cells) or _is_credit(file, cells))


def _is_credit(file: SourceFile, cells: Sequence[str]) -> bool:
    return any("credit" in plain(name).split("_") for name in (*cells, file.name))


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read hold logs into hold events; stamps without offset are in the workspace's zone."""
    return parse_layouts(
        files, ((HOLDS, lambda: [_rule("hold.placed"), _rule("hold.released")]),), source="hold_log",
        zone=str(context.zone), finish=_translated,
    )  # fmt: skip


def _rule(event_type: str) -> dict[str, Any]:
    return {
        "type": event_type,
        "at": "placed_at" if event_type == "hold.placed" else "released_at",
        "columns": {
            "order_id": {"column": "order_number", "strip_prefix": "#"},
            "line_id": "order_line",
            "hold_type": {"coalesce": [{"column": "hold_type", "case": "lower"}, {"constant": "credit"}]},
            "customer_id": "customer_id",
            "reason": "reason",
        },
    }


def _translated(layout: Layout, batch: ParsedBatch) -> ParsedBatch:
    """Write kinds of hold in our words."""
    del layout
    word = pl.col("hold_type").str.to_lowercase().str.replace_all("[^a-z0-9]+", "_").str.strip_chars("_")
    known = word.replace_strict(HOLD_NAMES, default="other", return_dtype=pl.String)
    events = {family: frame.with_columns(known.alias("hold_type")) for family, frame in batch.events.items()}
    return ParsedBatch(events=events, rejects=batch.rejects, rows_in=batch.rows_in)
