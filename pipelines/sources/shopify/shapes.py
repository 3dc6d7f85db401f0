"""What a Shopify object is, told from its field names alone: the API marks neither type nor version in a body."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import Enum, auto
from itertools import chain
from typing import Final


class Shape(Enum):
    """Kinds of objects that are read, REST (snake case) and GraphQL (camel case)."""

    ORDER = auto()
    FULFILMENT = auto()
    FULFILMENT_EVENT = auto()
    FULFILMENT_ORDER = auto()
    REFUND = auto()
    RETURN = auto()
    REFERENCE = auto()
    GRAPHQL_ORDER = auto()
    GRAPHQL_FULFILMENT = auto()
    GRAPHQL_FULFILMENT_ORDER = auto()
    GRAPHQL_RETURN = auto()


_ORDER_MARKS: Final = frozenset({"financial_status", "processed_at", "cancel_reason", "source_name", "order_number"})
_GRAPHQL_ORDER_MARKS: Final = frozenset(
    {"displayFinancialStatus", "displayFulfillmentStatus", "processedAt", "cancelledAt", "cancelReason", "sourceName"}
)
_TRACKING: Final = frozenset({"tracking_number", "tracking_numbers", "tracking_company", "tracking_url"})


def shape_of(keys: Collection[str]) -> Shape | None:
    """Return what an object with these fields is, or None."""
    names = frozenset(keys)
    return next((shape for shape, fits in chain(_is_rest(names), _is_graphql(names)) if fits), None)


def is_readable(paths: frozenset[str], wrappers: Collection[str]) -> bool:
    """Say whether the key paths of a document show an object that is read, or an empty list of orders."""
    if paths == {"orders"}:
        return True  # a period without orders
    return any(shape_of(names) is not None for names in _objects(paths, wrappers))


def _is_rest(names: frozenset[str]) -> Iterator[tuple[Shape, bool]]:
    yield Shape.ORDER, "name" in names and len(names & _ORDER_MARKS) >= 2
    yield Shape.REFUND, {"refund_line_items", "order_id", "created_at"} <= names
    yield Shape.FULFILMENT_EVENT, {"fulfillment_id", "status", "happened_at"} <= names
    assigned = bool(names & {"assigned_location_id", "assigned_location"})
    yield Shape.FULFILMENT_ORDER, {"order_id", "status"} <= names and assigned
    yield Shape.FULFILMENT, {"order_id", "status", "line_items"} <= names and bool(names & _TRACKING)
    yield Shape.RETURN, "return_line_items" in names and bool(names & {"order", "order_id", "name"})
    yield Shape.REFERENCE, "order_edit" in names or {"fulfillment_order", "created_fulfillment_hold"} <= names


def _is_graphql(names: frozenset[str]) -> Iterator[tuple[Shape, bool]]:
    identified = bool(names & {"id", "lineItems", "legacyResourceId"})
    yield Shape.GRAPHQL_ORDER, "name" in names and bool(names & _GRAPHQL_ORDER_MARKS) and identified
    yield Shape.GRAPHQL_FULFILMENT, {"fulfillmentLineItems", "status"} <= names
    yield Shape.GRAPHQL_FULFILMENT_ORDER, "fulfillmentHolds" in names or {"requestStatus", "lineItems"} <= names
    yield Shape.GRAPHQL_RETURN, "returnLineItems" in names and bool(names & {"order", "name"})


def _objects(paths: Iterable[str], wrappers: Collection[str]) -> Iterable[set[str]]:
    """Return the field names of the objects that lie under wrappers only."""
    objects: dict[str, set[str]] = {}
    for path in paths:
        parent, _, name = path.rpartition(".")
        objects.setdefault(parent, set()).add(name)
    return [
        names for parent, names in objects.items() if not parent or all(part in wrappers for part in parent.split("."))
    ]
