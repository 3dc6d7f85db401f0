"""ShipStation: API v1 and v2 (JSON) and the desk's CSV exports → orders, labels and shipments.

v1 stamps have no offset and are US Pacific. The orders that an order was split into share its number; `orderKey` is
unique and kept as an attribute, and the lines of a split-off order are told apart by `orderItemId`. `createDate` of a
shipment is when its label was made; `shipDate` is a date, often in the future: the shipment is confirmed then, never
before its label. v2 has the shapes of ShipEngine (`shipengine`). The fields of a record show its version; other shapes
are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.sources import shipengine
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches
from pipelines.sources.layouts import MONTH_FIRST, Layout, fits_any, parse_layouts
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    collect,
    end_of_day,
    money,
    needed_text,
    outline,
    quantity,
    stamp,
    text,
    to_json,
)
from pipelines.sources.tracking import place_zone

PACIFIC: Final = ZoneInfo("America/Los_Angeles")
"""ShipStation's clock: v1 stamps have no offset (docs.shipstation.com, tap-shipstation)."""

STATUSES: Final = (
    "awaiting_payment", "awaiting_shipment", "pending_fulfillment", "shipped", "on_hold", "cancelled",
    "rejected_fulfillment",
)  # fmt: skip
KINDS: Final = {
    "shipment": frozenset({"shipmentId", "orderNumber", "createDate"}),
    "fulfillment": frozenset({"fulfillmentId", "orderNumber", "createDate"}),
    "order": frozenset({"orderId", "orderNumber", "orderStatus"}),
}
"""Kind of v1 record → fields by which it is known."""

_PREFIXES: Final = ("", "orders.", "shipments.", "fulfillments.")
_CHANNELS: Final = {"web": "dtc", "webstore": "dtc", "shopify": "dtc", "woocommerce": "dtc", "bigcommerce": "dtc"}

EXPORT: Final = Layout(
    "export",
    {
        "order_number": ("order_no", "order", "order_order_number"),
        "order_key": ("order_order_key", "order_unique_identifier"),
        "order_date": ("date_order_date", "order_order_date"),
        "paid_date": ("date_paid_date", "payment_date", "date_payment_date"),
        "ship_by_date": ("date_ship_by_date", "ship_by", "date_ship_by"),
        "shipped_date": ("date_shipped_date", "ship_date", "shipment_ship_date", "date_ship_date"),
        "label_date": ("label_create_date", "date_label_created", "shipment_create_date"),
        "void_date": ("date_void_date", "voided_date", "date_voided"),
        "status": ("order_status", "order_order_status"),
        "item_sku": ("sku", "item_item_sku"),
        "item_qty": ("item_quantity", "quantity", "qty", "item_item_qty"),
        "item_price": ("item_unit_price", "unit_price"),
        "line_item_key": ("item_line_item_key", "item_line_item_id", "item_order_item_id"),
        "shipment_id": ("shipment_shipment_id", "shipment_id_number"),
        "tracking_number": ("shipment_tracking_number", "tracking", "tracking_no", "carrier_tracking_number"),
        "carrier": ("carrier_name", "carrier_carrier", "shipment_carrier", "carrier_selected", "provider"),
        "service": ("service_name", "carrier_service_selected", "shipment_service", "carrier_service"),
        "shipping_cost": ("carrier_fee", "shipment_cost", "amount_shipping_cost", "shipment_carrier_fee", "label_cost"),
        "ship_to_state": ("ship_to_state_province", "state"),
        "ship_to_country": ("country", "ship_to_country_code"),
        "ship_to_postal_code": ("ship_to_postal", "postal_code", "ship_to_zip"),
    },
    required=frozenset({"order_number"}),
    lossy=frozenset({"status", "shipping_cost", "order_key"}),
)  # fmt: skip
_MARKS: Final = frozenset({
    "order_number", "order_key", "order_status", "date_order_date", "date_shipped_date", "date_paid_date",
    "date_ship_by_date", "item_sku", "item_qty", "item_name", "shipment_tracking_number", "ship_to_state",
    "amount_order_total", "amount_shipping_cost", "carrier_service_selected", "carrier_fee", "order_source",
})  # fmt: skip
"""Headings of the export in the form `Group - Field`."""

_ENOUGH: Final = 3
"""So many of them mark a file as ShipStation's."""


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds v1 or v2 API records, a webhook notification, or the desk's CSV export."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return _is_export(file)
    paths = outline(file.head)
    if any({prefix + mark for mark in marks} <= paths for prefix in _PREFIXES for marks in KINDS.values()):
        return True
    if {"resource_url", "resource_type"} <= paths:
        return "data" not in paths or shipengine.from_station(file)
    return shipengine.is_v2(file) and shipengine.from_station(file)


def _is_export(file: SourceFile) -> bool:
    line = file.head.decode("utf-8", errors="replace").removeprefix("\ufeff").split("\n", 1)[0]
    if " - " not in line or not fits_any(file, [EXPORT]):
        return False
    headings = {cell for cell in line.replace('"', "").rstrip("\r").replace("\t", ",").split(",") if " - " in cell}
    return len({"_".join(h.lower().replace(" - ", " ").split()) for h in headings} & _MARKS) >= _ENOUGH


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read ShipStation records and exports into order and shipment events."""
    documents = [file for file in files if file.kind in (".json", ".jsonl", ".ndjson")]
    tables = [file for file in files if file not in documents]
    batches = [
        collect(
            documents,
            wrappers=("orders", "shipments", "fulfillments", "labels"),
            convert=lambda record: _convert(record, context),
            is_record=lambda record: _kind(record) is not None or shipengine.is_record(record),
        )
    ]
    if tables:
        rules = ((EXPORT, lambda: _export_rules(context)),)
        batches.append(parse_layouts(tables, rules, source="shipstation", zone=str(PACIFIC), dates=MONTH_FIRST))
    return merge_batches(batches)


def _kind(record: Record) -> str | None:
    return next((name for name, marks in KINDS.items() if marks <= record.keys()), None)


def _convert(record: Record, context: AdapterContext) -> Parsed:
    kind = _kind(record)
    if kind is None:
        return shipengine.convert(record, context)
    parsed = Parsed()
    if kind == "order":
        _add_order(parsed, record, context)
    elif kind == "shipment":
        _add_shipment(parsed, record, context)
    else:
        _add_fulfillment(parsed, record)
    return parsed


def _instant(record: Record, key: str) -> datetime | None:
    return stamp(record, key, zone=PACIFIC)


def _needed(record: Record, key: str) -> datetime:
    at = _instant(record, key)
    if at is None:
        message = f"{key} is missing"
        raise RecordFault(message)
    return at


def _day_start(value: str, key: str) -> datetime:
    return _needed({key: value[:10]}, key)


def _order_id(record: Record) -> str:
    return needed_text(record, "orderNumber").removeprefix("#")


def _line_id(item: Record, options: Record) -> str | None:
    """Return the shop's line; of a split-off order, whose lines repeat the parent's key, ShipStation's own."""
    own, key = text(item, "orderItemId"), text(item, "lineItemKey")
    return own if text(options, "parentId") is not None or key is None else key


def _add_order(parsed: Parsed, order: Record, context: AdapterContext) -> None:
    status = text(order, "orderStatus")
    if status not in STATUSES:
        message = f"orderStatus: {status!r} is not one of {', '.join(STATUSES)}"
        raise RecordFault(message)
    options, place = child(order, "advancedOptions"), child(order, "shipTo")
    region, country = text(place, "state"), text(place, "country")
    zone = place_zone(region, country)
    changed_at = _instant(order, "modifyDate")
    ordered_at = _needed(order, "orderDate")
    paid_at = _instant(order, "paymentDate")
    source = text(options, "source")
    common: dict[str, Any] = {
        "order_id": _order_id(order),
        "observed_at": changed_at,
        "attributes": to_json({
            "order_key": text(order, "orderKey"),
            "shipstation_order_id": text(order, "orderId"),
            "parent_id": text(options, "parentId"),
            "order_status": status,
            "store_id": text(options, "storeId"),
            "order_source": source,
        }),
    }  # fmt: skip
    freight = money(order, "shippingAmount")
    goods = [
        item for item in children(order, "items") if item.get("adjustment") is not True
    ]  # the others are discounts
    lines: list[dict[str, Any]] = [
        {
            "line_id": _line_id(item, options),
            "sku": text(item, "sku"),
            "quantity": _units(item),
            "unit_price": money(item, "unitPrice"),
        }
        for item in goods
    ] or [{}]
    for line in lines:
        parsed.add(
            "order",
            event_type="order.captured",
            event_at=ordered_at,
            time_quality="instant",
            currency=context.currency,
            freight_amount=freight,
            channel=_CHANNELS.get(source.lower(), source.lower()) if source else None,
            customer_id=text(order, "customerId"),
            service_level=text(order, "requestedShippingService") or text(order, "serviceCode"),
            ship_to_region=region,
            ship_to_country=country,
            ship_to_postal_code=text(place, "postalCode"),
            clock_zone=str(zone) if zone else None,
            **line,
            **common,
        )
        freight = None  # once per order
    _add_order_states(parsed, order, common, status, (ordered_at, paid_at, changed_at), context)


def _add_order_states(
    parsed: Parsed,
    order: Record,
    common: dict[str, Any],
    status: str,
    times: tuple[datetime, datetime | None, datetime | None],
    context: AdapterContext,
) -> None:
    ordered_at, paid_at, changed_at = times
    known_at = changed_at or ordered_at
    unpaid = {"hold_type": "payment", "time_quality": "instant"}
    if status == "awaiting_payment" or (paid_at is not None and paid_at > ordered_at):
        parsed.add("order", event_type="hold.placed", event_at=ordered_at, **unpaid, **common)
    if paid_at is not None and status != "awaiting_payment":
        parsed.add("order", event_type="order.approved", event_at=paid_at, time_quality="instant", **common)
        if paid_at > ordered_at:
            parsed.add("order", event_type="hold.released", event_at=paid_at, **unpaid, **common)
    ship_by = text(order, "shipByDate")
    if ship_by is not None:
        # A date is the whole day where the goods are; the warehouse's zone is the workspace's.
        midnight = ship_by[10:19] in ("", "T00:00:00")
        limit = end_of_day(ship_by, "shipByDate", context.zone) if midnight else _instant(order, "shipByDate")
        told = {"event_at": ordered_at, "time_quality": "instant", "ship_by_at": limit}
        parsed.add("order", event_type="order.promised", **told, **common)
    hold_until = text(order, "holdUntilDate")
    if status == "on_hold" or hold_until is not None:
        held = {"hold_type": "other", "time_quality": "estimated"}
        until = _day_start(hold_until, "holdUntilDate") if hold_until else None
        if status == "on_hold":
            parsed.add("order", event_type="hold.placed", event_at=known_at, **held, **common)
        elif until is not None:
            until = min(until, known_at)  # taken off by hand before its day
        if until is not None:
            parsed.add("order", event_type="hold.released", event_at=until, **held, **common)
    if status == "cancelled":
        parsed.add(
            "order",
            event_type="order.cancelled",
            event_at=known_at,
            time_quality="estimated",
            actor="unknown",
            **common,
        )


def _units(item: Record) -> Decimal:
    units = quantity(item, "quantity")
    if units is None:
        message = "items.quantity is missing"
        raise RecordFault(message)
    return units


def _parcel(record: Record, key: str) -> dict[str, Any]:
    carrier = text(record, "carrierCode")
    return {
        "shipment_id": needed_text(record, key),
        "order_id": _order_id(record),
        "tracking_number": text(record, "trackingNumber"),
        "carrier": carrier.lower() if carrier else None,
        "ship_to_region": text(child(record, "shipTo"), "state"),
    }


def _confirmed_at(record: Record, made_at: datetime) -> tuple[datetime, str]:
    """Return when a shipment counts as shipped: its ship date, never before its label."""
    day = text(record, "shipDate")
    if day is None:
        return made_at, "estimated"
    return max(_day_start(day, "shipDate"), made_at), "date"


def _add_shipment(parsed: Parsed, shipment: Record, context: AdapterContext) -> None:
    if shipment.get("isReturnLabel") is True:
        return  # comes back to us
    made_at = _needed(shipment, "createDate")
    options = child(shipment, "advancedOptions")
    common = _parcel(shipment, "shipmentId") | {
        "service": text(shipment, "serviceCode"),
        "node_id": text(shipment, "warehouseId"),
        "attributes": to_json({
            "order_key": text(shipment, "orderKey"),
            "shipstation_order_id": text(shipment, "orderId"),
            "ship_date": text(shipment, "shipDate"),
            "batch_number": text(shipment, "batchNumber"),
            "insurance_cost": text(shipment, "insuranceCost"),
        }),
    }  # fmt: skip
    items = [item for item in children(shipment, "shipmentItems") if item.get("adjustment") is not True]
    lines: list[dict[str, Any]] = [
        {"line_id": _line_id(item, options), "sku": text(item, "sku"), "quantity": _units(item)} for item in items
    ] or [{}]
    voided_at = _instant(shipment, "voidDate")
    is_voided = shipment.get("voided") is True or voided_at is not None
    confirmed_at, quality = _confirmed_at(shipment, made_at)
    cost = money(shipment, "shipmentCost")
    for line in lines:
        columns = common | line
        priced = {"cost_amount": cost, "currency": context.currency if cost is not None else None}
        parsed.add(
            "shipment", event_type="label.created", event_at=made_at, time_quality="instant", **priced, **columns
        )
        cost = None  # once per shipment
        if is_voided:
            at, known = (voided_at, "instant") if voided_at is not None else (made_at, "estimated")
            parsed.add("shipment", event_type="label.voided", event_at=at, time_quality=known, **columns)
        else:
            parsed.add("shipment", event_type="ship.confirmed", event_at=confirmed_at, time_quality=quality, **columns)


def _add_fulfillment(parsed: Parsed, fulfillment: Record) -> None:
    """A fulfillment was shipped outside ShipStation: a mark without label, cost or items."""
    marked_at = _needed(fulfillment, "createDate")
    common = _parcel(fulfillment, "fulfillmentId") | {
        "service": text(fulfillment, "fulfillmentServiceCode"),
        "attributes": to_json({
            "shipstation_order_id": text(fulfillment, "orderId"),
            "provider": text(fulfillment, "fulfillmentProviderCode"),
            "ship_date": text(fulfillment, "shipDate"),
            "delivery_date": text(fulfillment, "deliveryDate"),
        }),
    }  # fmt: skip
    voided_at = _instant(fulfillment, "voidDate")
    if fulfillment.get("voided") is True or voided_at is not None:
        quality = "instant" if voided_at is not None else "estimated"
        parsed.add(
            "shipment", event_type="label.voided", event_at=voided_at or marked_at, time_quality=quality, **common
        )
        return
    confirmed_at, quality = _confirmed_at(fulfillment, marked_at)
    parsed.add("shipment", event_type="ship.confirmed", event_at=confirmed_at, time_quality=quality, **common)


def _export_rules(context: AdapterContext) -> list[dict[str, Any]]:
    order_id = {"column": "order_number", "strip_prefix": "#"}
    money_column = {"constant": context.currency}
    # Without ShipStation's line key the SKU tells the lines of an order apart.
    line_id = {"coalesce": ["line_item_key", "item_sku"]}
    line = {"order_id": order_id, "line_id": line_id, "sku": "item_sku", "quantity": "item_qty"}
    place = {"ship_to_region": "ship_to_state"}
    parcel = {
        **line,
        "shipment_id": {"coalesce": ["shipment_id", "tracking_number"]},
        "tracking_number": "tracking_number",
        "carrier": {"column": "carrier", "case": "lower"},
        "service": "service",
        **place,
    }
    present = {"column": "tracking_number", "is": "present"}
    valid = {"column": "void_date", "is": "empty"}
    return [
        {
            "type": "order.captured",
            "at": "order_date",
            "missing_time": "skip",
            "columns": line
            | place
            | {
                "unit_price": "item_price",
                "currency": money_column,
                "ship_to_country": "ship_to_country",
                "ship_to_postal_code": "ship_to_postal_code",
                "ship_by_at": {"date_end_of_day": "ship_by_date"},
            },
        },
        {"type": "order.approved", "at": "paid_date", "columns": {"order_id": order_id}},
        {"type": "label.created", "at": "label_date", "where": [present], "columns": parcel},
        {"type": "label.voided", "at": "void_date", "where": [present], "columns": parcel},
        {"type": "ship.confirmed", "at": "shipped_date", "time_quality": "date", "where": [valid], "columns": parcel},
    ]
