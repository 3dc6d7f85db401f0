"""Refunds and returns → return events. A refund is money; only a return's dispositions say what came back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from pipelines.sources.assembly import reference
from pipelines.sources.base import AdapterContext
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    money,
    needed_stamp,
    needed_text,
    quantity,
    stamp,
    text,
    to_json,
)
from pipelines.sources.shopify.graphql import number_of

_RETURN_NAME: Final = re.compile(r"^#?(.+)-R\d+$")
_DISPOSITIONS: Final = {"restocked": ("return.restocked", "restock_a"), "not_restocked": ("return.received", None)}
"""Disposition type → event and disposition. `processing_required` goods have arrived; `missing` ones have not."""


def refund(record: Record, context: AdapterContext) -> Parsed:
    """Read a refund that comes alone (webhook refunds/create).

    Lines that were cancelled before shipping are left to the order's own snapshot, which says who cancelled.
    """
    parsed = Parsed()
    order_id = reference(str(number_of(record, "order_id") or needed_text(record, "order_id")))
    for columns in refund_events(record, order_id=order_id, currency=None, context=context):
        parsed.add("return", observed_at=stamp(record, "created_at"), **columns)
    return parsed


def refund_events(
    record: Record, *, order_id: str, currency: str | None, context: AdapterContext
) -> Iterator[dict[str, object]]:
    """Yield refunds of goods that were not cancelled before shipping."""
    linked = number_of(child(record, "return"))
    for item in children(record, "refund_line_items"):
        restock = text(item, "restock_type")
        if restock == "cancel":
            continue
        units = quantity(item, "quantity")
        if units is None:
            message = "quantity is missing"
            raise RecordFault(message)
        amount, stated = _shop_money(item, "subtotal")
        yield {
            "event_type": "refund.issued",
            "event_at": needed_stamp(record, "created_at"),
            "time_quality": "instant",
            "rma_id": f"shopify-return-{linked}" if linked else f"shopify-refund-{needed_text(record, 'id')}",
            "order_id": order_id,
            "line_id": needed_text(item, "line_item_id"),
            "sku": text(child(item, "line_item"), "sku"),
            "quantity": units,
            "reason": text(record, "note") or restock,
            "amount": amount,
            "currency": currency or stated or _refund_currency(record) or context.currency,
            "attributes": to_json({"restock_type": restock, "shop_order_id": number_of(record, "order_id")}),
        }


def _shop_money(item: Record, key: str) -> tuple[Decimal | None, str | None]:
    """Return an amount in the shop's currency, not the buyer's, and that currency where it is stated."""
    shop = child(child(item, f"{key}_set"), "shop_money")
    return (money(shop, "amount"), text(shop, "currency_code")) if shop else (money(item, key), None)


def _refund_currency(record: Record) -> str | None:
    return next((text(part, "currency") for part in children(record, "transactions") if text(part, "currency")), None)


def shop_return(record: Record) -> Parsed:
    """Read a return that comes alone (webhook returns/*)."""
    parsed = Parsed()
    held = child(record, "order")
    name = text(record, "order_name") or text(held, "name")
    if name is None and (match := _RETURN_NAME.match(text(record, "name") or "")):
        name = match.group(1)
    identifier = number_of(record, "order_id") or number_of(held) or number_of(held, "admin_graphql_api_id")
    if name is None and identifier is None:
        message = "order is missing: nothing says which order is returned"
        raise RecordFault(message)
    order_id = name.removeprefix("#") if name else reference(str(identifier))
    for columns in return_events(record, order_id=order_id):
        parsed.add("return", observed_at=stamp(record, "updated_at"), **columns)
    return parsed


def return_events(record: Record, *, order_id: str) -> Iterator[dict[str, object]]:
    """Yield authorisations and what the dispositions say. A closed return has not thereby been received."""
    common = {
        "time_quality": "instant",
        "rma_id": f"shopify-return-{number_of(record) or number_of(record, 'admin_graphql_api_id')}",
        "order_id": order_id,
        "attributes": to_json({"name": text(record, "name"), "status": text(record, "status")}),
    }
    if (text(record, "status") or "").lower() in ("canceled", "cancelled", "declined"):
        return
    created_at = stamp(record, "created_at") or stamp(record, "requested_at")
    if created_at is None:
        message = "created_at is missing: a return without a time cannot be placed"
        raise RecordFault(message)
    for line in children(record, "return_line_items"):
        item = child(child(line, "fulfillment_line_item"), "line_item")
        yield common | {
            "event_type": "rma.created",
            "event_at": created_at,
            "line_id": text(line, "line_item_id") or number_of(item),
            "sku": text(line, "sku") or text(item, "sku"),
            "quantity": quantity(line, "quantity"),
            "reason": (text(line, "return_reason") or "").lower() or None,
        }
    for disposition in children(record, "dispositions"):
        kind = text(disposition, "type") or ""
        disposed_at = stamp(disposition, "created_at")
        event_type, grade = _DISPOSITIONS.get(kind, ("return.received", None))
        if kind == "missing" or disposed_at is None:
            continue
        arrived: dict[str, object] = common | {
            "line_id": text(disposition, "line_item_id"),
            "sku": text(disposition, "sku"),
            "quantity": quantity(disposition, "quantity"),
            "event_at": disposed_at,
        }
        if event_type == "return.restocked":
            yield arrived | {"event_type": "return.received"}
        yield arrived | {"event_type": event_type, "disposition": grade}
