"""Warehouse exports of our own DC and the 3PLs (CSV or TSV) → releases, pick, pack and ship confirmations.

Two layouts, told apart by their header whatever the file is called:
    orders      warehouse, order_number, order_line, sku, quantity, received_at
    shipments   … quantity_shipped, pick_started_at … shipped_at, carrier, tracking_number, freight_cost …
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import group_by_header, has_header
from pipelines.sources.mapping.events import parse_tables
from pipelines.sources.mapping.model import MappingSpec

HEADERS: Final = {
    "orders": frozenset({"warehouse", "order_number", "order_line", "sku", "quantity", "received_at"}),
    "shipments": frozenset({"warehouse", "shipment_id", "order_number", "sku", "quantity_shipped", "shipped_at"}),
}
"""Layout → columns by which it is recognised (and which it must have)."""

OPTIONAL: Final = (
    "order_line",
    "pick_started_at",
    "pick_completed_at",
    "packed_at",
    "label_created_at",
    "carrier",
    "service",
    "tracking_number",
    "freight_cost",
    "ship_to_state",
)
STAGES: Final = {
    "pick.started": "pick_started_at",
    "pick.completed": "pick_completed_at",
    "packed": "packed_at",
    "label.created": "label_created_at",
    "ship.confirmed": "shipped_at",
}
"""Event type → column of its time; an empty cell means that it has not happened."""

_ORDER_ID: Final = {"column": "order_number", "strip_prefix": "#"}


def recognises(file: SourceFile) -> bool:
    """Say whether the header is one of the two layouts."""
    return any(has_header(file, columns) for columns in HEADERS.values())


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read warehouse files into events; stamps without offset are in the workspace's zone."""
    return parse_tables(_spec(context), group_by_header(files, HEADERS), origin="wms")


def _spec(context: AdapterContext) -> MappingSpec:
    return MappingSpec.model_validate({
        "name": "wms",
        "zone": str(context.zone),
        "tables": {
            "orders": {"files": "*", "required": False},
            "shipments": {"files": "*", "required": False, "optional_columns": OPTIONAL},
        },
        "events": [_release(), *(_stage(event_type, column, context) for event_type, column in STAGES.items())],
    })  # fmt: skip


def _release() -> dict[str, Any]:
    return {
        "type": "order.released",
        "from": "orders",
        "at": "received_at",
        "missing_time": "reject",
        "columns": {
            "order_id": _ORDER_ID,
            "line_id": "order_line",
            "sku": "sku",
            "quantity": "quantity",
            "node_id": "warehouse",
        },
    }


def _stage(event_type: str, column: str, context: AdapterContext) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "shipment_id": "shipment_id",
        "order_id": _ORDER_ID,
        "line_id": "order_line",
        "sku": "sku",
        "quantity": "quantity_shipped",
        "node_id": "warehouse",
        "carrier": {"column": "carrier", "case": "lower"},
        "service": "service",
        "tracking_number": "tracking_number",
        "ship_to_region": "ship_to_state",
    }
    if event_type == "ship.confirmed":
        # Once per shipment line only, so that sums over events are right.
        columns |= {"cost_amount": "freight_cost", "currency": {"constant": context.currency}}
    return {"type": event_type, "from": "shipments", "at": column, "columns": columns}
