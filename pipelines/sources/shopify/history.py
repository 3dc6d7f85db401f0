"""What only the snapshots of a batch together can tell: which order an internal id means, what changed when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from pipelines.sources.base import ParsedBatch

_MARK: Final = "\x00"


def reference(shop_order_id: str) -> str:
    """Return the order id of an event that knows only the shop's internal order id, until `settle` has seen all."""
    return _MARK + shop_order_id


def settle(parsed: ParsedBatch, numbers: Mapping[str, str], parcels: Mapping[str, str]) -> ParsedBatch:
    """Settle references, changes, holds and delivery statuses.

    Args:
        parsed: Events of the batch.
        numbers: Shop's internal order id → order number, of the orders in the batch. A reference to any other order
            keeps the internal id; seed match_rules links it to the order that states this id.
        parcels: Fulfilment id → tracking number, for tracking events, which name only the fulfilment.
    """
    events = {family: _named(frame, numbers) for family, frame in parsed.events.items()}
    if "order" in events:
        events["order"] = _holds_paired(_earliest_changes(events["order"]))
    if "shipment" in events:
        events["shipment"] = _earliest_statuses(_tracked(events["shipment"], parcels))
    return replace(parsed, events={family: frame for family, frame in events.items() if not frame.is_empty()})


def _named(frame: pl.DataFrame, numbers: Mapping[str, str]) -> pl.DataFrame:
    order_id = pl.col("order_id")
    identifier = order_id.str.strip_prefix(_MARK)
    named = (
        identifier.replace_strict(list(numbers), list(numbers.values()), default=identifier) if numbers else identifier
    )
    return frame.with_columns(pl.when(order_id.str.starts_with(_MARK)).then(named).otherwise(order_id))


def _earliest_changes(orders: pl.DataFrame) -> pl.DataFrame:
    """Keep each change of a line's total once, at the earliest snapshot that shows it."""
    is_change = pl.col("event_type") == "order.changed"
    changes = (
        orders.filter(is_change)
        .sort("event_at", "source_ref")
        .unique(subset=["order_id", "line_id", "quantity"], keep="first", maintain_order=True)
    )
    return pl.concat([orders.filter(~is_change), changes])


def _holds_paired(orders: pl.DataFrame) -> pl.DataFrame:
    """Keep the turns only: a hold when it first shows, and the first snapshot that no longer has it."""
    is_hold = pl.col("event_type").is_in(["hold.placed", "hold.released"])
    if orders.filter(is_hold).is_empty():
        return orders
    fulfilment_order = pl.col("attributes").str.json_path_match("$.fulfillment_order_id").fill_null("")
    key = [fulfilment_order, pl.col("order_id"), pl.col("line_id").fill_null(""), pl.col("hold_type")]
    holds = orders.filter(is_hold).sort("event_at", "event_type", "source_ref", descending=[False, True, False])
    previous = pl.col("event_type").shift(1).over(key).fill_null("")
    return pl.concat([orders.filter(~is_hold), holds.filter(pl.col("event_type") != previous)])


def _tracked(shipments: pl.DataFrame, parcels: Mapping[str, str]) -> pl.DataFrame:
    if not parcels:
        return shipments
    known = pl.col("shipment_id").replace_strict(list(parcels), list(parcels.values()), default=None)
    return shipments.with_columns(pl.coalesce("tracking_number", known))


def _earliest_statuses(shipments: pl.DataFrame) -> pl.DataFrame:
    """Keep a delivery status that has no time of its own once, at the earliest snapshot that shows it."""
    is_status = (pl.col("time_quality") == "estimated") & pl.col("event_type").is_in(
        ["in_transit", "exception", "delivered", "carrier.accepted"]
    )
    statuses = (
        shipments.filter(is_status)
        .sort("event_at", "source_ref")
        .unique(subset=["shipment_id", "line_id", "event_type", "status_code"], keep="first", maintain_order=True)
    )
    return pl.concat([shipments.filter(~is_status), statuses])
