"""What only the snapshots of a batch together can tell: which order an internal id means, what changed when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from pipelines.sources.assembly import hold_turns, name_orders
from pipelines.sources.base import ParsedBatch


def settle(parsed: ParsedBatch, numbers: Mapping[str, str], parcels: Mapping[str, str]) -> ParsedBatch:
    """Settle references, changes, holds and delivery statuses.

    Args:
        parsed: Events of the batch.
        numbers: Shop's internal order id → order number, of the orders in the batch.
        parcels: Fulfilment id → tracking number, for tracking events, which name only the fulfilment.
    """
    events = dict(name_orders(parsed, numbers).events)
    if "order" in events:
        events["order"] = hold_turns(_earliest_changes(events["order"]))
    if "shipment" in events:
        events["shipment"] = _earliest_statuses(_tracked(events["shipment"], parcels))
    return replace(parsed, events={family: frame for family, frame in events.items() if not frame.is_empty()})


def _earliest_changes(orders: pl.DataFrame) -> pl.DataFrame:
    """Keep each change of a line's total once, at the earliest snapshot that shows it."""
    is_change = pl.col("event_type") == "order.changed"
    changes = (
        orders.filter(is_change)
        .sort("event_at", "source_ref")
        .unique(subset=["order_id", "line_id", "quantity"], keep="first", maintain_order=True)
    )
    return pl.concat([orders.filter(~is_change), changes])


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
