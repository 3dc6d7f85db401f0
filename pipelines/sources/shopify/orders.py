"""Orders in REST's words → captured lines, promises, changes, cancellations, and what their parts tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pipelines.sources.base import AdapterContext
from pipelines.sources.places import zone_of
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    by_number,
    child,
    children,
    end_of_day,
    money,
    needed_stamp,
    needed_text,
    quantity,
    stamp,
    text,
    to_json,
)
from pipelines.sources.shopify.fulfilments import fulfilment_events, fulfilment_order_events
from pipelines.sources.shopify.refunds import refund_events, return_events

CHANNELS: Final = {"web": "dtc", "amazon": "amazon", "ebay": "ebay"}
"""Shopify `source_name` → channel; every other name is its own channel."""

CANCEL_ACTORS: Final = {
    "customer": "customer",
    "declined": "payment",
    "fraud": "fraud",
    "inventory": "seller_oos",
    "other": "seller_other",
    "staff": "seller_other",
}

PROMISE_ATTRIBUTE: Final = "promised_delivery_date"
"""Note attribute in which shops keep the delivery date shown at checkout."""

_CENT_TENTHS: Final = Decimal("0.0001")
_SAME_MOMENT: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Order:
    """What all events of one order share."""

    record: Record
    order_id: str
    captured_at: datetime
    updated_at: datetime | None
    cancelled_at: datetime | None
    currency: str
    zone: str
    region: str | None


def order(record: Record, context: AdapterContext, numbers: dict[str, str]) -> Parsed:
    """Read an order; its number is noted under the shop's internal id in `numbers`."""
    known = _order(record, context)
    identifier = text(record, "id")
    if identifier is not None:
        numbers[identifier] = known.order_id
    parsed = Parsed()
    for family, columns in (
        *_captured(known),
        *_changes(known),
        *_cancellations(known),
        *_fulfilments(known),
        *_fulfilment_orders(known),
        *_returned(known, context),
    ):
        parsed.add(family, observed_at=known.updated_at, **columns)
    try:
        for columns in _promises(known):
            parsed.add("order", observed_at=known.updated_at, **columns)
    except RecordFault as fault:
        parsed.faults.append(f"the order landed without its promise: {fault}")
    return parsed


def _order(record: Record, context: AdapterContext) -> _Order:
    address = child(record, "shipping_address")
    region = text(address, "province_code")
    order_id = (text(record, "name") or text(record, "order_number") or "").removeprefix("#")
    if not order_id:
        message = "name is missing: the order has no number"
        raise RecordFault(message)
    return _Order(
        record=record,
        order_id=order_id,
        captured_at=stamp(record, "processed_at") or needed_stamp(record, "created_at"),
        updated_at=stamp(record, "updated_at"),
        cancelled_at=stamp(record, "cancelled_at"),
        currency=text(record, "currency") or context.currency,
        zone=zone_of(region, text(address, "country_code")) or str(context.zone),
        region=region,
    )


def _captured(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    record = order.record
    address = child(record, "shipping_address")
    source_name = text(record, "source_name")
    shipping = children(record, "shipping_lines")
    freight = sum((money(line, "price") or Decimal(0) for line in shipping), Decimal(0)) if shipping else None
    common: dict[str, object] = {
        "event_type": "order.captured",
        "event_at": order.captured_at,
        "time_quality": "instant",
        "order_id": order.order_id,
        "channel": CHANNELS.get(source_name.lower(), source_name.lower()) if source_name else None,
        "customer_id": text(child(record, "customer"), "id"),
        "service_level": (text(shipping[0], "code") or text(shipping[0], "title")) if shipping else None,
        "currency": order.currency,
        "ship_to_region": order.region,
        "ship_to_country": text(address, "country_code"),
        "ship_to_postal_code": text(address, "zip"),
        "clock_zone": order.zone,
    }
    lines = sorted(children(record, "line_items"), key=by_number)
    if not lines:
        yield (
            "order",
            common
            | {
                "order_type": _order_type(record, None),
                "freight_amount": freight,
                "attributes": to_json({"shopify_order_id": text(record, "id")}),
            },
        )
    for position, line in enumerate(lines):
        yield "order", common | {
            "line_id": needed_text(line, "id"),
            "sku": text(line, "sku"),
            "quantity": _needed_quantity(line, "quantity"),
            "unit_price": _net_price(line),
            "order_type": _order_type(record, line),
            # The shop charges freight per order: it stands on the first line, so that sums are right.
            "freight_amount": freight if position == 0 else None,
            "attributes": to_json({
                "shopify_order_id": text(record, "id"),
                "is_gift_card": line.get("gift_card") or None,
            }),
        }  # fmt: skip


def _order_type(record: Record, line: Record | None) -> str | None:
    if record.get("test") is True:
        return "test"
    if line is not None and (line.get("gift_card") is True or line.get("requires_shipping") is False):
        return "no_ship"
    return None


def _net_price(line: Record) -> Decimal | None:
    price, units = money(line, "price"), quantity(line, "quantity")
    if price is None or not units:
        return price
    allocations = children(line, "discount_allocations")
    discount = sum((money(part, "amount") or Decimal(0) for part in allocations), Decimal(0))
    return (price - (discount or money(line, "total_discount") or Decimal(0)) / units).quantize(_CENT_TENTHS)


def _promises(order: _Order) -> Iterator[dict[str, object]]:
    for attribute in children(order.record, "note_attributes"):
        if text(attribute, "name") != PROMISE_ATTRIBUTE:
            continue
        value = text(attribute, "value")
        if value is not None:
            yield {
                "event_type": "order.promised",
                "event_at": order.captured_at,
                "time_quality": "instant",
                "order_id": order.order_id,
                "clock_zone": order.zone,
                "promise_at": end_of_day(value, PROMISE_ATTRIBUTE, ZoneInfo(order.zone)),
            }


def _changes(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield edits: what left a line without being refunded."""
    refunded = _refunded_units(order.record)
    for line in children(order.record, "line_items"):
        current = quantity(line, "current_quantity")
        if current is None or order.updated_at is None or order.cancelled_at is not None:
            continue
        line_id, ordered = needed_text(line, "id"), _needed_quantity(line, "quantity")
        removed = ordered - current - refunded.get(line_id, Decimal(0))
        if removed > 0:
            yield (
                "order",
                {
                    "event_type": "order.changed",
                    "event_at": order.updated_at,
                    "time_quality": "estimated",
                    "order_id": order.order_id,
                    "line_id": line_id,
                    "sku": text(line, "sku"),
                    "quantity": ordered - removed,
                    "actor": "customer",
                },
            )


def _refunded_units(record: Record) -> dict[str, Decimal]:
    units: dict[str, Decimal] = {}
    for refund in children(record, "refunds"):
        for item in children(refund, "refund_line_items"):
            line_id = needed_text(item, "line_item_id")
            units[line_id] = units.get(line_id, Decimal(0)) + _needed_quantity(item, "quantity")
    return units


def _cancellations(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    common = {"event_type": "order.cancelled", "time_quality": "instant", "order_id": order.order_id}
    if order.cancelled_at is not None:
        reason = text(order.record, "cancel_reason")
        actor = CANCEL_ACTORS.get(reason.lower(), "unknown") if reason else "unknown"
        yield "order", common | {"event_at": order.cancelled_at, "actor": actor, "reason": reason}
    for refund in children(order.record, "refunds"):
        refunded_at = needed_stamp(refund, "created_at")
        # Cancelling an order writes a refund for its lines at the same moment: that is not a second cancellation.
        if order.cancelled_at is not None and refunded_at >= order.cancelled_at - _SAME_MOMENT:
            continue
        note = text(refund, "note")
        for item in children(refund, "refund_line_items"):
            if text(item, "restock_type") == "cancel":
                yield (
                    "order",
                    common
                    | {
                        "event_at": refunded_at,
                        "line_id": needed_text(item, "line_item_id"),
                        "sku": text(child(item, "line_item"), "sku"),
                        "quantity": _needed_quantity(item, "quantity"),
                        "actor": CANCEL_ACTORS.get((note or "").lower(), "unknown"),
                        "reason": note,
                    },
                )


def _fulfilments(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    for record in children(order.record, "fulfillments"):
        yield from fulfilment_events(record, order_id=order.order_id, region=order.region)


def _fulfilment_orders(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    for record in children(order.record, "fulfillment_orders"):
        yield from fulfilment_order_events(record, order_id=order.order_id)


def _returned(order: _Order, context: AdapterContext) -> Iterator[tuple[str, dict[str, object]]]:
    for record in children(order.record, "refunds"):
        for columns in refund_events(record, order_id=order.order_id, currency=order.currency, context=context):
            yield "return", columns
    for record in children(order.record, "returns"):
        for columns in return_events(record, order_id=order.order_id):
            yield "return", columns


def _needed_quantity(record: Record, key: str) -> Decimal:
    units = quantity(record, key)
    if units is None:
        message = f"{key} is missing"
        raise RecordFault(message)
    return units
