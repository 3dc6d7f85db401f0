"""Amazon marketplace orders (Selling Partner API JSON) → order and shipment events.

Read are the Orders API v0 (orders, and order items as records of their own), the Orders API 2026-01-01 (items and
packages inside the order) and ORDER_CHANGE notifications, which tell the same with v0's words. Latest ship and
delivery dates are instants, the last second included: 06:59:59Z is the end of a Pacific day, never a date of its own.

Orders that Amazon ships (AFN) are a channel of their own and carry no ship-by: they leave the seller's shipping KPIs.
v0 tells how much was shipped but not when; only 2026-01-01 has packages with their time. A buyer's request to cancel
is not yet a cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pipelines.sources.assembly import earliest, join_lines
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.places import region_code, zone_of
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    collect,
    money,
    needed_stamp,
    needed_text,
    outline,
    quantity,
    stamp,
    text,
    to_json,
)

CHANNELS: Final = {
    "mfn": "amazon",
    "merchant": "amazon",
    "seller": "amazon",
    "afn": "amazon_fba",
    "amazon": "amazon_fba",
}
"""Who fulfils, as v0, the reports and 2026-01-01 write it → channel."""

_WRAPPERS: Final = ("payload", "Orders", "orders", "order")
_PREFIXES: Final = ("", "payload.", "payload.Orders.", "Orders.", "orders.", "order.")
_V0_ORDER: Final = frozenset({"AmazonOrderId", "PurchaseDate", "OrderStatus"})
_V0_ITEMS: Final = frozenset({"AmazonOrderId", "OrderItems", "OrderItems.QuantityOrdered"})
_V2026: Final = frozenset({"orderId", "createdTime", "orderItems", "salesChannel"})
_CHANGE: Final = "Payload.OrderChangeNotification.AmazonOrderId"
_SECOND: Final = timedelta(seconds=1)
_STEP: Final = Decimal("0.0001")

Events = Iterator[tuple[str, dict[str, object]]]


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds marketplace orders or order items. Vendor orders and FBA shipments are neither."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    if _CHANGE in paths:
        return True
    return any(
        any(marks <= names for marks in (_V0_ORDER, _V0_ITEMS, _V2026))
        for names in ({path.removeprefix(prefix) for path in paths if path.startswith(prefix)} for prefix in _PREFIXES)
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read orders into captured lines, promises with ship windows, cancellations and, where told, packages."""
    parsed = collect(
        files,
        wrappers=_WRAPPERS,
        convert=lambda record: _convert(record, context),
        is_record=lambda record: bool(record.keys() & {"AmazonOrderId", "orderId", "NotificationType"}),
    )
    parsed = join_lines(parsed, what="order items")
    orders = parsed.events.get("order")
    if orders is None:
        return parsed
    return replace(parsed, events={**parsed.events, "order": earliest(orders, "order.cancelled")})


def _convert(record: Record, context: AdapterContext) -> Parsed:
    parsed = Parsed()
    for family, columns in _reader(record)(record, context):
        parsed.add(family, **columns)
    return parsed


def _reader(record: Record) -> Any:  # noqa: ANN401 - one of the generators below
    names = record.keys()
    if "NotificationType" in names:
        return _order_change
    if names >= _V0_ORDER:
        return _v0_order
    if {"AmazonOrderId", "OrderItems"} <= names:
        return _v0_items
    if names >= _V2026:
        return _order_2026
    message = (
        "not an order of the Orders API v0 or 2026-01-01 (no PurchaseDate with OrderStatus, no createdTime with "
        f"orderItems): the object has {', '.join(sorted(map(str, names))[:12])}"
    )
    raise RecordFault(message)


def _v0_order(record: Record, context: AdapterContext) -> Events:
    common = _v0_columns(record, context)
    yield "order", common | {"event_type": "order.captured"}
    yield from _dates(
        common,
        earliest_ship=stamp(record, "EarliestShipDate"),
        latest_ship=stamp(record, "LatestShipDate"),
        earliest_delivery=stamp(record, "EarliestDeliveryDate"),
        latest_delivery=stamp(record, "LatestDeliveryDate"),
    )
    if text(record, "OrderStatus") == "Canceled":
        yield "order", _cancelled(common, "unknown", None)
    for item in children(record, "OrderItems"):  # some tools put the items into their order
        yield "order", common | {"event_type": "order.captured"} | _v0_line(item)


def _v0_columns(record: Record, context: AdapterContext) -> dict[str, object]:
    address = child(record, "ShippingAddress")
    return _common(
        order_id=needed_text(record, "AmazonOrderId"),
        captured_at=needed_stamp(record, "PurchaseDate"),
        observed_at=stamp(record, "LastUpdateDate"),
        fulfilled_by=text(record, "FulfillmentChannel"),
        region=text(address, "StateOrRegion"),
        country=text(address, "CountryCode"),
        postal_code=text(address, "PostalCode"),
        context=context,
    ) | {
        "order_type": _order_type(record),
        "service_level": text(record, "ShipServiceLevel") or text(record, "ShipmentServiceLevelCategory"),
        "currency": text(child(record, "OrderTotal"), "CurrencyCode"),
        "attributes": to_json({
            "merchant_order_id": text(record, "SellerOrderId"),
            "sales_channel": text(record, "SalesChannel"),
            "marketplace_id": text(record, "MarketplaceId"),
            "status": text(record, "OrderStatus"),
            "units_shipped": text(record, "NumberOfItemsShipped"),
        }),
    }  # fmt: skip


def _order_type(record: Record) -> str | None:
    if str(record.get("IsReplacementOrder")).lower() == "true":
        return "replacement"
    return "preorder" if text(record, "OrderType") == "Preorder" else None


def _common(
    *,
    order_id: str,
    captured_at: datetime,
    observed_at: datetime | None,
    fulfilled_by: str | None,
    region: str | None,
    country: str | None,
    postal_code: str | None,
    context: AdapterContext,
) -> dict[str, object]:
    channel = CHANNELS.get((fulfilled_by or "mfn").lower())
    if channel is None:
        message = f"{fulfilled_by!r} is neither MFN (MERCHANT) nor AFN (AMAZON): who ships this order?"
        raise RecordFault(message)
    code = region_code(region)
    return {
        "event_at": captured_at,
        "observed_at": observed_at,
        "time_quality": "instant",
        "order_id": order_id,
        "channel": channel,
        "ship_to_region": code,
        "ship_to_country": country,
        "ship_to_postal_code": postal_code,
        "clock_zone": zone_of(code, country) or str(context.zone),
    }


def _dates(
    common: dict[str, object],
    *,
    earliest_ship: datetime | None,
    latest_ship: datetime | None,
    earliest_delivery: datetime | None,
    latest_delivery: datetime | None,
) -> Events:
    """Yield the dates Amazon set at the purchase; of orders that Amazon ships itself they are not the seller's."""
    if common["channel"] != "amazon" or not (latest_ship or latest_delivery):
        return
    delivery_end = latest_delivery + _SECOND if latest_delivery else None
    is_window = earliest_delivery is not None and delivery_end is not None and earliest_delivery < delivery_end
    yield (
        "order",
        {
            "event_type": "order.promised",
            "event_at": common["event_at"],
            "observed_at": common["observed_at"],
            "time_quality": "instant",
            "order_id": common["order_id"],
            "channel": common["channel"],
            "clock_zone": common["clock_zone"],
            "ship_window_start_at": earliest_ship,
            "ship_by_at": latest_ship + _SECOND if latest_ship else None,
            "promise_at": delivery_end,
            "window_start_at": earliest_delivery if is_window else None,
            "window_end_at": delivery_end if is_window else None,
        },
    )


def _cancelled(common: dict[str, object], actor: str, reason: str | None) -> dict[str, object]:
    """Return the cancellation; an order does not say when: its last update stands in."""
    return {
        "event_type": "order.cancelled",
        "event_at": common["observed_at"] or common["event_at"],
        "observed_at": common["observed_at"],
        "time_quality": "estimated",
        "order_id": common["order_id"],
        "actor": actor,
        "reason": reason,
    }


def _v0_items(record: Record, _context: AdapterContext) -> Events:
    """Yield lines that have the date of their order, which is a record of its own (see `join_lines`)."""
    for item in children(record, "OrderItems"):
        order_id = needed_text(record, "AmazonOrderId")
        yield "order", {"event_type": "order.captured", "order_id": order_id} | _v0_line(item)


def _v0_line(item: Record) -> dict[str, object]:
    units = quantity(item, "QuantityOrdered")
    if units is None:
        message = "QuantityOrdered is missing"
        raise RecordFault(message)
    price, discount = child(item, "ItemPrice"), child(item, "PromotionDiscount")
    asked = child(item, "BuyerRequestedCancel")
    return {
        "line_id": needed_text(item, "OrderItemId"),
        "sku": text(item, "SellerSKU"),
        # A cancelled item shows 0: how many were ordered is no longer told.
        "quantity": units or None,
        "unit_price": _per_unit(money(price, "Amount"), money(discount, "Amount"), units),
        "currency": text(price, "CurrencyCode"),
        "attributes": to_json({
            "asin": text(item, "ASIN"),
            "quantity_shipped": text(item, "QuantityShipped"),
            "cancel_requested": _flag(asked, "IsBuyerRequestedCancel"),
            "cancel_request_reason": text(asked, "BuyerCancelReason"),
        }),
    }  # fmt: skip


def _per_unit(total: Decimal | None, discount: Decimal | None, units: Decimal) -> Decimal | None:
    """Return the net unit price; Amazon gives totals of the ordered quantity."""
    if total is None or not units:
        return None
    return ((total - (discount or Decimal(0))) / units).quantize(_STEP)


def _flag(record: Record, key: str) -> bool | None:
    value = record.get(key)
    return None if value is None else str(value).lower() == "true"


def _order_change(record: Record, context: AdapterContext) -> Events:
    """Yield what a notification tells; an order it says is cancelled was cancelled when the change happened."""
    if text(record, "NotificationType") != "ORDER_CHANGE":
        message = f"NotificationType {text(record, 'NotificationType')} is not read (expected ORDER_CHANGE)"
        raise RecordFault(message)
    change = child(child(record, "Payload"), "OrderChangeNotification")
    summary, trigger = child(change, "Summary"), child(change, "OrderChangeTrigger")
    changed_at = stamp(trigger, "TimeOfOrderChange") or stamp(record, "EventTime")
    common = _common(
        order_id=needed_text(change, "AmazonOrderId"),
        captured_at=needed_stamp(summary, "PurchaseDate"),
        observed_at=changed_at,
        fulfilled_by=text(summary, "FulfillmentType"),
        region=None,
        country=None,
        postal_code=text(summary, "DestinationPostalCode"),
        context=context,
    ) | {"attributes": to_json({"status": text(summary, "OrderStatus"), "change": text(change, "OrderChangeType")})}
    items = children(summary, "OrderItems")
    asked = any(_flag(item, "IsBuyerRequestedCancel") for item in items)
    if not items:
        yield "order", common | {"event_type": "order.captured"}
    for item in items:
        yield (
            "order",
            common
            | {
                "event_type": "order.captured",
                "line_id": needed_text(item, "OrderItemId"),
                "sku": text(item, "SellerSKU"),
                "quantity": quantity(item, "Quantity"),
            },
        )
    yield from _dates(
        common,
        earliest_ship=stamp(summary, "EarliestShipDate"),
        latest_ship=stamp(summary, "LatestShipDate"),
        earliest_delivery=stamp(summary, "EarliestDeliveryDate"),
        latest_delivery=stamp(summary, "LatestDeliveryDate"),
    )
    if text(summary, "OrderStatus") == "Canceled":
        yield (
            "order",
            _cancelled(common, "customer" if asked else "unknown", text(trigger, "ChangeReason"))
            | {"time_quality": "instant" if changed_at else "estimated"},
        )


def _order_2026(record: Record, context: AdapterContext) -> Events:
    address = child(child(record, "recipient"), "deliveryAddress")
    fulfilment = child(record, "fulfillment")
    aliases = {text(alias, "aliasType"): text(alias, "aliasId") for alias in children(record, "orderAliases")}
    replaces = {text(other, "associationType") for other in children(record, "associatedOrders")}
    channel = child(record, "salesChannel")
    known: dict[str, object] = {
        "merchant_order_id": aliases.get("SELLER_ORDER_ID"),
        "sales_channel": text(channel, "marketplaceName"),
        "marketplace_id": text(channel, "marketplaceId"),
        "status": text(fulfilment, "fulfillmentStatus"),
    }
    common = _common(
        order_id=needed_text(record, "orderId"),
        captured_at=needed_stamp(record, "createdTime"),
        observed_at=stamp(record, "lastUpdatedTime"),
        fulfilled_by=text(fulfilment, "fulfilledBy"),
        region=text(address, "stateOrRegion"),
        country=text(address, "countryCode"),
        postal_code=text(address, "postalCode"),
        context=context,
    ) | {
        "order_type": "replacement" if "REPLACEMENT_ORIGINAL_ID" in replaces else None,
        "service_level": text(fulfilment, "fulfillmentServiceLevel"),
        "attributes": to_json(known),
    }
    total = text(child(child(record, "proceeds"), "grandTotal"), "currencyCode")
    items = children(record, "orderItems")
    status = text(fulfilment, "fulfillmentStatus")
    for item in items:
        yield "order", common | {"event_type": "order.captured"} | _line_2026(item, total, known)
    if not items:  # asked for without them: the order is known, its lines are not
        yield "order", common | {"event_type": "order.captured"}
        if status == "CANCELLED":
            yield "order", _cancelled(common, "unknown", None)
    ship, deliver = child(fulfilment, "shipByWindow"), child(fulfilment, "deliverByWindow")
    yield from _dates(
        common,
        earliest_ship=stamp(ship, "earliestDateTime"),
        latest_ship=stamp(ship, "latestDateTime"),
        earliest_delivery=stamp(deliver, "earliestDateTime"),
        latest_delivery=stamp(deliver, "latestDateTime"),
    )
    yield from _cancellations_2026(items, common, status)
    yield from _packages(record, common, items)


def _line_2026(item: Record, currency: str | None, known: dict[str, object]) -> dict[str, object]:
    units = quantity(item, "quantityOrdered")
    if units is None:
        message = "quantityOrdered is missing"
        raise RecordFault(message)
    product = child(item, "product")
    price = child(child(product, "price"), "unitPrice")
    return {
        "line_id": needed_text(item, "orderItemId"),
        "sku": text(product, "sellerSku"),
        "quantity": units,
        "unit_price": money(price, "amount"),
        "currency": text(price, "currencyCode") or currency,
        "freight_amount": _freight(child(item, "proceeds")),
        "attributes": to_json(known | {
            "asin": text(product, "asin"),
            "quantity_shipped": text(child(item, "fulfillment"), "quantityFulfilled"),
            "cancel_requested": bool(child(child(item, "cancellation"), "cancellationRequest")) or None,
        }),
    }  # fmt: skip


def _freight(proceeds: Record) -> Decimal | None:
    parts = [part for part in children(proceeds, "breakdowns") if text(part, "type") == "SHIPPING"]
    amounts = [money(child(part, "subtotal"), "amount") for part in parts]
    return sum((amount for amount in amounts if amount is not None), Decimal(0)) if amounts else None


def _cancellations_2026(items: Sequence[Record], common: dict[str, object], status: str | None) -> Events:
    for item in items:
        executed = child(child(item, "cancellation"), "cancellationExecution")
        if not executed and status != "CANCELLED":
            continue
        asked = text(child(child(item, "cancellation"), "cancellationRequest"), "requester")
        by = text(executed, "cancelledBy")
        actor = {"BUYER": "customer", "MERCHANT": "seller_other"}.get(by or "", "unknown")
        open_units = (quantity(item, "quantityOrdered") or Decimal(0)) - (
            quantity(child(item, "fulfillment"), "quantityFulfilled") or Decimal(0)
        )
        if open_units > 0:
            yield (
                "order",
                _cancelled(common, "customer" if asked == "BUYER" else actor, text(executed, "cancelReason"))
                | {
                    "line_id": needed_text(item, "orderItemId"),
                    "sku": text(child(item, "product"), "sellerSku"),
                    "quantity": open_units,
                },
            )


def _packages(record: Record, common: dict[str, object], items: Sequence[Record]) -> Events:
    skus = {text(item, "orderItemId"): text(child(item, "product"), "sellerSku") for item in items}
    for package in children(record, "packages"):
        shipped_at = stamp(package, "shipTime")
        if shipped_at is None:
            continue  # a package that was made up but has not left
        carrier = text(package, "carrier")
        for item in children(package, "packageItems"):
            line_id = needed_text(item, "orderItemId")
            yield (
                "shipment",
                {
                    "event_type": "ship.confirmed",
                    "event_at": shipped_at,
                    "observed_at": common["observed_at"],
                    "time_quality": "instant",
                    "shipment_id": needed_text(package, "packageReferenceId"),
                    "order_id": common["order_id"],
                    "line_id": line_id,
                    "sku": skus.get(line_id),
                    "quantity": quantity(item, "quantity"),
                    "carrier": carrier.lower() if carrier else None,
                    "service": text(package, "shippingService"),
                    "tracking_number": text(package, "trackingNumber"),
                    "status_code": text(child(package, "packageStatus"), "status"),
                    "origin_region": text(child(package, "shipFromAddress"), "stateOrRegion"),
                    "ship_to_region": common["ship_to_region"],
                },
            )
