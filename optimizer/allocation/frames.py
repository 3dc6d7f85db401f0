"""The frames an allocation reads: which columns, how they are cleaned, and every fault a feed can bring.

Six frames make a problem (`SPECS`); the others (`EXTRA_SPECS`) each switch one feature on, and so does each column
that is not required. What is not given is off, and `AllocationData.notes` says so. INSTANCE.md tells what each means.

Belongs here: the border between marts and the problem. Not here: what the columns mean in the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
_SIGNED: Final = "signed"
_RATE: Final = "rate"
_FLAG: Final = "flag"
_INSTANT: Final = "instant"
_DATE: Final = "date"


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
        "deliver_not_before_at": _INSTANT,
        "allocation_class": _TEXT,
        "confirmed_quantity": _WHOLE,
        "confirmed_at": _INSTANT,
        "is_line_complete": _FLAG,
        "kit_id": _TEXT,
        "min_fill_rate": _RATE,
        "is_single_source": _FLAG,
        "is_single_shipment": _FLAG,
        "max_nodes": _WHOLE,
        "pack_multiple": _WHOLE,
        "work_units": _WHOLE,
        "min_shelf_life_days": _WHOLE,
        "handling": _TEXT,
        "order_fine": _CENTS,
        "is_export": _FLAG,
        "hs_code": _TEXT,
        "origin_country": _TEXT,
        "declared_value": _CENTS,
        "importer_reference": _TEXT,
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
        "expires_on": _DATE,
    },
    ("sku", "node_id", "quantity"),
    (),
)
RESERVATIONS: Final = FrameSpec(
    "fct_channel_reservations",
    {
        "sku": _TEXT,
        "node_id": _TEXT,
        "channel": _TEXT,
        "customer_id": _TEXT,
        "quantity": _WHOLE,
        "cap_quantity": _WHOLE,
        "buffer_quantity": _WHOLE,
        "release_at": _INSTANT,
    },
    ("sku", "node_id", "channel", "quantity"),
    ("sku", "node_id", "channel", "customer_id"),
)
NODES: Final = FrameSpec(
    "dim_nodes",
    {
        "node_id": _TEXT,
        "zone": _TEXT,
        "cut_off_time": _TEXT,
        "operating_days": _TEXT,
        "daily_capacity_units": _WHOLE,
        "daily_dock_appointments": _WHOLE,
        "handling": _TEXT,
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
        "cut_off_time": _TEXT,
        "pickup_days": _TEXT,
        "transit_weekdays": _TEXT,
        "daily_capacity_units": _WHOLE,
        "needs_appointment": _FLAG,
        "handling": _TEXT,
    },
    ("node_id", "lane_zone"),
    ("node_id", "lane_zone", "carrier", "service"),
)
SPECS: Final = (OPEN_LINES, INVENTORY, RECEIPTS, RESERVATIONS, NODES, LANES)

LOTS: Final = FrameSpec(
    "lots",
    {"sku": _TEXT, "node_id": _TEXT, "lot_id": _TEXT, "quantity": _WHOLE, "expires_on": _DATE},
    ("sku", "node_id", "quantity"),
    ("sku", "node_id", "lot_id"),
)
NODE_DAYS: Final = FrameSpec(
    "node_days",
    {
        "node_id": _TEXT,
        "ship_date": _DATE,
        "is_closed": _FLAG,
        "cut_off_time": _TEXT,
        "capacity_units": _WHOLE,
        "dock_appointments": _WHOLE,
    },
    ("node_id", "ship_date"),
    ("node_id", "ship_date"),
)
CARRIER_CLOSURES: Final = FrameSpec(
    "carrier_closures", {"carrier": _TEXT, "closed_on": _DATE}, ("carrier", "closed_on"), ("carrier", "closed_on")
)
LANE_CAPACITY: Final = FrameSpec(
    "lane_capacity",
    {
        "carrier": _TEXT,
        "service": _TEXT,
        "node_id": _TEXT,
        "lane_zone": _TEXT,
        "first_date": _DATE,
        "last_date": _DATE,
        "capacity_units": _WHOLE,
    },
    ("carrier", "capacity_units"),
    (),
)
LINE_NODES: Final = FrameSpec(
    "line_nodes",
    {
        "order_id": _TEXT,
        "line_id": _TEXT,
        "node_id": _TEXT,
        "is_excluded": _FLAG,
        "capacity_use": _WHOLE,
        "cost_per_unit": _CENTS,
    },
    ("order_id", "line_id", "node_id"),
    ("order_id", "line_id", "node_id"),
)
ROUTING_GUIDE: Final = FrameSpec(
    "routing_guide",
    {"customer_id": _TEXT, "carrier": _TEXT, "service": _TEXT, "lane_zone": _TEXT},
    ("customer_id", "carrier"),
    ("customer_id", "carrier", "service", "lane_zone"),
)
PLANNER_DECISIONS: Final = FrameSpec(
    "planner_decisions",
    {
        "decision": _TEXT,
        "order_id": _TEXT,
        "line_id": _TEXT,
        "sku": _TEXT,
        "customer_id": _TEXT,
        "channel": _TEXT,
        "node_id": _TEXT,
        "carrier": _TEXT,
        "service": _TEXT,
        "ship_date": _DATE,
        "quantity": _WHOLE,
        "value_per_unit": _SIGNED,
        "planner": _TEXT,
        "note": _TEXT,
    },
    ("decision",),
    (),
)
LAST_PLAN: Final = FrameSpec(
    "last_plan",
    {
        "order_id": _TEXT,
        "line_id": _TEXT,
        "node_id": _TEXT,
        "ship_date": _DATE,
        "carrier": _TEXT,
        "service": _TEXT,
        "quantity": _WHOLE,
    },
    ("order_id", "line_id", "node_id", "ship_date", "quantity"),
    ("order_id", "line_id", "node_id", "ship_date", "carrier", "service"),
)
SERVICE_FLOORS: Final = FrameSpec(
    "service_floors",
    {
        "channel": _TEXT,
        "customer_id": _TEXT,
        "sku": _TEXT,
        "floor_rate": _RATE,
        "floor_quantity": _WHOLE,
        "fair_share_rate": _RATE,
        "shortfall_per_unit": _CENTS,
    },
    (),
    ("channel", "customer_id", "sku"),
)
SCORECARDS: Final = FrameSpec(
    "scorecards",
    {
        "customer_id": _TEXT,
        "measure": _TEXT,
        "period_start": _DATE,
        "period_end": _DATE,
        "threshold": _RATE,
        "units_measured": _WHOLE,
        "units_compliant": _WHOLE,
        "fine_rate": _RATE,
        "fine_flat": _CENTS,
        "fine_so_far": _CENTS,
    },
    ("customer_id", "measure", "period_start", "period_end", "threshold"),
    ("customer_id", "measure", "period_start"),
)
CUSTOMERS: Final = FrameSpec(
    "customers",
    {"customer_id": _TEXT, "credit_limit": _CENTS, "credit_used": _CENTS},
    ("customer_id",),
    ("customer_id",),
)
EXTRA_SPECS: Final = (
    LOTS,
    NODE_DAYS,
    CARRIER_CLOSURES,
    LANE_CAPACITY,
    LINE_NODES,
    ROUTING_GUIDE,
    PLANNER_DECISIONS,
    LAST_PLAN,
    SERVICE_FLOORS,
    SCORECARDS,
    CUSTOMERS,
)
"""Frames a feed may give; each switches one feature on."""

CLASSES: Final = ("win", "gain", "improve", "redistribute", "fill", "lose", "skip")
DECISIONS: Final = ("lock", "exclude", "override")
MEASURES: Final = ("on_time_in_full", "on_time", "fill")


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


def empty(spec: FrameSpec) -> pl.DataFrame:
    """Return the cleaned frame of a feed that gives nothing."""
    return pl.DataFrame(schema={name: _DTYPES[kind] for name, kind in spec.columns.items()})


_DTYPES: Final[dict[str, pl.DataType]] = {
    _TEXT: pl.String(),
    _WHOLE: pl.Int64(),
    _CENTS: pl.Int64(),
    _SIGNED: pl.Int64(),
    _RATE: pl.Int64(),
    _FLAG: pl.Boolean(),
    _INSTANT: INSTANT,
    _DATE: pl.Date(),
}


_EXPECTED: Final = {_WHOLE: "whole number", _INSTANT: "instant", _DATE: "date"}


def _cast(column: pl.Expr, given: pl.DataType, kind: str) -> pl.Expr:
    if kind == _WHOLE:
        exact = column.cast(_MONEY, strict=False)
        whole = exact.cast(pl.Int64, strict=False)
        return pl.when(whole.cast(_MONEY) == exact).then(whole)
    if kind in (_CENTS, _SIGNED, _RATE):
        factor = 10_000 if kind == _RATE else 100
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
    if kind == _DATE and not given.is_temporal():
        return pl.lit(None, dtype=pl.Date())
    return column.cast(_DTYPES[kind], strict=False)


def frame_faults(spec: FrameSpec, raw: pl.DataFrame, cleaned: pl.DataFrame) -> Iterator[str]:
    """Yield the faults any frame can have: nulls, fractions, negatives, repeated keys."""
    for name in spec.required:
        lost = int((raw[name].is_not_null() & cleaned[name].is_null()).sum())
        empty = int(raw[name].null_count())
        if empty:
            yield f"{spec.name}.{name} is null in {empty} rows"
        if lost:
            yield f"{spec.name}.{name} is no {_EXPECTED.get(spec.columns[name], 'whole number')} in {lost} rows"
    for name, kind in spec.columns.items():
        yield from _value_faults(spec, name, kind, raw, cleaned)
    if spec.key:
        repeated = cleaned.height - cleaned.n_unique(subset=list(spec.key)) if cleaned.height else 0
        if repeated:
            yield f"{spec.name} repeats its key ({', '.join(spec.key)}) in {repeated} rows"


def _value_faults(spec: FrameSpec, name: str, kind: str, raw: pl.DataFrame, cleaned: pl.DataFrame) -> Iterator[str]:
    if kind in (_WHOLE, _CENTS, _RATE) and name not in ("on_hand", "credit_used"):
        negative = int((cleaned[name] < 0).sum())
        if negative:
            yield f"{spec.name}.{name} is negative in {negative} rows"
    if kind in _EXPECTED and name not in spec.required and name in raw.columns:
        lost = int((raw[name].is_not_null() & cleaned[name].is_null()).sum())
        if lost:
            yield f"{spec.name}.{name} is no {_EXPECTED[kind]} in {lost} rows"
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


def lane_faults(lanes: pl.DataFrame) -> Iterator[str]:
    """Yield the faults of lane calendars, by lane."""
    for lane in lanes.unique().sort("node_id", "lane_zone", "carrier", "service").iter_rows(named=True):
        where = f"dim_lanes {lane['node_id']} to {lane['lane_zone']} by {lane['carrier']} {lane['service']}"
        if parse_time(lane["cut_off_time"]) is None:
            yield f"{where}: cut_off_time {lane['cut_off_time']!r}; expected HH:MM"
        for name in ("pickup_days", "transit_weekdays"):
            if parse_days(lane[name]) is None:
                yield f"{where}: {name} {lane[name]!r}; expected ISO weekdays such as 1,2,3,4,5"


def extra_faults(frames: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    """Yield the faults of the optional columns and frames (cleaned, by name)."""
    words = (
        (OPEN_LINES, "allocation_class", CLASSES),
        (PLANNER_DECISIONS, "decision", DECISIONS),
        (SCORECARDS, "measure", MEASURES),
    )
    for spec, name, allowed in words:
        given = frames[spec.name][name].str.to_lowercase().unique().drop_nulls().sort()
        for word in given.filter(~given.is_in(allowed)):
            yield f"{spec.name}.{name} {word!r} is unknown; expected one of {', '.join(allowed)}"
    for spec, name in ((OPEN_LINES, "pack_multiple"), (OPEN_LINES, "max_nodes")):
        empty = int((frames[spec.name][name] == 0).sum())
        if empty:
            yield f"{spec.name}.{name} is 0 in {empty} rows; expected 1 or more"
    for row in frames[NODE_DAYS.name].sort("node_id", "ship_date").iter_rows(named=True):
        if parse_time(row["cut_off_time"]) is None:
            yield f"node_days {row['node_id']} {row['ship_date']}: cut_off_time {row['cut_off_time']!r}; expected HH:MM"
    cards = frames[SCORECARDS.name]
    checks = {
        "scorecards.period_end is before period_start": cards["period_end"] < cards["period_start"],
        "scorecards.units_compliant is above units_measured": cards["units_compliant"] > cards["units_measured"],
        "planner_decisions: a lock names no order and line or no quantity": (
            (frames[PLANNER_DECISIONS.name]["decision"].str.to_lowercase() == "lock")
            & frames[PLANNER_DECISIONS.name]
            .select(pl.any_horizontal(pl.col("order_id", "line_id", "quantity").is_null()))
            .to_series()
        ),
        "planner_decisions: an override names no value_per_unit": (
            (frames[PLANNER_DECISIONS.name]["decision"].str.to_lowercase() == "override")
            & frames[PLANNER_DECISIONS.name]["value_per_unit"].is_null()
        ),
    }
    for meaning, is_broken in checks.items():
        if count := int(is_broken.sum()):
            yield f"{meaning} in {count} rows"


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
