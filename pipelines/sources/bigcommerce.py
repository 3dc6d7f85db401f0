"""BigCommerce orders, order products, shipments and refunds (API v2 and v3 JSON) → order, shipment and refund events.

v2 gives an order with links where its products and addresses would be, unless they are included; the lists of products
and shipments are records of their own and join their order by its id. v3 wraps in `data` and writes ISO stamps,
v2 RFC 2822. Webhooks are thin: they say that something changed, not what, and become rejects that say what to fetch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pipelines.sources.assembly import earliest, hold_turns, join_lines
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.places import region_code, zone_of
from pipelines.sources.records import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    Parsed,
    Record,
    RecordFault,
    by_number,
    child,
    children,
    collect,
    money,
    needed_text,
    outline,
    quantity,
    stamp,
    text,
    to_json,
)

CANCEL_ACTORS: Final = {"5": "unknown", "6": "payment"}
"""Order status id → who ended the order: 5 cancelled (nobody is named), 6 declined."""

HOLDS: Final = {"7": "payment", "12": "fraud", "13": "other"}
"""Order status id → hold: 7 awaiting payment, 12 manual verification required, 13 disputed."""

INCOMPLETE: Final = "0"
"""Status id of a checkout that was never finished: a draft."""

SHIPPED: Final = frozenset({"2", "10"})
"""Status ids of wholly shipped orders: 2 shipped, 10 completed."""

CHANNELS: Final = {"www": "dtc", "iphone": "dtc", "manual": "dtc", "amazon": "amazon", "ebay": "ebay"}
"""`order_source` → channel; every other one is its own channel."""

_WRAPPERS: Final = ("data", "orders", "products", "shipments", "refunds")
_PREFIXES: Final = ("", *(f"{wrapper}." for wrapper in _WRAPPERS))
_ORDER: Final = frozenset({"id", "status_id", "date_created"})
_PRODUCT: Final = frozenset({"id", "order_id", "product_id", "quantity", "quantity_shipped"})
_SHIPMENT: Final = frozenset({"id", "order_id", "items", "date_created"})
_REFUND: Final = frozenset({"id", "order_id", "items", "total_amount"})
_WEBHOOK: Final = frozenset({"scope", "producer", "data"})
_STEP: Final = Decimal("0.0001")


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds BigCommerce orders, their parts or webhook bodies."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    if paths >= _WEBHOOK and "hash" in paths:
        return True
    return any(
        _kind({path.removeprefix(prefix) for path in paths if path.startswith(prefix)}) is not None
        for prefix in _PREFIXES
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read orders into captured lines, holds and cancellations; shipments and refunds into theirs."""
    parsed = collect(
        files,
        wrappers=_WRAPPERS,
        convert=lambda record: _convert(record, context),
        is_record=lambda record: _kind(set(record)) is not None or set(record) >= _WEBHOOK,
    )
    parsed = join_lines(parsed, what="products")
    orders = parsed.events.get("order")
    if orders is None:
        return parsed
    orders = hold_turns(earliest(orders, "order.cancelled"))
    return replace(parsed, events={**parsed.events, "order": orders})


def _kind(names: set[str]) -> str | None:
    if names >= _ORDER and names & {"date_modified", "items_total", "order_source"}:
        return "order"
    if names >= _PRODUCT:
        return "product"
    if names >= _REFUND:
        return "refund"
    if names >= _SHIPMENT and names & {"tracking_number", "shipping_provider", "order_address_id"}:
        return "shipment"
    return None


def _convert(record: Record, context: AdapterContext) -> Parsed:
    parsed = Parsed()
    if set(record) >= _WEBHOOK:
        changed = child(record, "data")
        message = (
            f"only a reference: {text(record, 'scope')} of {text(changed, 'type')} {text(changed, 'id')}. "
            "Fetch it from the API (otif pull does)"
        )
        raise RecordFault(message)
    kind = _kind(set(record))
    if kind is None:
        message = f"not an order, product, shipment or refund: the object has {', '.join(sorted(record)[:12])}"
        raise RecordFault(message)
    readers = {"order": _order, "product": _product, "shipment": _shipment, "refund": _refund}
    for family, columns in readers[kind](record, context):
        parsed.add(family, **columns)
    return parsed


Events = Iterator[tuple[str, dict[str, object]]]


def _order(record: Record, context: AdapterContext) -> Events:
    common = _order_columns(record, context)
    freight = money(record, "shipping_cost_ex_tax") if "shipping_cost_ex_tax" in record else None
    freight = freight if freight is not None else money(record, "base_shipping_cost")
    lines = _included(record)
    if not lines:
        yield "order", common | {"freight_amount": freight}
    for position, line in enumerate(lines):
        yield "order", common | _line_columns(line) | {"freight_amount": freight if position == 0 else None}
    yield from _states(record, common)
    shipped_at = _stamp(record, "date_shipped")
    if shipped_at is not None and text(record, "status_id") in SHIPPED:
        yield (
            "shipment",
            {
                "event_type": "ship.confirmed",
                "event_at": shipped_at,
                "time_quality": "instant",
                "order_id": common["order_id"],
                "observed_at": common["observed_at"],
                "status_code": text(record, "status"),
                "ship_to_region": common["ship_to_region"],
            },
        )


def _order_columns(record: Record, context: AdapterContext) -> dict[str, object]:
    created_at = _stamp(record, "date_created")
    if created_at is None:
        message = "date_created is missing"
        raise RecordFault(message)
    address = _address(record)
    region, country = text(address, "state"), text(address, "country_iso2")
    code = region_code(region)
    source = text(record, "external_source") or text(record, "order_source") or "www"
    customer = text(record, "customer_id")
    return {
        "event_type": "order.captured",
        "event_at": created_at,
        "observed_at": _stamp(record, "date_modified"),
        "time_quality": "instant",
        "order_id": needed_text(record, "id"),
        "channel": CHANNELS.get(source.lower(), source.lower()),
        "customer_id": customer if customer != "0" else None,
        "order_type": _order_type(record),
        "service_level": text(address, "shipping_method"),
        "currency": text(record, "currency_code") or text(record, "default_currency_code") or context.currency,
        "ship_to_region": code,
        "ship_to_country": country,
        "ship_to_postal_code": text(address, "zip"),
        "clock_zone": zone_of(code, country) or str(context.zone),
        "attributes": to_json({
            "external_order_id": text(record, "external_id") or text(record, "external_order_id"),
            "ebay_order_id": text(record, "ebay_order_id") if text(record, "ebay_order_id") != "0" else None,
            "channel_id": text(record, "channel_id"),
            "status": text(record, "status"),
        }),
    }  # fmt: skip


def _order_type(record: Record) -> str:
    if text(record, "status_id") == INCOMPLETE or record.get("is_deleted") is True:
        return "draft"
    return "no_ship" if record.get("order_is_digital") is True else "standard"


def _included(record: Record) -> list[Record]:
    """Return the products that stand in the order itself: in its list, or in its consignments."""
    # Where they are not included, a link stands in their place.
    lines = children(record, "products") if isinstance(record.get("products"), list) else []
    lines = lines or [
        line for consignment in _consignments(record) for line in children(consignment, "line_items")
    ]  # fmt: skip
    return sorted(lines, key=by_number)


def _consignments(record: Record) -> list[Record]:
    held = record.get("consignments")
    if isinstance(held, list):
        return [part for consignment in children(record, "consignments") for part in children(consignment, "shipping")]
    return children(held, "shipping") if isinstance(held, dict) and isinstance(held.get("shipping"), list) else []


def _address(record: Record) -> Record:
    held = record.get("shipping_addresses")
    if isinstance(held, list) and held and isinstance(held[0], dict):
        return held[0]
    consignments = _consignments(record)
    return consignments[0] if consignments else child(record, "shipping_address")


def _line_columns(line: Record) -> dict[str, object]:
    units = quantity(line, "quantity")
    if units is None:
        message = "quantity is missing"
        raise RecordFault(message)
    total, price = money(line, "total_ex_tax"), money(line, "price_ex_tax")
    discount = sum((money(part, "amount") or Decimal(0) for part in children(line, "applied_discounts")), Decimal(0))
    gross = total if total is not None else price * units if price is not None else None
    columns: dict[str, object] = {
        "line_id": needed_text(line, "id"),
        "sku": text(line, "sku"),
        "quantity": units,
        "unit_price": ((gross - discount) / units).quantize(_STEP) if gross is not None and units else price,
    }
    if text(line, "type") in ("digital", "giftcertificate"):
        columns["order_type"] = "no_ship"
    return columns


def _product(record: Record, _context: AdapterContext) -> Events:
    """Yield a line that has the date of its order, which is a record of its own (see `join_lines`)."""
    yield "order", {"event_type": "order.captured", "order_id": needed_text(record, "order_id")} | _line_columns(record)


def _states(record: Record, common: dict[str, Any]) -> Events:
    """Yield holds and cancellations. An order says its status, not since when: `date_modified` stands in."""
    status = text(record, "status_id") or ""
    changed = {
        "order_id": common["order_id"],
        "event_at": common["observed_at"] or common["event_at"],
        "observed_at": common["observed_at"],
        "time_quality": "estimated",
        "reason": text(record, "status"),
    }
    if status in CANCEL_ACTORS:
        yield "order", changed | {"event_type": "order.cancelled", "actor": CANCEL_ACTORS[status]}
    for held, hold_type in HOLDS.items():
        if status == held:
            yield "order", changed | {"event_type": "hold.placed", "hold_type": hold_type}
        elif changed["event_at"] != common["event_at"] and status != INCOMPLETE:
            # Of a hold that an earlier snapshot showed; without one it says nothing and changes nothing.
            yield "order", changed | {"event_type": "hold.released", "hold_type": hold_type, "reason": None}


def _shipment(record: Record, _context: AdapterContext) -> Events:
    items = children(record, "items")
    if not items:
        message = "items is empty: a shipment without products says nothing"
        raise RecordFault(message)
    shipped_at = _stamp(record, "date_created")
    carrier = text(record, "tracking_carrier") or text(record, "shipping_provider")
    for item in items:
        yield (
            "shipment",
            {
                "event_type": "ship.confirmed",
                "event_at": shipped_at,
                "time_quality": "instant",
                "shipment_id": needed_text(record, "id"),
                "order_id": needed_text(record, "order_id"),
                "line_id": needed_text(item, "order_product_id"),
                "quantity": quantity(item, "quantity"),
                "carrier": carrier.lower() if carrier else None,
                "service": text(record, "shipping_method"),
                "tracking_number": text(record, "tracking_number"),
                "ship_to_region": region_code(text(child(record, "shipping_address"), "state")),
                "cost_amount": money(record, "merchant_shipping_cost") if item is items[0] else None,
            },
        )


def _refund(record: Record, context: AdapterContext) -> Events:
    """Yield the refund of each product; refunds of shipping, tax or a lump sum are one event for the order."""
    common = {
        "event_type": "refund.issued",
        "event_at": _stamp(record, "created") or _stamp(record, "date_created"),
        "time_quality": "instant",
        "rma_id": f"bigcommerce-refund-{needed_text(record, 'id')}",
        "order_id": needed_text(record, "order_id"),
        "reason": text(record, "reason"),
        "currency": context.currency,
    }
    products = [item for item in children(record, "items") if text(item, "item_type") == "PRODUCT"]
    if not products:
        yield "return", common | {"amount": money(record, "total_amount")}
    for item in products:
        yield (
            "return",
            common
            | {
                "line_id": needed_text(item, "item_id"),
                "quantity": quantity(item, "quantity"),
                "amount": money(item, "requested_amount"),
                "reason": text(item, "reason") or text(record, "reason"),
            },
        )


def _stamp(record: Record, key: str) -> datetime | None:
    """Return an instant, ISO 8601 (v3) or RFC 2822 (v2), as naive UTC."""
    value = text(record, key)
    if value is None or value[:1].isdigit():
        return stamp(record, key)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        message = f"{key}: {value[:60]!r} is not a time such as Tue, 20 Nov 2026 00:00:00 +0000"
        raise RecordFault(message) from error
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        message = f"{key}: {value[:60]!r} is not a time between {EARLIEST_YEAR} and {LATEST_YEAR}"
        raise RecordFault(message)
    return moment
