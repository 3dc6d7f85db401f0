"""Shopify (Admin API and webhooks) → order, shipment, hold and refund events.

Read are REST JSON (one object, a list, webhook bodies, JSON lines), GraphQL answers and the JSON lines of bulk
operations: orders, fulfilments with their tracking events, fulfilment orders with holds, refunds and returns. GraphQL
is first written in REST's words, so that the same fact has the same event id whichever way it came.

An order arrives again whenever something about it changed, as a snapshot of its latest state. Every event is
therefore built from fields that do not move afterwards. Where Shopify does not say when something happened (an edited
quantity, a hold, a delivery status), the snapshot's `updated_at` stands in, marked as estimated; within a batch
the earliest one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.records import Parsed, Record, RecordFault, collect, outline, text
from pipelines.sources.shopify.fulfilments import fulfilment, fulfilment_event, fulfilment_order
from pipelines.sources.shopify.graphql import as_rest, join_bulk_rows
from pipelines.sources.shopify.history import settle
from pipelines.sources.shopify.orders import order
from pipelines.sources.shopify.refunds import refund, shop_return
from pipelines.sources.shopify.shapes import Shape, is_readable, shape_of

__all__ = ["parse", "recognises"]

_WRAPPERS: Final = (
    "data",
    "detail",
    "payload",
    "customer",
    "orderByIdentifier",
    "node",
    "nodes",
    "edges",
    "order",
    "orders",
    "fulfillment",
    "fulfillments",
    "fulfillment_order",
    "fulfillment_orders",
    "fulfillmentOrder",
    "fulfillmentOrders",
    "fulfillment_event",
    "fulfillment_events",
    "event",
    "refund",
    "refunds",
    "return",
    "returns",
)


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds Shopify orders or what becomes of them. Drafts, carts and checkouts are neither."""
    return file.kind in (".json", ".jsonl", ".ndjson") and is_readable(outline(file.head), _WRAPPERS)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read orders into events: captured lines, promises, changes, cancellations, holds, fulfilments, refunds."""
    numbers: dict[str, str] = {}
    parcels: dict[str, str] = {}
    parsed = collect(
        files,
        wrappers=_WRAPPERS,
        convert=lambda record: _convert(record, context, numbers, parcels),
        is_record=lambda record: shape_of(record.keys()) is not None,
        assemble=join_bulk_rows,
    )
    return settle(parsed, numbers, parcels)


def _convert(record: Record, context: AdapterContext, numbers: dict[str, str], parcels: dict[str, str]) -> Parsed:
    shape = shape_of(record.keys())
    if "__parentId" in record:
        message = f"__parentId: {text(record, '__parentId')!r} is not in this file; deliver the whole bulk result"
        raise RecordFault(message)
    if shape is None:
        found = ", ".join(sorted(map(str, record))[:12]) or "no field"
        message = f"not an order, fulfilment, refund or return as Shopify writes it: the object has {found}"
        raise RecordFault(message)
    record = as_rest(record, shape)
    match shape:
        case Shape.ORDER | Shape.GRAPHQL_ORDER:
            return order(record, context, numbers)
        case Shape.FULFILMENT | Shape.GRAPHQL_FULFILMENT:
            return fulfilment(record, parcels)
        case Shape.FULFILMENT_EVENT:
            return fulfilment_event(record)
        case Shape.FULFILMENT_ORDER | Shape.GRAPHQL_FULFILMENT_ORDER:
            return fulfilment_order(record)
        case Shape.REFUND:
            return refund(record, context)
        case Shape.RETURN | Shape.GRAPHQL_RETURN:
            return shop_return(record)
        case Shape.REFERENCE:
            message = (
                "only a reference: the body names neither its order nor a time. Fetch the order (otif pull does), "
                "or subscribe to orders/updated"
            )
            raise RecordFault(message)
