"""Stock snapshots and inbound receipts (CSV or TSV) → inventory events.

Three layouts, told apart by their header whatever the file is called and whatever it calls its columns (`LAYOUTS`):
    snapshots   snapshot_at, warehouse, sku, on_hand; optional allocated, quarantine, lot, expiry_date
    receipts    noted_at, receipt_id, warehouse, sku, quantity, expected_at, confirmed, checked_in_at, received_at,
                quantity_received; a receipt re-appears with news, noted_at says when it became known
    docks       receipt_id, warehouse, sku, checked_in_at and/or received_at, quantity_received: what the dock saw
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import Layout, columns_of, parse_layouts
from pipelines.sources.wms import SKU, WAREHOUSE

_LOT: Final = ("lot_number", "lot_no", "batch", "batch_number")
_EXPIRY: Final = ("expiration_date", "expiry", "expires_on", "exp_date", "best_before")
_RECEIPT: Final = (
    "receipt", "receipt_number", "receipt_no", "receiving_id", "asn", "asn_number", "inbound_id", "po_number",
    "purchase_order", "purchase_order_number",
)  # fmt: skip
_CHECKED_IN: Final = (
    "check_in_at", "check_in", "check_in_time", "checked_in", "arrived_at", "arrival_time", "dock_arrival",
    "trailer_check_in", "unload_start", "arrival_date",
)  # fmt: skip
_RECEIVED: Final = (
    "received_date", "received", "received_on", "receive_date", "receipt_date", "put_away_at", "putaway_at",
    "putaway_time", "stocked_at", "available_at", "date_received",
)  # fmt: skip
_QUANTITY_RECEIVED: Final = ("qty_received", "received_qty", "received_quantity", "units_received")

SNAPSHOTS: Final = Layout(
    "snapshots",
    {
        "snapshot_at": (
            "snapshot_date",
            "snapshot_time",
            "as_of",
            "as_of_date",
            "stock_date",
            "inventory_date",
            "counted_at",
        ),
        "warehouse": WAREHOUSE,
        "sku": SKU,
        "on_hand": ("on_hand_qty", "qty_on_hand", "quantity_on_hand", "on_hand_quantity", "onhand", "stock_on_hand"),
        "allocated": ("allocated_qty", "qty_allocated", "quantity_allocated", "reserved", "committed", "qty_committed"),
        "quarantine": ("quarantined", "on_hold", "hold_qty", "qty_on_hold", "damaged", "unsellable", "non_sellable"),
        "lot": _LOT,
        "expiry_date": _EXPIRY,
    },
    required=frozenset({"snapshot_at", "warehouse", "sku", "on_hand"}),
)
RECEIPTS: Final = Layout(
    "receipts",
    {
        "receipt_id": _RECEIPT,
        "noted_at": ("updated_at", "last_updated", "notified_at"),
        "warehouse": WAREHOUSE,
        "sku": SKU,
        "quantity": (
            "quantity_expected",
            "expected_quantity",
            "expected_qty",
            "qty_expected",
            "qty",
            "quantity_ordered",
        ),
        "expected_at": ("expected_date", "eta", "expected_arrival", "due_date", "expected_delivery"),
        "confirmed": ("is_confirmed",),
        "checked_in_at": _CHECKED_IN,
        "received_at": _RECEIVED,
        "quantity_received": _QUANTITY_RECEIVED,
        "lot": _LOT,
        "expiry_date": _EXPIRY,
    },
    required=frozenset({"receipt_id", "noted_at", "warehouse", "sku", "quantity", "expected_at"}),
)
DOCKS: Final = Layout(
    "docks",
    {
        "receipt_id": _RECEIPT,
        "warehouse": WAREHOUSE,
        "sku": SKU,
        "checked_in_at": _CHECKED_IN,
        "received_at": _RECEIVED,
        "quantity_received": (*_QUANTITY_RECEIVED, "quantity", "qty"),
        "lot": _LOT,
        "expiry_date": _EXPIRY,
    },
    required=frozenset({"receipt_id", "warehouse", "sku", "received_at", "quantity_received"}),
    foreign=frozenset({
        "rma", "rma_id", "rma_number", "return_id", "return_number", "disposition", "return_reason", "order_number",
        "order_id", "sales_order", "customer_id",
    }),
)  # fmt: skip
LAYOUTS: Final = (SNAPSHOTS, RECEIPTS, DOCKS)


def recognises(file: SourceFile) -> bool:
    """Say whether the header is one of the layouts."""
    cells, _ = columns_of(file)
    return bool(cells) and any(layout.fits(cells) for layout in LAYOUTS)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read stock files into events; stamps without offset are in the workspace's zone."""
    rules = (
        (SNAPSHOTS, lambda: [_snapshot()]),
        (RECEIPTS, _receipts),
        (DOCKS, lambda: _receipts()[1:]),
    )
    return parse_layouts(files, rules, source="inventory", zone=str(context.zone))


def _snapshot() -> dict[str, Any]:
    return {
        "type": "inventory.snapshot",
        "at": "snapshot_at",
        "columns": {
            "sku": "sku",
            "node_id": "warehouse",
            "quantity": "on_hand",
            "reserved_quantity": "allocated",
            "quarantine_quantity": "quarantine",
            "lot": "lot",
            "expiry_date": "expiry_date",
        },
    }


def _receipts() -> list[dict[str, Any]]:
    common = {
        "sku": "sku",
        "node_id": "warehouse",
        "receipt_id": "receipt_id",
        "lot": "lot",
        "expiry_date": "expiry_date",
    }
    expected = common | {"quantity": "quantity", "expected_at": "expected_at", "is_confirmed": "confirmed"}
    received = common | {"quantity": "quantity_received"}
    return [
        {"type": "receipt.expected", "at": "noted_at", "columns": expected},
        {"type": "receipt.checked_in", "at": "checked_in_at", "columns": common},
        {"type": "receipt.received", "at": "received_at", "columns": received},
    ]
