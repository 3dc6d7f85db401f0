"""Fulfilments, their tracking events, and fulfilment orders with holds → shipment and order events.

A fulfilment is a mark in the shop (usually the label), not a carrier's scan. Its `shipment_status` and `deliveredAt`
are what the carrier told Shopify.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.sources.assembly import reference
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    needed_stamp,
    needed_text,
    quantity,
    stamp,
    text,
    to_json,
)
from pipelines.sources.shopify.graphql import number_of

HOLD_TYPES: Final = {
    "awaiting_payment": "payment",
    "high_risk_of_fraud": "fraud",
    "incorrect_address": "address",
    "inventory_out_of_stock": "stock",
}
"""Shopify hold reason → hold type; every other reason (unknown delivery date, awaiting return items …) is `other`."""

CARRIER_EVENTS: Final = {
    "label_printed": "label.created",
    "label_purchased": "label.created",
    "carrier_picked_up": "carrier.accepted",
    "in_transit": "in_transit",
    "out_for_delivery": "in_transit",
    "delayed": "exception",
    "attempted_delivery": "exception",
    "failure": "exception",
    "delivered": "delivered",
}
"""Status of a tracking event or a fulfilment's `shipment_status` → event; confirmed and ready_for_pickup are none."""

_FULFILMENT_NAME: Final = re.compile(r"^#?(.+?)(?:\.\d+|-F\d+)$")

Events = Iterator[tuple[str, dict[str, object]]]


def fulfilment(record: Record, parcels: dict[str, str]) -> Parsed:
    """Read a fulfilment that comes alone (webhook fulfillments/*, a list of them)."""
    region = text(child(record, "destination"), "province_code")
    parsed = Parsed()
    for family, columns in fulfilment_events(record, order_id=_order_id(record), region=region):
        parsed.add(family, observed_at=stamp(record, "updated_at"), **columns)
    number = tracking_number(record)
    if number is not None:
        parcels[needed_text(record, "id")] = number
    return parsed


def fulfilment_events(record: Record, *, order_id: str, region: str | None) -> Events:
    """Yield what the shop marked as shipped, and what the carrier told it of the way. Only successes count."""
    status = (text(record, "status") or "").lower() or None
    common = {
        "time_quality": "instant",
        "shipment_id": needed_text(record, "id"),
        "order_id": order_id,
        "carrier": (text(record, "tracking_company") or "").lower() or None,
        "tracking_number": tracking_number(record),
        "ship_to_region": region,
        "attributes": _attributes(record),
    }
    if status == "cancelled":
        voided_at = stamp(record, "updated_at") or needed_stamp(record, "created_at")
        yield "shipment", common | {"event_type": "label.voided", "event_at": voided_at, "status_code": status}
    if status != "success":
        return
    for line in children(record, "line_items"):
        moved = {"line_id": needed_text(line, "id"), "sku": text(line, "sku"), "quantity": _needed_quantity(line)}
        shipped_at = needed_stamp(record, "created_at")
        yield "shipment", common | moved | {
            "event_type": "ship.confirmed",
            "event_at": shipped_at,
            "status_code": status,
        }  # fmt: skip
        for columns in _on_the_way(record):
            yield "shipment", common | moved | columns


def _attributes(record: Record) -> str | None:
    return to_json({
        "location_id": text(record, "location_id"),
        "shop_order_id": number_of(record, "order_id"),
        "tracking_numbers": record["tracking_numbers"] if len(_numbers(record)) > 1 else None,
    })  # fmt: skip


def _on_the_way(record: Record) -> Iterator[dict[str, object]]:
    """Yield stages with a stamp of their own; else the status of the snapshot, at its update."""
    stamped = {"in_transit": stamp(record, "in_transit_at"), "delivered": stamp(record, "delivered_at")}
    for status, moment in stamped.items():
        if moment is not None:
            yield {"event_type": status, "event_at": moment, "status_code": status}
    told = children(record, "events")
    for columns in map(_carrier_columns, told):
        # The stamps above are taken from these events: once is enough.
        if columns is not None and stamped.get(str(columns["event_type"])) is None:
            yield columns
    shown = text(record, "shipment_status")
    event_type = CARRIER_EVENTS.get((shown or "").lower())
    known = {"label.created"} | {kind for kind, moment in stamped.items() if moment is not None}
    if event_type is None or event_type in known or told:
        return
    yield {
        "event_type": event_type,
        "event_at": stamp(record, "updated_at") or needed_stamp(record, "created_at"),
        "time_quality": "estimated",
        "status_code": shown,
    }


def fulfilment_event(record: Record) -> Parsed:
    """Read a tracking event (webhook fulfillment_events/*)."""
    parsed = Parsed()
    columns = _carrier_columns(record)
    if columns is not None:
        parsed.add(
            "shipment",
            shipment_id=number_of(record, "fulfillment_id"),
            order_id=_order_id(record),
            observed_at=stamp(record, "created_at"),
            **columns,
        )
    return parsed


def _carrier_columns(event: Record) -> dict[str, object] | None:
    status = (text(event, "status") or "").lower()
    if status not in CARRIER_EVENTS:
        return None
    estimated = stamp(event, "estimated_delivery_at") or stamp(event, "estimated_delivery_date")
    return {
        "event_type": CARRIER_EVENTS[status],
        "event_at": needed_stamp(event, "happened_at"),
        "time_quality": "instant",
        "status_code": status,
        "estimated_delivery_at": estimated,
        "attributes": to_json({"message": text(event, "message"), "shop_order_id": number_of(event, "order_id")}),
    }


def fulfilment_order(record: Record) -> Parsed:
    """Read a fulfilment order that comes alone."""
    parsed = Parsed()
    for family, columns in fulfilment_order_events(record, order_id=_order_id(record)):
        parsed.add(family, observed_at=stamp(record, "updated_at"), **columns)
    return parsed


def fulfilment_order_events(record: Record, *, order_id: str) -> Events:
    """Yield the ship window and promise of the lines, and their holds.

    A snapshot says what is on hold now, neither since when nor what was before. One that was touched after its creation
    therefore also says which kinds of holds it does not have: the release of a hold that an earlier snapshot showed,
    in this batch or before; without such a hold it says nothing and changes nothing.
    """
    created_at = stamp(record, "created_at")
    changed_at = stamp(record, "updated_at") or created_at
    identity = to_json({"fulfillment_order_id": text(record, "id"), "shop_order_id": number_of(record, "order_id")})
    common = {"order_id": order_id, "attributes": identity}
    dates = {
        "ship_window_start_at": stamp(record, "fulfill_at"),
        "ship_by_at": stamp(record, "fulfill_by"),
        "promise_at": stamp(child(record, "delivery_method"), "max_delivery_date_time"),
    }
    holds: dict[str, str | None] = {
        HOLD_TYPES.get((reason or "").lower(), "other"): text(hold, "reason_notes") or reason
        for hold in children(record, "fulfillment_holds")
        for reason in [text(hold, "reason")]
    }
    if (text(record, "status") or "").lower() == "on_hold" and not holds:
        holds = {"other": None}
    for line in _fulfilment_order_lines(record):
        own = common | line
        if any(dates.values()) and created_at is not None:
            promised = {"event_type": "order.promised", "event_at": created_at, "time_quality": "instant"}
            yield "order", own | promised | dates
        if changed_at is None:
            continue
        for hold_type in (*HOLD_TYPES.values(), "other"):
            held = hold_type in holds
            if not held and changed_at == created_at:
                continue
            yield "order", common | {
                "line_id": line["line_id"],
                "event_type": "hold.placed" if held else "hold.released",
                "event_at": changed_at,
                "time_quality": "estimated",
                "hold_type": hold_type,
                "reason": holds.get(hold_type),
            }  # fmt: skip


def _fulfilment_order_lines(record: Record) -> list[dict[str, object]]:
    lines = children(record, "line_items") or children(record, "fulfillment_order_line_items")
    return [
        {"line_id": text(line, "line_item_id"), "sku": text(line, "sku"), "quantity": quantity(line, "quantity")}
        for line in lines
    ] or [{"line_id": None}]


def tracking_number(record: Record) -> str | None:
    """Return the first tracking number of a fulfilment."""
    numbers = _numbers(record)
    return text(record, "tracking_number") or (str(numbers[0]) if numbers else None)


def _numbers(record: Record) -> list[object]:
    numbers = record.get("tracking_numbers")
    return numbers if isinstance(numbers, list) else []


def _order_id(record: Record) -> str:
    """Return the order's number; where only the shop's internal id is told, a reference that is settled later."""
    name = text(record, "order_name")
    if name is not None:
        return name.removeprefix("#")
    named = _FULFILMENT_NAME.match(text(record, "name") or "")
    if named is not None:
        return named.group(1)
    identifier = number_of(record, "order_id")
    if identifier is None:
        message = "order_id is missing: nothing says which order this is"
        raise RecordFault(message)
    return reference(identifier)


def _needed_quantity(line: Record) -> object:
    units = quantity(line, "quantity")
    if units is None:
        message = "quantity is missing"
        raise RecordFault(message)
    return units
