"""Warehouse exports of our own DC and the 3PLs (CSV or TSV) → releases, pick, pack and ship confirmations.

Four layouts, told apart by their header whatever the file is called and whatever it calls its columns (`LAYOUTS`):
    shipments   … quantity_shipped, pick_started_at … shipped_at, carrier, tracking_number, freight_cost …
    orders      warehouse, order_number, order_line, sku, quantity, received_at
    picks       order_number, sku, quantity_picked, picked_at; optional pick_started_at, shipment_id …
    packs       order_number, sku, quantity_packed, packed_at; optional carton, tracking_number, shipment_id …
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.layouts import Layout, fits_any, parse_layouts

WAREHOUSE: Final = ("warehouse_id", "warehouse_code", "facility", "facility_id", "dc", "fc", "node", "node_id", "site")
SKU: Final = ("item_sku", "item", "item_number", "item_id", "product_sku", "product_code", "part_number", "style")
_ORDER: Final = (
    "order_no", "order_id", "order", "order_num", "sales_order", "sales_order_number", "so_number",
    "customer_order_number", "depositor_order_number",
)  # fmt: skip
_LINE: Final = ("line", "line_number", "line_no", "line_id", "order_line_number", "order_line_id")
_SHIPMENT: Final = ("shipment", "shipment_number", "shipment_no", "ship_id", "delivery_number", "load_id")
_TRACKING: Final = ("tracking", "tracking_no", "tracking_id", "tracking_code", "pro_number", "pro")
_PARCEL: Final = {
    "carrier": ("carrier_code", "carrier_name", "scac"),
    "service": ("ship_method", "shipping_method", "carrier_service", "service_level"),
    "tracking_number": _TRACKING,
    "sscc": ("sscc_18", "carton_sscc", "ucc128", "lpn"),
    "ship_to_state": ("ship_to_region", "ship_to_province", "state", "destination_state"),
    "uom": ("unit_of_measure",),
}
_COMMON: Final = {"order_number": _ORDER, "order_line": _LINE, "sku": SKU}
_PICK_START: Final = ("pick_start", "pick_start_time", "picking_started_at", "pick_start_date")
_PICK_END: Final = ("picked_at", "pick_completed", "pick_end", "pick_end_time", "pick_complete_time", "pick_date")
_PACKED: Final = ("pack_time", "pack_date", "packed", "packed_on", "pack_completed_at", "pack_end")
_SHIPPED: Final = (
    "ship_date", "shipped_date", "ship_time", "shipped_on", "shipped", "ship_confirmed_at", "ship_confirm_date",
    "actual_ship_date", "date_shipped",
)  # fmt: skip

_QUANTITY_SHIPPED: Final = ("qty_shipped", "shipped_qty", "shipped_quantity", "ship_qty", "units_shipped")

SHIPMENTS: Final = Layout(
    "shipments",
    {
        "warehouse": WAREHOUSE,
        "shipment_id": _SHIPMENT,
        **_COMMON,
        "quantity_shipped": _QUANTITY_SHIPPED,
        "shipped_at": _SHIPPED,
        "pick_started_at": _PICK_START,
        "pick_completed_at": _PICK_END,
        "packed_at": _PACKED,
        "label_created_at": ("label_date", "label_time", "label_created"),
        **_PARCEL,
        "freight_cost": ("freight", "freight_amount", "shipping_cost", "ship_cost", "carrier_cost"),
    },
    required=frozenset({"order_number", "sku", "quantity_shipped", "shipped_at"}),
    foreign=frozenset({"amazon_order_id", "tran_id", "transaction_id"}),
)
ORDERS: Final = Layout(
    "orders",
    {
        "warehouse": WAREHOUSE,
        **_COMMON,
        "quantity": ("qty", "quantity_ordered", "qty_ordered", "ordered_qty", "quantity_released", "qty_released"),
        "received_at": ("order_received_at", "released_at", "released_date", "release_date", "release_time"),
    },
    required=frozenset({"warehouse", "order_number", "sku", "quantity", "received_at"}),
    foreign=frozenset({
        "receipt_id", "receipt_number", "receipt_no", "asn", "asn_number", "quantity_received", "qty_received", "rma",
        "rma_id", "rma_number", "hold_type", "quantity_shipped", "customer_email", *_QUANTITY_SHIPPED,
    }),
)  # fmt: skip
PICKS: Final = Layout(
    "picks",
    {
        "warehouse": WAREHOUSE,
        "shipment_id": _SHIPMENT,
        **_COMMON,
        "quantity_picked": ("qty_picked", "picked_qty", "picked_quantity", "units_picked"),
        "pick_started_at": _PICK_START,
        "pick_completed_at": (*_PICK_END, "completed_at", "completed"),
    },
    required=frozenset({"order_number", "sku", "quantity_picked", "pick_completed_at"}),
    foreign=frozenset({"quantity_shipped", "quantity_packed", "qty_packed", *_QUANTITY_SHIPPED}),
    lossy=frozenset({"quantity_picked"}),
)
PACKS: Final = Layout(
    "packs",
    {
        "warehouse": WAREHOUSE,
        "shipment_id": _SHIPMENT,
        **_COMMON,
        "quantity_packed": ("qty_packed", "packed_qty", "packed_quantity", "units_packed"),
        "packed_at": (*_PACKED, "completed_at"),
        "carton": ("carton_id", "carton_number", "box_id", "container", "package_id"),
        **_PARCEL,
    },
    required=frozenset({"order_number", "sku", "quantity_packed", "packed_at"}),
    foreign=frozenset({"quantity_shipped", *_QUANTITY_SHIPPED}),
    lossy=frozenset({"quantity_packed", "carton"}),
)
LAYOUTS: Final = (SHIPMENTS, ORDERS, PICKS, PACKS)

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
    """Say whether the header is one of the layouts."""
    return fits_any(file, LAYOUTS)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read warehouse files into events; stamps without offset are in the workspace's zone."""
    rules = (
        (SHIPMENTS, lambda: [_stage(event_type, column, context) for event_type, column in STAGES.items()]),
        (ORDERS, lambda: [_release()]),
        (PICKS, lambda: _steps(("pick.started", "pick.completed"), "quantity_picked")),
        (PACKS, lambda: _steps(("packed",), "quantity_packed")),
    )
    return parse_layouts(files, rules, source="wms", zone=str(context.zone), finish=_one_quantity)


def _release() -> dict[str, Any]:
    return {
        "type": "order.released",
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
    columns = _line("quantity_shipped") | {"shipment_id": {"coalesce": ["shipment_id", "tracking_number"]}}
    if event_type == "ship.confirmed":
        # Once per shipment line only, so that sums over events are right.
        columns |= {"cost_amount": "freight_cost", "currency": {"constant": context.currency}}
    return {"type": event_type, "at": column, "columns": columns}


def _steps(event_types: Sequence[str], quantity: str) -> list[dict[str, Any]]:
    return [{"type": name, "at": STAGES[name], "columns": _line(quantity)} for name in event_types]


def _line(quantity: str) -> dict[str, Any]:
    return {
        "shipment_id": "shipment_id",
        "order_id": _ORDER_ID,
        "line_id": "order_line",
        "sku": "sku",
        "quantity": quantity,
        "uom": "uom",
        "node_id": "warehouse",
        "carrier": {"column": "carrier", "case": "lower"},
        "service": "service",
        "tracking_number": "tracking_number",
        "sscc": "sscc",
        "ship_to_region": "ship_to_state",
    }


def _one_quantity(layout: Layout, batch: ParsedBatch) -> ParsedBatch:
    """Leave the quantity of a pick or pack out where no shipment is named: it would count beside the shipment's own."""
    if layout not in (PICKS, PACKS):
        return batch
    events = {
        family: frame.with_columns(pl.when(pl.col("shipment_id").is_not_null()).then("quantity").alias("quantity"))
        for family, frame in batch.events.items()
    }
    return ParsedBatch(events=events, rejects=batch.rejects, rows_in=batch.rows_in)
