"""What a problem goes without, and what was assumed: the sentences of `AllocationData.notes`.

Everything a feed does not give is switched off and said here, never assumed silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from optimizer.allocation.frames import (
    EXTRA_SPECS,
    INVENTORY,
    LANE_CAPACITY,
    LANES,
    LAST_PLAN,
    LINE_NODES,
    NODES,
    OPEN_LINES,
    PLANNER_DECISIONS,
    RECEIPTS,
    SPECS,
)
from optimizer.allocation.options import AllocationOptions

_FEATURES: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    ("holidays", (("node_days", "is_closed"), ("carrier_closures", "closed_on"))),
    ("carrier calendars", (("dim_lanes", "pickup_days"), ("dim_lanes", "transit_weekdays"))),
    ("lots with expiry", (("lots", "quantity"), ("fct_inbound_receipts", "expires_on"))),
    ("pack multiples", (("fct_open_lines", "pack_multiple"),)),
    ("dock appointments", (("dim_nodes", "daily_dock_appointments"), ("node_days", "dock_appointments"))),
    ("delivery windows that open", (("fct_open_lines", "deliver_not_before_at"),)),
    (
        "channel caps, buffers and release times",
        tuple(("fct_channel_reservations", name) for name in ("cap_quantity", "buffer_quantity", "release_at")),
    ),
    ("kits and whole lines", (("fct_open_lines", "kit_id"), ("fct_open_lines", "is_line_complete"))),
    ("minimum fill", (("fct_open_lines", "min_fill_rate"),)),
    ("single sources", (("fct_open_lines", "is_single_source"), ("fct_open_lines", "is_single_shipment"))),
    ("capacity use by line", (("fct_open_lines", "work_units"), ("line_nodes", "capacity_use"))),
    ("handling classes", (("fct_open_lines", "handling"),)),
    ("routing guides", (("routing_guide", "carrier"),)),
    ("export checks", (("fct_open_lines", "is_export"),)),
    ("credit limits", (("customers", "credit_limit"),)),
    ("allocation classes", (("fct_open_lines", "allocation_class"),)),
    ("planner decisions", (("planner_decisions", "decision"),)),
    ("stability against a last plan", (("last_plan", "quantity"),)),
    ("service floors and fair share", (("service_floors", "floor_rate"), ("service_floors", "fair_share_rate"))),
    ("fines per order", (("fct_open_lines", "order_fine"),)),
    ("fines that start at a threshold", (("scorecards", "threshold"),)),
)
"""Each optional feature and the columns that bring it; none filled means it is off."""


def notes_of(frames: Mapping[str, pl.DataFrame], options: AllocationOptions) -> Iterator[str]:
    """Yield what the frames (cleaned, by name) do not give and what was assumed instead."""
    yield from _line_notes(frames[OPEN_LINES.name], options, has_lanes=not frames[LANES.name].is_empty())
    yield from _stock_notes(frames, options)
    nodes = frames[NODES.name]
    without = nodes.filter(pl.col("daily_capacity_units").is_null())["node_id"].sort().to_list()
    if without:
        yield f"node capacity is switched off for {', '.join(without)}: the feed gives none"
    if frames[LANES.name].is_empty():
        freight = "what line_nodes says" if frames[LINE_NODES.name]["cost_per_unit"].count() else "nothing"
        yield f"lanes are switched off: the feed gives none, so transit takes 0 days and freight costs {freight}"
    caps = frames[LANE_CAPACITY.name].height + frames[LANES.name]["daily_capacity_units"].count()
    if not options.carrier_caps and not caps:
        yield "carrier pick-up limits are switched off: none were given"
    yield from _extra_notes(frames, options)


def _line_notes(lines: pl.DataFrame, options: AllocationOptions, *, has_lanes: bool) -> Iterator[str]:
    counted = {
        "unit_price": "count as 0 revenue: they have no unit price",
        "unit_cost": f"use an assumed margin of {options.weights.assumed_margin_bp / 100:g} %: they have no unit cost",
    }
    if has_lanes:
        counted["lane_zone"] = "use each node's slowest and dearest lane: their region is unknown"
    for name, meaning in counted.items():
        count = lines[name].null_count()
        if count:
            yield f"{count} lines {meaning}"
    undated = lines.filter(pl.col("need_at").is_null() & pl.col("ship_by_at").is_null()).height
    if undated:
        yield f"{undated} lines are never late: they have neither a needed date nor a ship-by date"


def _stock_notes(frames: Mapping[str, pl.DataFrame], options: AllocationOptions) -> Iterator[str]:
    known = frames[NODES.name].select("node_id")
    at_nodes = [spec for spec in (*SPECS, *EXTRA_SPECS) if "node_id" in spec.columns and spec is not NODES]
    for spec in at_nodes:
        count = frames[spec.name].drop_nulls("node_id").join(known, on="node_id", how="anti").height
        if count:
            yield f"{count} rows of {spec.name} are ignored: their node is not in dim_nodes"
    negative = frames[INVENTORY.name].filter(pl.col("on_hand") < 0).height
    if negative:
        yield f"{negative} negative stock levels count as 0"
    receipts = frames[RECEIPTS.name]
    confirmed = pl.col("is_confirmed").fill_null(value=False) & pl.col("expected_at").is_not_null()
    unconfirmed = receipts.filter(~confirmed).height
    if unconfirmed:
        yield f"{unconfirmed} receipts are not counted on: they have no confirmed date"
    overdue = receipts.filter(confirmed & (pl.col("expected_at") < options.moment.replace(tzinfo=None))).height
    if overdue:
        yield f"{overdue} receipts are not counted on: their confirmed date has passed"


def _extra_notes(frames: Mapping[str, pl.DataFrame], options: AllocationOptions) -> Iterator[str]:
    lines = frames[OPEN_LINES.name]
    for spec in (LINE_NODES, PLANNER_DECISIONS, LAST_PLAN):
        keyed = frames[spec.name].drop_nulls(["order_id", "line_id"])
        gone = keyed.join(lines, on=["order_id", "line_id"], how="anti").height
        if gone:
            yield f"{gone} rows of {spec.name} are ignored: their line is not open"
    if lines["handling"].count():
        for spec in (NODES, LANES):
            if frames[spec.name].height and not frames[spec.name]["handling"].count():
                yield f"{spec.name} do not say what they may handle: handling classes are not checked there"
    off = [
        feature for feature, columns in _FEATURES if not any(frames[table][column].count() for table, column in columns)
    ]
    if options.max_nodes is None and not lines["max_nodes"].count():
        off.append("node limits per order")
    if off:
        *others, last = off
        listed = f"{', '.join(others)} and {last}" if others else last
        yield f"{listed} are switched off: the feeds give none"
