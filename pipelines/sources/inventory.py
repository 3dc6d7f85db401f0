"""Stock snapshots and inbound receipts (CSV or TSV) → inventory events.

Two layouts, told apart by their header whatever the file is called:
    snapshots   snapshot_at, warehouse, sku, on_hand, allocated, quarantine
    receipts    noted_at, receipt_id, warehouse, sku, quantity, expected_at, confirmed, checked_in_at, received_at,
                quantity_received; a receipt re-appears with news, noted_at says when it became known
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import group_by_header, has_header
from pipelines.sources.mapping.events import parse_tables
from pipelines.sources.mapping.model import MappingSpec

HEADERS: Final = {
    "snapshots": frozenset({"snapshot_at", "warehouse", "sku", "on_hand"}),
    "receipts": frozenset({"receipt_id", "noted_at", "warehouse", "sku", "quantity", "expected_at"}),
}
"""Layout → columns by which it is recognised (and which it must have)."""


def recognises(file: SourceFile) -> bool:
    """Say whether the header is one of the two layouts."""
    return any(has_header(file, columns) for columns in HEADERS.values())


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read stock files into events; stamps without offset are in the workspace's zone."""
    spec = MappingSpec.model_validate({
        "name": "inventory",
        "zone": str(context.zone),
        "tables": {
            "snapshots": {"files": "*", "required": False, "optional_columns": ["allocated", "quarantine"]},
            "receipts": {
                "files": "*",
                "required": False,
                "optional_columns": ["confirmed", "checked_in_at", "received_at", "quantity_received"],
            },
        },
        "events": [_snapshot(), *_receipts()],
    })  # fmt: skip
    return parse_tables(spec, group_by_header(files, HEADERS), origin="inventory")


def _snapshot() -> dict[str, Any]:
    return {
        "type": "inventory.snapshot",
        "from": "snapshots",
        "at": "snapshot_at",
        "columns": {
            "sku": "sku",
            "node_id": "warehouse",
            "quantity": "on_hand",
            "reserved_quantity": "allocated",
            "quarantine_quantity": "quarantine",
        },
    }


def _receipts() -> list[dict[str, Any]]:
    common = {"sku": "sku", "node_id": "warehouse", "receipt_id": "receipt_id"}
    expected = common | {"quantity": "quantity", "expected_at": "expected_at", "is_confirmed": "confirmed"}
    received = common | {"quantity": "quantity_received"}
    return [
        {"type": "receipt.expected", "from": "receipts", "at": "noted_at", "columns": expected},
        {"type": "receipt.checked_in", "from": "receipts", "at": "checked_in_at", "columns": common},
        {"type": "receipt.received", "from": "receipts", "at": "received_at", "columns": received},
    ]
