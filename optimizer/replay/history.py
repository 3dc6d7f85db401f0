"""The history that both policies live through: order lines, opening stock and receipts, cleaned and dated.

Days are whole numbers from the start, so that the simulator needs no calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from optimizer.allocation.frames import FrameSpec, clean, frame_faults, missing_columns
from optimizer.errors import InvalidDataError
from optimizer.replay.options import ReplayOptions

LAST_RANK: Final = 999
"""Rank of a line without one."""

ORDER_LINES: Final = FrameSpec(
    "order_lines",
    {
        "order_id": "text",
        "line_id": "text",
        "sku": "text",
        "channel": "text",
        "priority_rank": "whole",
        "captured_at": "instant",
        "need_at": "instant",
        "quantity": "whole",
        "unit_price": "cents",
        "unit_cost": "cents",
    },
    ("order_id", "line_id", "sku", "channel", "captured_at", "quantity"),
    ("order_id", "line_id"),
)
OPENING: Final = FrameSpec(
    "opening_stock",
    {"sku": "text", "node_id": "text", "quantity": "whole"},
    ("sku", "node_id", "quantity"),
    ("sku", "node_id"),
)
RECEIVED: Final = FrameSpec(
    "receipts",
    {"sku": "text", "node_id": "text", "received_at": "instant", "quantity": "whole"},
    ("sku", "node_id", "received_at", "quantity"),
    (),
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class History:
    """What happened, whatever the rules.

    Attributes:
        start: First day; None when there is nothing to replay.
        weeks: Weeks that lines are taken from.
        last_day: Last day on which anything ships.
        lines: One row per order line: line, week, sku, channel, priority_rank, captured_at, captured_day, need_day
            (null: never late), give_up_day, quantity, margin_cents (per unit); sorted by capture, order and line.
        supply: One row per SKU, node and day with new stock: sku, node_id, day, quantity.
        notes: What was left out or assumed.
    """

    start: date | None
    weeks: int
    last_day: int
    lines: pl.DataFrame
    supply: pl.DataFrame
    notes: tuple[str, ...]


def read_history(
    order_lines: pl.DataFrame,
    opening_stock: pl.DataFrame,
    receipts: pl.DataFrame,
    *,
    weeks: int,
    options: ReplayOptions,
) -> History:
    """Clean and date the frames.

    Raises:
        InvalidDataError: Columns are missing, values are malformed or keys repeat; all faults are listed.
    """
    raw = ((ORDER_LINES, order_lines), (OPENING, opening_stock), (RECEIVED, receipts))
    faults = [fault for spec, frame in raw for fault in missing_columns(spec, frame)]
    if weeks < 1:
        faults.append(f"weeks is {weeks}; expected 1 or more")
    if faults:
        raise InvalidDataError(faults)
    asked, opening, received = (clean(spec, frame) for spec, frame in raw)
    for (spec, frame), cleaned in zip(raw, (asked, opening, received), strict=True):
        faults.extend(frame_faults(spec, frame, cleaned))
    if faults:
        raise InvalidDataError(faults)
    start = options.start or _first_monday(asked)
    last_day = weeks * 7 - 1 + options.drain_days
    return History(
        start=start,
        weeks=weeks if start else 0,
        last_day=last_day,
        lines=_lines(asked, start or date.min, weeks, options),
        supply=_supply(opening, received, start or date.min, last_day),
        notes=tuple(_notes(asked, received, start, weeks, last_day)),
    )


def _first_monday(lines: pl.DataFrame) -> date | None:
    first = lines.select(pl.col("captured_at").min().dt.date()).item()
    return None if first is None else first - timedelta(days=first.weekday())


def _day(column: str, start: date) -> pl.Expr:
    return (pl.col(column).dt.date() - pl.lit(start)).dt.total_days()


def _lines(asked: pl.DataFrame, start: date, weeks: int, options: ReplayOptions) -> pl.DataFrame:
    margin = pl.col("unit_price") - pl.col("unit_cost").fill_null(0)
    patience = pl.max_horizontal("need_day", "captured_day") + options.patience_days
    return (
        asked.with_columns(_day("captured_at", start).alias("captured_day"), _day("need_at", start).alias("need_day"))
        .filter(pl.col("captured_day").is_between(0, weeks * 7 - 1))
        .sort("captured_at", "order_id", "line_id")
        .with_row_index("line")
        .select(
            pl.col("line").cast(pl.Int64),
            (pl.col("captured_day") // 7).alias("week"),
            "sku",
            "channel",
            pl.col("priority_rank").fill_null(pl.lit(LAST_RANK)),
            "captured_at",
            "captured_day",
            "need_day",
            patience.alias("give_up_day"),
            "quantity",
            margin.fill_null(0).alias("margin_cents"),
        )
    )


def _supply(opening: pl.DataFrame, received: pl.DataFrame, start: date, last_day: int) -> pl.DataFrame:
    first = opening.select("sku", "node_id", pl.lit(0, pl.Int64).alias("day"), "quantity")
    later = received.select("sku", "node_id", _day("received_at", start).alias("day"), "quantity")
    dated = pl.concat([first, later.filter(pl.col("day").is_between(0, last_day))])
    return dated.group_by("sku", "node_id", "day").agg(pl.col("quantity").sum()).sort("sku", "node_id", "day")


def _notes(asked: pl.DataFrame, received: pl.DataFrame, start: date | None, weeks: int, last_day: int) -> Iterator[str]:
    if start is None:
        yield "there are no order lines: nothing is replayed"
        return
    outside = asked.filter(~_day("captured_at", start).is_between(0, weeks * 7 - 1)).height
    if outside:
        yield f"{outside} order lines are left out: they were captured outside the {weeks} weeks from {start}"
    early = received.filter(_day("received_at", start) < 0).height
    if early:
        yield f"{early} receipts are left out: they came before {start}, so the opening stock has them"
    late = received.filter(_day("received_at", start) > last_day).height
    if late:
        yield f"{late} receipts are left out: they came after the last simulated day"
    for name, meaning in (("unit_price", "count with no margin: no price"), ("unit_cost", "count as free: no cost")):
        count = asked[name].null_count()
        if count:
            yield f"{count} order lines {meaning}"
