"""GraphQL objects in REST's words, and the rows of a bulk operation joined to objects.

A bulk operation writes one row per object; a child names its parent in `__parentId` and may follow it at any distance.
Lists that are no connections (fulfilments, refunds) stand inside their parent's row.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from pipelines.sources.records import Positioned, Record, RecordFault, child, quantity, text
from pipelines.sources.shopify.shapes import Shape

_CHILD_LISTS: Final = {
    "LineItem": "lineItems",
    "Fulfillment": "fulfillments",
    "FulfillmentLineItem": "fulfillmentLineItems",
    "FulfillmentEvent": "events",
    "FulfillmentOrder": "fulfillmentOrders",
    "FulfillmentOrderLineItem": "lineItems",
    "Refund": "refunds",
    "RefundLineItem": "refundLineItems",
    "Return": "returns",
    "ReturnLineItem": "returnLineItems",
    "ReverseFulfillmentOrder": "reverseFulfillmentOrders",
    "ReverseFulfillmentOrderLineItem": "lineItems",
    "ShippingLine": "shippingLines",
}
"""Type in a child's global id → field of its parent."""

_BY_PARENT: Final = {
    "Fulfillment": "fulfillmentLineItems",
    "Refund": "refundLineItems",
    "FulfillmentOrder": "lineItems",
    "Return": "returnLineItems",
}
"""Type of the parent → field, for children that were asked for without their id."""

_DELIVERY_STATUSES: Final = frozenset({
    "label_printed",
    "label_purchased",
    "in_transit",
    "out_for_delivery",
    "attempted_delivery",
    "delayed",
    "delivered",
    "failure",
})  # fmt: skip
"""`displayStatus` values that REST gives as `shipment_status`."""


def join_bulk_rows(records: Iterator[Positioned]) -> Iterator[Positioned]:
    """Hang the children of a bulk result under their parents; any other file passes unchanged.

    A child whose parent is not in the file is passed on as it is, for rejection.
    """
    first = next(records, None)
    if first is None:
        return
    start = first[1]
    is_bulk = isinstance(start, dict) and ("__parentId" in start or str(start.get("id")).startswith("gid://"))
    yield from _joined(chain([first], records)) if is_bulk else chain([first], records)


def _joined(records: Iterator[Positioned]) -> Iterator[Positioned]:
    roots: list[Positioned] = []
    rows: list[tuple[object, dict[str, Any]]] = []
    known: dict[str, dict[str, Any]] = {}
    for position, record in records:
        if isinstance(record, dict):
            _index(record, known)
            if "__parentId" in record:
                rows.append((position, record))
                continue
        roots.append((position, record))
    for position, row in rows:
        parent = known.get(str(row["__parentId"]))
        field = _field_of(row)
        # What hangs under a product or a note is of no use here; an orphan is a fault of the file.
        if parent is None:
            roots.append((position, row))
        elif field is not None:
            row.pop("__parentId")
            held = parent.setdefault(field, [])
            if isinstance(held, list):
                held.append(row)
    yield from roots


def _index(record: dict[str, Any], known: dict[str, dict[str, Any]]) -> None:
    """Note an object and the objects in its plain lists by their global id."""
    known[str(record.get("id"))] = record
    for field in ("fulfillments", "refunds"):
        held = record.get(field)
        for item in held if isinstance(held, list) else ():
            if isinstance(item, dict):
                known[str(item.get("id"))] = item


def _field_of(row: Record) -> str | None:
    own = _type_of(row.get("id"))
    if own is not None:
        return _CHILD_LISTS.get(own)
    parent = _type_of(row.get("__parentId"))
    if parent == "Order":
        return "lineItems" if "quantity" in row else None
    return _BY_PARENT.get(parent or "")


def _type_of(identifier: object) -> str | None:
    """Return the type in a global id: `gid://shopify/LineItem/7?x=1` → LineItem."""
    parts = str(identifier).split("/")
    return parts[3] if len(parts) == 5 and parts[0] == "gid:" else None


def as_rest(record: Record, shape: Shape) -> Record:
    """Return an object in REST's words; what is REST already is returned as it is.

    Raises:
        RecordFault: A list is cut off by paging.
    """
    match shape:
        case Shape.GRAPHQL_ORDER:
            return _order(record)
        case Shape.GRAPHQL_FULFILMENT:
            return _fulfilment(record, {}) | _order_of(record)
        case Shape.GRAPHQL_FULFILMENT_ORDER:
            return _fulfilment_order(record) | _order_of(record)
        case Shape.GRAPHQL_RETURN:
            return _return(record) | _order_of(record)
        case _:
            return record


def number_of(record: Record, key: str = "id") -> str | None:
    """Return the number in an id: global ids, plain numbers and texts alike."""
    value = text(record, key)
    return value.rsplit("/", 1)[-1].split("?", 1)[0] if value and value.startswith("gid://") else value


def _order_of(record: Record) -> dict[str, Any]:
    order = child(record, "order")
    return {"order_id": number_of(order), "order_name": text(order, "name")}


def _order(node: Record) -> Record:
    lines = [_line(line) for line in _nodes(node, "lineItems")]
    skus = {str(line["id"]): line["sku"] for line in lines}
    shipping = _nodes(node, "shippingLines") or ([node["shippingLine"]] if node.get("shippingLine") else [])
    address = child(node, "shippingAddress")
    return {
        "id": text(node, "legacyResourceId") or number_of(node),
        "name": node.get("name"),
        "created_at": node.get("createdAt"),
        "processed_at": node.get("processedAt"),
        "updated_at": node.get("updatedAt"),
        "cancelled_at": node.get("cancelledAt"),
        "cancel_reason": _lower(node, "cancelReason"),
        "test": node.get("test"),
        "source_name": node.get("sourceName"),
        "currency": node.get("currencyCode"),
        "presentment_currency": node.get("presentmentCurrencyCode"),
        "customer": {"id": number_of(child(node, "customer"))},
        "shipping_address": {
            "province_code": address.get("provinceCode"),
            "country_code": address.get("countryCodeV2") or address.get("countryCode"),
            "zip": address.get("zip"),
        },
        "shipping_lines": [
            {"code": line.get("code"), "title": line.get("title"), "price": _amount(line, "originalPrice")}
            for line in shipping
        ],
        "note_attributes": [
            {"name": pair.get("key"), "value": pair.get("value")} for pair in _nodes(node, "customAttributes")
        ],
        "line_items": lines,
        "fulfillments": [_fulfilment(item, skus) for item in _nodes(node, "fulfillments")],
        "refunds": [_refund(item, skus) for item in _nodes(node, "refunds")],
        "fulfillment_orders": [_fulfilment_order(item) for item in _nodes(node, "fulfillmentOrders")],
        "returns": [_return(item) for item in _nodes(node, "returns")],
    }


def _line(node: Record) -> dict[str, Any]:
    price = _amount(node, "originalUnitPrice")
    net = _amount(node, "discountedUnitPriceAfterAllDiscounts") or _amount(node, "discountedUnitPrice")
    discounts = [{"amount": _amount(part, "allocatedAmount")} for part in _nodes(node, "discountAllocations")]
    total = _amount(node, "totalDiscount")
    is_net = net is not None and not discounts and total is None
    return {
        "id": number_of(node),
        "sku": node.get("sku"),
        "quantity": node.get("quantity"),
        "current_quantity": node.get("currentQuantity"),
        "price": net if is_net else price,
        "discount_allocations": discounts,
        "total_discount": total,
        "requires_shipping": node.get("requiresShipping"),
        "gift_card": node.get("isGiftCard"),
    }


def _fulfilment(node: Record, skus: dict[str, Any]) -> dict[str, Any]:
    tracking = _nodes(node, "trackingInfo")
    first = tracking[0] if tracking else {}
    shown = _lower(node, "displayStatus")
    return {
        "id": text(node, "legacyResourceId") or number_of(node),
        "name": node.get("name"),
        "status": _lower(node, "status"),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "in_transit_at": node.get("inTransitAt"),
        "delivered_at": node.get("deliveredAt"),
        "estimated_delivery_at": node.get("estimatedDeliveryAt"),
        "shipment_status": shown if shown in _DELIVERY_STATUSES else None,
        "location_id": number_of(child(node, "location")),
        "tracking_company": first.get("company"),
        "tracking_number": first.get("number"),
        "tracking_numbers": [info.get("number") for info in tracking if info.get("number")],
        "line_items": [_moved(item, skus) for item in _nodes(node, "fulfillmentLineItems")],
        "events": [
            {
                "status": _lower(event, "status"),
                "happened_at": event.get("happenedAt"),
                "estimated_delivery_at": event.get("estimatedDeliveryAt"),
                "message": event.get("message"),
            }
            for event in _nodes(node, "events")
        ],
    }


def _moved(node: Record, skus: dict[str, Any]) -> dict[str, Any]:
    """Return a line of a fulfilment, refund, return or fulfilment order."""
    line = child(node, "lineItem")
    line_id = number_of(line)
    return {
        "id": line_id,
        "line_item_id": line_id,
        "sku": line.get("sku") or node.get("sku") or skus.get(str(line_id)),
        "quantity": node.get("quantity"),
    }


def _refund(node: Record, skus: dict[str, Any]) -> dict[str, Any]:
    items = []
    for item in _nodes(node, "refundLineItems"):
        moved = _moved(item, skus)
        details = {
            "restock_type": _lower(item, "restockType"),
            "subtotal": _amount(item, "subtotal"),
            "line_item": {"sku": moved["sku"]},
        }
        items.append(moved | details)
    return {
        "id": text(node, "legacyResourceId") or number_of(node),
        "created_at": node.get("createdAt"),
        "note": node.get("note"),
        "return": {"id": number_of(child(node, "return"))},
        "refund_line_items": items,
    }


def _fulfilment_order(node: Record) -> dict[str, Any]:
    delivery = child(node, "deliveryMethod")
    return {
        "id": number_of(node),
        "status": _lower(node, "status"),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "fulfill_at": node.get("fulfillAt"),
        "fulfill_by": node.get("fulfillBy"),
        "assigned_location_id": number_of(child(child(node, "assignedLocation"), "location")),
        "delivery_method": {"max_delivery_date_time": delivery.get("maxDeliveryDateTime")},
        "fulfillment_holds": [
            {"reason": _lower(hold, "reason"), "reason_notes": hold.get("reasonNotes")}
            for hold in _nodes(node, "fulfillmentHolds")
        ],
        "line_items": [_moved(item, {}) | {"quantity": _units(item)} for item in _nodes(node, "lineItems")],
    }


def _units(node: Record) -> object:
    return node.get("totalQuantity") if quantity(node, "totalQuantity") is not None else node.get("remainingQuantity")


def _return(node: Record) -> dict[str, Any]:
    lines = []
    for item in _nodes(node, "returnLineItems"):
        moved = _moved(child(item, "fulfillmentLineItem"), {})
        details = {
            "return_line_item_id": number_of(item),
            "quantity": item.get("quantity"),
            "return_reason": _lower(item, "returnReason"),
        }
        lines.append(moved | details)
    dispositions = [
        moved | {"type": _lower(disposition, "type"), "quantity": disposition.get("quantity"),
                 "created_at": disposition.get("createdAt")}
        for reverse in _nodes(node, "reverseFulfillmentOrders")
        for item in _nodes(reverse, "lineItems")
        for moved in [_moved(child(item, "fulfillmentLineItem"), {})]
        for disposition in _nodes(item, "dispositions")
    ]  # fmt: skip
    return {
        "id": number_of(node),
        "name": node.get("name"),
        "status": _lower(node, "status"),
        "created_at": node.get("createdAt"),
        "return_line_items": lines,
        "dispositions": dispositions,
    }


def _amount(record: Record, name: str) -> str | None:
    """Return shop money: `<name>Set.shopMoney.amount`, or the plain scalar of older versions."""
    held = child(record, f"{name}Set")
    amount = text(child(held, "shopMoney"), "amount")
    return amount if amount is not None or held else text(record, name)


def _lower(record: Record, key: str) -> str | None:
    value = text(record, key)
    return value.lower() if value else None


def _nodes(record: Record, key: str) -> list[Record]:
    """Return the objects of a list or a connection.

    Raises:
        RecordFault: The connection has further pages, so that the object is incomplete.
    """
    held = record.get(key)
    if isinstance(held, dict):
        if child(held, "pageInfo").get("hasNextPage") is True:
            message = f"{key} has further pages: the object is incomplete. Fetch it with more per page, or in bulk"
            raise RecordFault(message)
        held = held["nodes"] if "nodes" in held else [
            edge.get("node") if isinstance(edge, dict) else edge for edge in held.get("edges") or []
        ]  # fmt: skip
    if held is None:
        return []
    if not isinstance(held, list) or not all(isinstance(item, dict) for item in held):
        message = f"{key}: {str(held)[:60]!r} is not a list of objects"
        raise RecordFault(message)
    return held
