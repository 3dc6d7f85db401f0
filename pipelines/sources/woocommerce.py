"""WooCommerce orders and refunds (REST JSON and webhook bodies) → order, shipment and refund events.

Three generations are told apart and read: wc/v2 and wc/v3 (stamps in UTC beside local ones), wc/v1 (local stamps only:
the workspace's zone) and the legacy API v1-v3 (`order_number`, `created_at`). Another version in the order's own link
is refused. WooCommerce knows no shipments: an order marked completed, or a tracking plugin, is all it tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pipelines.sources.assembly import earliest, name_orders, reference
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.places import zone_of
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    by_number,
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

DRAFT_STATUSES: Final = frozenset({"pending", "failed", "checkout-draft", "auto-draft"})
"""Statuses of orders that were never paid: not yet orders. A later status makes them `standard`."""

OFFLINE_PAYMENTS: Final = frozenset({"bacs", "cheque"})
"""Payment methods that put an order on hold until somebody sees the money."""

PROMISE_KEY: Final = "promised_delivery_date"
"""Order meta in which shops keep the delivery date shown at checkout."""

TRACKING_KEY: Final = "_wc_shipment_tracking_items"
"""Order meta of the Shipment Tracking extension."""

_KNOWN_VERSIONS: Final = frozenset({"v1", "v2", "v3"})
_VERSION: Final = re.compile(r"/wc/(v\d+)/")
_ORDER_OF_REFUND: Final = re.compile(r"/orders/(\d+)(?:/|$)")
_WRAPPERS: Final = ("orders", "order", "order_refunds", "order_refund", "create", "update")
_PREFIXES: Final = ("", *(f"{wrapper}." for wrapper in _WRAPPERS))
_MODERN: Final = frozenset({"number", "line_items", "status"})
_OWN: Final = frozenset({
    "order_key", "created_via", "prices_include_tax", "cart_hash", "customer_ip_address", "date_created_gmt",
    "parent_id",
})  # fmt: skip
"""Fields of an order that only WooCommerce writes; an order has all of them, a reduced answer at least one."""

_LEGACY: Final = frozenset({"order_number", "created_at", "line_items", "total_line_items_quantity"})
_CREATED: Final = frozenset({"date_created", "date_created_gmt", "created_at"})
_REFUND: Final = frozenset({"amount", "reason", "line_items"})
_STEP: Final = Decimal("0.0001")
_AT_ONCE: Final = timedelta(minutes=5)


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds WooCommerce orders or refunds of any version."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    return any(
        (names >= _MODERN and bool(names & _CREATED) and bool(names & _OWN))
        or names >= _LEGACY
        or (names >= _REFUND and bool(names & _CREATED))
        for names in ({path.removeprefix(prefix) for path in paths if path.startswith(prefix)} for prefix in _PREFIXES)
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read orders into captured lines, promises, payment holds, cancellations, completions; refunds into refunds."""
    numbers: dict[str, str] = {}
    parsed = collect(
        files,
        wrappers=_WRAPPERS,
        convert=lambda record: _convert(record, context, numbers),
        is_record=lambda record: "line_items" in record,
    )
    parsed = name_orders(parsed, numbers)
    orders = parsed.events.get("order")
    if orders is None:
        return parsed
    orders = earliest(earliest(orders, "order.cancelled"), "hold.placed")
    return replace(parsed, events={**parsed.events, "order": orders})


@dataclass(frozen=True, slots=True)
class _Order:
    """What all events of one order share."""

    record: Record
    internal_id: str
    number: str
    created_at: datetime
    updated_at: datetime | None
    paid_at: datetime | None
    completed_at: datetime | None
    doubted: tuple[str, ...]
    status: str
    zone: tzinfo
    clock_zone: str
    address: Record


def _convert(record: Record, context: AdapterContext, numbers: dict[str, str]) -> Parsed:
    _check_version(record)
    parsed = Parsed()
    if "amount" in record and "reason" in record and "status" not in record:
        for columns in _refund(record, context):
            parsed.add("return", **columns)
        return parsed
    order = _order(record, context)
    numbers[order.internal_id] = order.number
    for family, columns in (*_captured(order, context), *_states(order), *_shipped(order)):
        parsed.add(family, order_id=order.number, observed_at=order.updated_at, **columns)
    parsed.faults += [
        f"the order landed without its {name}: it precedes date_created, so wc/v1 wrote it in another zone. Use wc/v2"
        for name in order.doubted
    ]
    try:
        for columns in _promises(order):
            parsed.add("order", order_id=order.number, observed_at=order.updated_at, **columns)
    except RecordFault as fault:
        parsed.faults.append(f"the order landed without its promise: {fault}")
    return parsed


def _check_version(record: Record) -> None:
    for version in {v for link in _links(record) for v in _VERSION.findall(link)}:
        if version not in _KNOWN_VERSIONS:
            message = f"_links: API version wc/{version} is not known (expected wc/v1, wc/v2 or wc/v3)"
            raise RecordFault(message)


def _links(record: Record) -> list[str]:
    links = child(record, "_links")
    return [str(link.get("href")) for name in ("self", "up") for link in children(links, name)]


def _order(record: Record, context: AdapterContext) -> _Order:
    legacy = "order_number" in record and "number" not in record
    local = context.zone
    address = child(record, "shipping_address" if legacy else "shipping")
    region, country = text(address, "state"), text(address, "country")

    def moment(name: str, legacy_name: str) -> datetime | None:
        if legacy:
            return stamp(record, legacy_name)
        return stamp(record, f"{name}_gmt", zone=UTC) or stamp(record, name, zone=local)

    created_at = moment("date_created", "created_at")
    if created_at is None:
        message = "date_created is missing"
        raise RecordFault(message)
    paid_at, completed_at = moment("date_paid", "paid_at"), moment("date_completed", "completed_at")
    # wc/v1 writes some stamps in the site's zone and some in UTC: what would precede the order is not believed.
    doubted = tuple(
        name
        for name, stage in (("date_paid", paid_at), ("date_completed", completed_at))
        if stage is not None and stage < created_at and "date_created_gmt" not in record and not legacy
    )
    return _Order(
        record=record,
        internal_id=needed_text(record, "id"),
        number=needed_text(record, "order_number" if legacy else "number").removeprefix("#"),
        created_at=created_at,
        updated_at=moment("date_modified", "updated_at"),
        paid_at=paid_at if "date_paid" not in doubted else None,
        completed_at=completed_at if "date_completed" not in doubted else None,
        doubted=doubted,
        status=needed_text(record, "status").removeprefix("wc-"),
        zone=local,
        clock_zone=zone_of(region, country) or str(context.zone),
        address=address,
    )


def _captured(order: _Order, context: AdapterContext) -> Iterator[tuple[str, dict[str, object]]]:
    record = order.record
    shipping = children(record, "shipping_lines")
    freight = money(record, "shipping_total") if "shipping_total" in record else money(record, "total_shipping")
    customer = text(record, "customer_id")
    common: dict[str, object] = {
        "event_type": "order.captured",
        "event_at": order.created_at,
        "time_quality": "instant",
        "channel": "dtc",
        "customer_id": customer if customer != "0" else None,
        "order_type": "draft" if order.status in DRAFT_STATUSES else "standard",
        "service_level": (text(shipping[0], "method_id") or text(shipping[0], "method_title")) if shipping else None,
        "currency": text(record, "currency") or context.currency,
        "ship_to_region": text(order.address, "state"),
        "ship_to_country": text(order.address, "country"),
        "ship_to_postal_code": text(order.address, "postcode"),
        "clock_zone": order.clock_zone,
        "attributes": to_json({
            "woocommerce_order_id": order.internal_id,
            "created_via": text(record, "created_via"),
            "payment_method": _payment_method(record),
            "status": order.status,
        }),
    }  # fmt: skip
    lines = sorted(children(record, "line_items"), key=by_number)
    if not lines:
        yield "order", common | {"freight_amount": freight}
    for position, line in enumerate(lines):
        units = _units(line)
        total = money(line, "total")
        yield "order", common | {
            "line_id": needed_text(line, "id"),
            "sku": text(line, "sku"),
            "quantity": units,
            # What the line costs after its discounts, without tax.
            "unit_price": (total / units).quantize(_STEP) if total is not None and units else money(line, "price"),
            "freight_amount": freight if position == 0 else None,
        }  # fmt: skip


def _payment_method(record: Record) -> str | None:
    return text(record, "payment_method") or text(child(record, "payment_details"), "method_id")


def _units(line: Record) -> Decimal:
    units = quantity(line, "quantity")
    if units is None:
        message = "line_items.quantity is missing"
        raise RecordFault(message)
    return units


def _states(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield payment holds and cancellations; who cancelled is not told, nor when: `date_modified` stands in."""
    changed_at = order.updated_at or order.created_at
    hold: dict[str, object] = {"hold_type": "payment", "reason": _payment_method(order.record)}
    is_offline = _payment_method(order.record) in OFFLINE_PAYMENTS
    if order.status == "on-hold":
        placed_at = order.created_at if is_offline else changed_at
        quality = "instant" if is_offline else "estimated"
        yield "order", hold | {"event_type": "hold.placed", "event_at": placed_at, "time_quality": quality}
    elif order.paid_at is not None:
        yield "order", {"event_type": "order.approved", "event_at": order.paid_at, "time_quality": "instant"}
        if is_offline or order.paid_at - order.created_at > _AT_ONCE:
            yield "order", hold | {"event_type": "hold.released", "event_at": order.paid_at, "time_quality": "instant"}
    # Money back before the goods left is the end of the order; afterwards it is a refund only.
    if order.status == "cancelled" or (order.status == "refunded" and order.completed_at is None):
        actor = "payment" if order.paid_at is None and order.status == "cancelled" else "unknown"
        yield "order", {
            "event_type": "order.cancelled",
            "event_at": changed_at,
            "time_quality": "estimated",
            "actor": actor,
            "reason": order.status,
        }  # fmt: skip


def _shipped(order: _Order) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the parcels a tracking plugin knows, else the mark "completed" for the whole order. No quantities."""
    common: dict[str, object] = {
        "event_type": "ship.confirmed",
        "ship_to_region": text(order.address, "state"),
    }
    parcels = [
        parcel
        for pair in children(order.record, "meta_data")
        if pair.get("key") == TRACKING_KEY
        for parcel in children(pair, "value")
    ]
    for parcel in parcels:
        shipped_at, quality = _shipped_at(parcel, order)
        yield "shipment", common | {
            "event_at": shipped_at,
            "time_quality": quality,
            "shipment_id": text(parcel, "tracking_id"),
            "tracking_number": text(parcel, "tracking_number"),
            "carrier": _carrier(parcel),
        }  # fmt: skip
    if order.status == "completed" and order.completed_at is not None and not parcels:
        yield "shipment", common | {"event_at": order.completed_at, "time_quality": "instant"}


def _shipped_at(parcel: Record, order: _Order) -> tuple[datetime, str]:
    """Return when a parcel left: the plugin keeps the day only, as seconds since 1970 or as a date."""
    value = text(parcel, "date_shipped")
    if value is not None and value.isdigit():
        return datetime.fromtimestamp(int(value), tz=UTC).replace(tzinfo=None), "date"
    moment = stamp(parcel, "date_shipped", zone=order.zone)
    if moment is None:
        return order.completed_at or order.updated_at or order.created_at, "estimated"
    return moment, "date"


def _carrier(parcel: Record) -> str | None:
    name = text(parcel, "tracking_provider") or text(parcel, "custom_tracking_provider")
    return name.lower() if name else None


def _promises(order: _Order) -> Iterator[dict[str, object]]:
    for pair in children(order.record, "meta_data"):
        if pair.get("key") == PROMISE_KEY and (value := text(pair, "value")):
            yield {
                "event_type": "order.promised",
                "event_at": order.created_at,
                "time_quality": "instant",
                "clock_zone": order.clock_zone,
                "promise_at": end_of_day(value, PROMISE_KEY, ZoneInfo(order.clock_zone)),
            }


def _refund(record: Record, context: AdapterContext) -> Iterator[dict[str, object]]:
    """Yield a refund per line, or for the whole order. Quantities and totals of a refund's lines are negative."""
    refunded_at = stamp(record, "date_created_gmt", zone=UTC) or stamp(record, "created_at")
    refunded_at = refunded_at or stamp(record, "date_created", zone=context.zone)
    if refunded_at is None:
        message = "date_created is missing"
        raise RecordFault(message)
    orders = {order for link in _links(record) for order in _ORDER_OF_REFUND.findall(link)}
    internal_id = next(iter(orders)) if len(orders) == 1 else text(record, "parent_id") or text(record, "order_id")
    if internal_id in (None, "0"):
        message = "the refund names no order (neither _links nor parent_id): fetch it with wc/v1 or later"
        raise RecordFault(message)
    amount = money(record, "amount")
    common: dict[str, object] = {
        "event_type": "refund.issued",
        "event_at": refunded_at,
        "time_quality": "instant",
        "rma_id": f"woocommerce-refund-{needed_text(record, 'id')}",
        "order_id": reference(str(internal_id)),
        "reason": text(record, "reason"),
        "currency": text(record, "currency") or context.currency,
        "attributes": to_json({"refund_amount": str(amount) if amount is not None else None}),
    }
    lines = [line for line in children(record, "line_items") if _units(line) or money(line, "total")]
    if not lines:
        yield common | {"amount": abs(amount) if amount is not None else None}
    for line in lines:
        total = money(line, "total")
        yield common | {
            "line_id": _refunded_line(line),
            "sku": text(line, "sku"),
            "quantity": abs(_units(line)),
            "amount": abs(total) if total is not None else None,
        }


def _refunded_line(line: Record) -> str | None:
    """Return the order line that a refund's line is about; its own id is another one."""
    for pair in children(line, "meta_data"):
        if pair.get("key") == "_refunded_item_id":
            return text(pair, "value")
    return text(line, "refunded_item_id")
