"""The frames an allocation reads: which columns, how they are cleaned, and every fault a feed can bring.

Belongs here: the border between marts and the problem. Not here: what the columns mean in the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

INSTANT: Final = pl.Datetime("us")
"""Instants are UTC without a zone inside the optimizer."""

_MONEY: Final = pl.Decimal(38, 6)

_TEXT: Final = "text"
_WHOLE: Final = "whole"
_CENTS: Final = "cents"
_RATE: Final = "rate"
_FLAG: Final = "flag"
_INSTANT: Final = "instant"


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """Columns of one frame by kind; `required` ones must be there, `key` ones must be unique together."""

    name: str
    columns: dict[str, str]
    required: tuple[str, ...]
    key: tuple[str, ...]


OPEN_LINES: Final = FrameSpec(
    "fct_open_lines",
    {
        "order_id": _TEXT,
        "line_id": _TEXT,
        "sku": _TEXT,
        "channel": _TEXT,
        "channel_type": _TEXT,
        "customer_id": _TEXT,
        "lane_zone": _TEXT,
        "hold_type": _TEXT,
        "preferred_node_id": _TEXT,
        "open_quantity": _WHOLE,
        "priority_rank": _WHOLE,
        "unit_price": _CENTS,
        "unit_cost": _CENTS,
        "fine_rate": _RATE,
        "is_on_hold": _FLAG,
        "is_ship_complete": _FLAG,
        "captured_at": _INSTANT,
        "ship_not_before_at": _INSTANT,
        "ship_by_at": _INSTANT,
        "need_at": _INSTANT,
        "cancel_after_at": _INSTANT,
    },
    ("order_id", "line_id", "sku", "channel", "open_quantity"),
    ("order_id", "line_id"),
)
INVENTORY: Final = FrameSpec(
    "fct_inventory",
    {"sku": _TEXT, "node_id": _TEXT, "on_hand": _WHOLE, "quarantine": _WHOLE, "safety_stock": _WHOLE},
    ("sku", "node_id", "on_hand"),
    ("sku", "node_id"),
)
RECEIPTS: Final = FrameSpec(
    "fct_inbound_receipts",
    {
        "receipt_id": _TEXT,
        "sku": _TEXT,
        "node_id": _TEXT,
        "quantity": _WHOLE,
        "is_confirmed": _FLAG,
        "expected_at": _INSTANT,
    },
    ("sku", "node_id", "quantity"),
    (),
)
RESERVATIONS: Final = FrameSpec(
    "fct_channel_reservations",
    {"sku": _TEXT, "node_id": _TEXT, "channel": _TEXT, "quantity": _WHOLE},
    ("sku", "node_id", "channel", "quantity"),
    ("sku", "node_id", "channel"),
)
NODES: Final = FrameSpec(
    "dim_nodes",
    {
        "node_id": _TEXT,
        "zone": _TEXT,
        "cut_off_time": _TEXT,
        "operating_days": _TEXT,
        "daily_capacity_units": _WHOLE,
    },
    ("node_id",),
    ("node_id",),
)
LANES: Final = FrameSpec(
    "dim_lanes",
    {
        "node_id": _TEXT,
        "lane_zone": _TEXT,
        "carrier": _TEXT,
        "service": _TEXT,
        "transit_days": _WHOLE,
        "cost_per_unit": _CENTS,
    },
    ("node_id", "lane_zone"),
    ("node_id", "lane_zone", "carrier", "service"),
)
SPECS: Final = (OPEN_LINES, INVENTORY, RECEIPTS, RESERVATIONS, NODES, LANES)


def missing_columns(spec: FrameSpec, frame: pl.DataFrame) -> list[str]:
    """Return a fault for each required column that the frame does not have."""
    return [f"{spec.name} has no column {name}" for name in spec.required if name not in frame.columns]


def clean(spec: FrameSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the spec's columns with the optimizer's types; absent optional columns become null.

    Whole numbers become Int64 (null where they are not whole), money integer cents (half away from zero), rates basis
    points.
    """
    present = [
        _cast(pl.col(name), frame.schema[name], kind).alias(name)
        if name in frame.columns
        else pl.lit(None, dtype=_DTYPES[kind]).alias(name)
        for name, kind in spec.columns.items()
    ]
    return frame.select(present)


_DTYPES: Final[dict[str, pl.DataType]] = {
    _TEXT: pl.String(),
    _WHOLE: pl.Int64(),
    _CENTS: pl.Int64(),
    _RATE: pl.Int64(),
    _FLAG: pl.Boolean(),
    _INSTANT: INSTANT,
}


def _cast(column: pl.Expr, given: pl.DataType, kind: str) -> pl.Expr:
    if kind == _WHOLE:
        exact = column.cast(_MONEY, strict=False)
        whole = exact.cast(pl.Int64, strict=False)
        return pl.when(whole.cast(_MONEY) == exact).then(whole)
    if kind in (_CENTS, _RATE):
        factor = 100 if kind == _CENTS else 10_000
        return (
            (column.cast(pl.Float64, strict=False) * factor)
            .round(6)
            .round(0, mode="half_away_from_zero")
            .cast(pl.Int64)
        )
    if kind == _INSTANT:
        if isinstance(given, pl.Datetime) and given.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.cast(INSTANT) if given.is_temporal() else pl.lit(None, dtype=INSTANT)
    return column.cast(_DTYPES[kind], strict=False)


def frame_faults(spec: FrameSpec, raw: pl.DataFrame, cleaned: pl.DataFrame) -> Iterator[str]:
    """Yield the faults any frame can have: nulls, fractions, negatives, repeated keys."""
    for name in spec.required:
        lost = int((raw[name].is_not_null() & cleaned[name].is_null()).sum())
        empty = int(raw[name].null_count())
        if empty:
            yield f"{spec.name}.{name} is null in {empty} rows"
        if lost:
            yield f"{spec.name}.{name} is no whole number in {lost} rows"
    for name, kind in spec.columns.items():
        yield from _value_faults(spec, name, kind, raw, cleaned)
    if spec.key:
        repeated = cleaned.height - cleaned.n_unique(subset=list(spec.key)) if cleaned.height else 0
        if repeated:
            yield f"{spec.name} repeats its key ({', '.join(spec.key)}) in {repeated} rows"


def _value_faults(spec: FrameSpec, name: str, kind: str, raw: pl.DataFrame, cleaned: pl.DataFrame) -> Iterator[str]:
    if kind in (_WHOLE, _CENTS, _RATE) and name != "on_hand":
        negative = int((cleaned[name] < 0).sum())
        if negative:
            yield f"{spec.name}.{name} is negative in {negative} rows"
    if kind in (_WHOLE, _INSTANT) and name not in spec.required and name in raw.columns:
        lost = int((raw[name].is_not_null() & cleaned[name].is_null()).sum())
        if lost:
            expected = "whole number" if kind == _WHOLE else "instant"
            yield f"{spec.name}.{name} is no {expected} in {lost} rows"
    if kind == _RATE and int((cleaned[name] > 10_000).sum()):
        yield f"{spec.name}.{name} is above 1; expected a fraction"


def line_faults(lines: pl.DataFrame) -> Iterator[str]:
    """Yield the faults of open lines only."""
    empty = lines.filter(pl.col("open_quantity") == 0).height
    if empty:
        yield f"fct_open_lines.open_quantity is 0 in {empty} rows; closed lines do not belong here"


def node_faults(nodes: pl.DataFrame) -> Iterator[str]:
    """Yield the faults of node calendars, by node."""
    for node in nodes.sort("node_id").iter_rows(named=True):
        where = f"dim_nodes {node['node_id']}"
        if not is_zone(node["zone"]):
            yield f"{where}: zone {node['zone']!r} is unknown; expected an IANA name such as America/New_York"
        if parse_time(node["cut_off_time"]) is None:
            yield f"{where}: cut_off_time {node['cut_off_time']!r}; expected HH:MM"
        if parse_days(node["operating_days"]) is None:
            yield f"{where}: operating_days {node['operating_days']!r}; expected ISO weekdays such as 1,2,3,4,5"


def is_zone(text: str | None) -> bool:
    """Tell whether the text names a time zone; nothing means UTC."""
    try:
        ZoneInfo(text or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def parse_time(text: str | None) -> time | None:
    """Return the local time, end of day for nothing, None for nonsense."""
    if text is None or not text.strip():
        return time(23, 59)
    try:
        return time.fromisoformat(text.strip().zfill(5))
    except ValueError:
        return None


def parse_days(text: str | None) -> frozenset[int] | None:
    """Return ISO weekdays, all seven for nothing, None for nonsense."""
    if text is None or not text.strip():
        return frozenset(range(1, 8))
    parts = [part.strip() for part in text.replace(";", ",").replace(" ", ",").split(",") if part.strip()]
    if parts and all(part in "1234567" and len(part) == 1 for part in parts):
        return frozenset(int(part) for part in parts)
    return None
