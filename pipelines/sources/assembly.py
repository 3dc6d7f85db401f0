"""Orders that come in pieces: parts that know only an internal id, and lines in records of their own.

An adapter notes what it learns while it reads; when all files are read, the pieces are put together here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from pipelines.sources.base import ParsedBatch

_MARK: Final = "\x00"

_OF_THE_ORDER: Final = (
    "event_at",
    "observed_at",
    "time_quality",
    "channel",
    "customer_id",
    "order_type",
    "service_level",
    "currency",
    "ship_to_region",
    "ship_to_country",
    "ship_to_postal_code",
    "clock_zone",
    "node_id",
)
"""Columns that a line takes over from its order where it does not say otherwise."""


def reference(internal_id: str) -> str:
    """Return the order id of an event that knows only the source's internal order id, until `name_orders`."""
    return _MARK + internal_id


def name_orders(parsed: ParsedBatch, numbers: Mapping[str, str]) -> ParsedBatch:
    """Replace references by order numbers.

    Args:
        parsed: Events of the batch.
        numbers: Internal order id → order number, of the orders in the batch. A reference to any other order keeps the
            internal id; seed match_rules links it to the order that states this id.
    """
    return replace(parsed, events={family: _named(frame, numbers) for family, frame in parsed.events.items()})


def _named(frame: pl.DataFrame, numbers: Mapping[str, str]) -> pl.DataFrame:
    if "order_id" not in frame.columns:
        return frame
    order_id = pl.col("order_id")
    named = identifier = order_id.str.strip_prefix(_MARK)
    if numbers:
        named = identifier.replace_strict(list(numbers), list(numbers.values()), default=identifier)
    return frame.with_columns(pl.when(order_id.str.starts_with(_MARK)).then(named).otherwise(order_id))


def join_lines(parsed: ParsedBatch, *, what: str) -> ParsedBatch:
    """Give lines that came without a time (`event_at` null) the columns of their order.

    An order whose lines are known then no longer counts as one without lines; its freight moves to its first line.
    Lines whose order is not in the batch become rejects.

    Args:
        parsed: Events of the batch.
        what: What the lines are called in messages, e.g. `order items`.
    """
    orders = parsed.events.get("order")
    if orders is None or orders["event_at"].null_count() == 0:
        return parsed
    is_head = (pl.col("event_type") == "order.captured") & pl.col("line_id").is_null()
    heads = (
        orders.filter(is_head, pl.col("event_at").is_not_null())
        .sort("observed_at", nulls_last=False)
        .unique("order_id", keep="last", maintain_order=True)
        .select("order_id", "freight_amount", *(pl.col(name).name.prefix("head_") for name in _OF_THE_ORDER))
    )
    loose = orders.filter(pl.col("event_at").is_null()).drop("freight_amount").join(heads, "order_id", "left")
    filled = loose.with_columns(pl.coalesce(name, f"head_{name}").alias(name) for name in _OF_THE_ORDER)
    first = pl.int_range(pl.len()).over("order_id", order_by=[pl.col("line_id").str.len_chars(), "line_id"]) == 0
    lines = filled.filter(pl.col("event_at").is_not_null(), pl.col("event_type") == "order.captured").with_columns(
        pl.when(first).then("freight_amount").alias("freight_amount")
    )
    others = filled.filter(pl.col("event_at").is_not_null(), pl.col("event_type") != "order.captured").with_columns(
        pl.lit(None, dtype=orders.schema["freight_amount"]).alias("freight_amount")
    )
    kept = orders.filter(
        pl.col("event_at").is_not_null(), ~(is_head & pl.col("order_id").is_in(lines["order_id"].implode()))
    )
    lost = filled.filter(pl.col("event_at").is_null())
    message = pl.format("{} of order {} came without the order, which has their date: deliver both together",
                        pl.lit(what), pl.col("order_id"))  # fmt: skip
    raw = pl.struct("order_id", "line_id", "sku", pl.col("quantity").cast(pl.String)).struct.json_encode()
    rejects = lost.select("source_ref", message.alias("reason"), raw.alias("raw"))
    joined = pl.concat([kept, lines.select(orders.columns), others.select(orders.columns)])
    events = {**parsed.events, "order": joined}
    return replace(
        parsed,
        events={family: frame for family, frame in events.items() if not frame.is_empty()},
        rejects=pl.concat([parsed.rejects, rejects.unique(maintain_order=True)]),
    )


def earliest(frame: pl.DataFrame, event_type: str) -> pl.DataFrame:
    """Keep events of a type whose time is only that of a snapshot once per order and line, at the earliest snapshot."""
    is_estimate = (pl.col("event_type") == event_type) & (pl.col("time_quality") == "estimated")
    estimates = (
        frame.filter(is_estimate)
        .sort("event_at", "source_ref")
        .unique(subset=["order_id", "line_id"], keep="first", maintain_order=True)
    )
    return pl.concat([frame.filter(~is_estimate), estimates])


def hold_turns(orders: pl.DataFrame) -> pl.DataFrame:
    """Keep of repeated snapshots the turns only: a hold when it first shows, and the first snapshot without it.

    Holds of one order that attributes tell apart (`fulfillment_order_id`) are followed each by itself.
    """
    is_hold = pl.col("event_type").is_in(["hold.placed", "hold.released"])
    if orders.filter(is_hold).is_empty():
        return orders
    fulfilment_order = pl.col("attributes").str.json_path_match("$.fulfillment_order_id").fill_null("")
    key = [fulfilment_order, pl.col("order_id"), pl.col("line_id").fill_null(""), pl.col("hold_type")]
    holds = orders.filter(is_hold).sort("event_at", "event_type", "source_ref", descending=[False, True, False])
    previous = pl.col("event_type").shift(1).over(key).fill_null("")
    return pl.concat([orders.filter(~is_hold), holds.filter(pl.col("event_type") != previous)])
