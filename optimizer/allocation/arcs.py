"""The arcs of the model: candidates that a plan could use, with those removed that no best plan needs.

Three removals, all exact (the optimum stays; reasons in FORMULATION.md, "What is left out and why that is safe"):
dominated lanes, arcs that gain nothing, and later days of one stock step beyond the number of days that could be full.
Lines for which more counts than gain, stock and capacity (a lock, a threshold, lots, appointments) keep all their arcs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.candidates import candidates, lane_days, planner_rows
from optimizer.allocation.data import AllocationData
from optimizer.allocation.options import CarrierCap
from optimizer.allocation.stock import FAR, Ints, Stock

_CHUNK: Final = 20_000
_FREE: Final = -1

COLUMNS: Final = (
    *("line", "order_id", "line_id", "sku", "channel", "customer_id", "node_id", "carrier", "service"),
    *("day", "ship_date", "arrival_date", "arrive_at", "fresh_until", "row", "cell", "step", "holder_id"),
    *("cap", "cap_units", "lane_class", "use", "needs_appointment", "quantity", "limit", "group", "is_complete"),
    *("is_abundant", "gain_cents", "freight_cents", "override_cents", "days_late"),
)
"""Columns of `Arcs.frame`, which adds `order`."""


@dataclass(frozen=True, slots=True, eq=False)
class Arcs:
    """Arcs in the order of lines, nodes and days.

    Attributes:
        frame: One row per arc: line, order, node_id, day, lane, `row` of `stock.steps`, cell, holder_id (-1: none), cap
            (-1: none; the tightest pick-up limit that holds, see `resources.py` for all), use (node capacity per unit),
            quantity (of the line), limit (most that may ship of it), group (lines that ship whole, null: none) and
            gain_cents per unit.
    """

    frame: pl.DataFrame

    def column(self, name: str) -> Ints:
        """Return an integer column as an array."""
        return self.frame[name].to_numpy().astype(np.int64)

    @property
    def count(self) -> int:
        """The number of arcs."""
        return self.frame.height


def build_arcs(data: AllocationData, stock: Stock) -> Arcs:
    """Return the arcs that a best plan could use."""
    calendar = with_lane_class(lane_days(data), data)
    blocked = _blockable_days(data, stock)
    lines = data.lines.with_columns(_is_pinned(data), _may_lose(data))
    parts = []
    for start in range(0, max(lines.height, 1), _CHUNK):
        found = candidates(data, lines.slice(start, _CHUNK), calendar)
        parts.append(_needed(_usable(_capped(found, data.carrier_caps), data, stock), blocked))
    return Arcs(with_order(_whole(pl.concat(parts), data.lines)))


def with_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `order`, the rank of the arc's order among those with arcs."""
    return frame.with_columns(pl.col("order_id").rank("dense").cast(pl.Int64).sub(1).alias("order"))


def cap_rows(caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    """Return the carrier caps as a frame: cap (index), carrier, scope, cap_units, first_date, last_date."""
    rows = [
        (
            index,
            *(cap.carrier, cap.node_id, cap.service, cap.lane_zone, cap.units),
            cap.first_date or date.min,
            cap.last_date or date.max,
        )
        for index, cap in enumerate(caps)
    ]
    schema = {
        "cap": pl.Int64,
        "carrier": pl.String,
        "cap_node_id": pl.String,
        "cap_service": pl.String,
        "cap_lane_zone": pl.String,
        "cap_units": pl.Int64,
        "first_date": pl.Date,
        "last_date": pl.Date,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def met_caps(lanes: pl.DataFrame, caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    """Return each lane (node_id, carrier, service, lane_zone, ship_date if there) with every cap it falls under."""
    joined = lanes.join(cap_rows(caps), on="carrier", how="inner").filter(
        *(
            (pl.col(name) == pl.col(f"cap_{name}")).fill_null(value=True) | pl.col(f"cap_{name}").is_null()
            for name in ("node_id", "service", "lane_zone")
        )
    )
    if "ship_date" in lanes.columns:
        joined = joined.filter(pl.col("ship_date").is_between(pl.col("first_date"), pl.col("last_date")))
    return joined


def with_caps(frame: pl.DataFrame, caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    """Add `cap` (index of the tightest cap that holds on the ship date, -1 for none) and `cap_units`."""
    key = ["node_id", "carrier", "service", "lane_zone", "ship_date"]
    met = (
        met_caps(frame.select(key).unique(), caps)
        .sort("cap_units", "cap")
        .unique(key, keep="first", maintain_order=True)
        .select(*key, "cap", "cap_units")
    )
    return frame.join(met, on=key, how="left", maintain_order="left").with_columns(pl.col("cap").fill_null(_FREE))


def with_lane_class(calendar: pl.DataFrame, data: AllocationData) -> pl.DataFrame:
    """Add `lane_class`: lanes of one class use the same carrier caps whatever the day, and dock doors or none."""
    key = ["node_id", "carrier", "service", "lane_zone"]
    lanes = data.lanes.select(*key, "needs_appointment").unique()
    met = met_caps(lanes.select(key), data.carrier_caps)
    named = met.group_by(key).agg(pl.col("cap").sort().cast(pl.String).str.join(",").alias("caps"))
    classes = lanes.join(named, on=key, how="left").with_columns(
        pl.concat_str(
            pl.col("caps").fill_null(""), pl.when("needs_appointment").then(pl.lit("+dock")).otherwise(pl.lit(""))
        ).alias("lane_class")
    )
    return calendar.join(classes.select(*key, "lane_class"), on=key, how="left", maintain_order="left")


def _is_pinned(data: AllocationData) -> pl.Expr:
    """Tell which lines keep all arcs: something beside gain, stock and capacity depends on the arc they take."""
    keys = [(row["order_id"], row["line_id"]) for row in planner_rows(data, "lock")]
    keys += list(data.extras["last_plan"].select("order_id", "line_id").unique().iter_rows())
    named = pl.DataFrame(keys, schema={"order_id": pl.String, "line_id": pl.String}, orient="row")
    held = data.lines.select("line", "order_id", "line_id").join(named, on=["order_id", "line_id"], how="semi")["line"]
    scored = data.scored["line"].unique()
    has_docks = bool(
        data.nodes["daily_dock_appointments"].count() or data.extras["node_days"]["dock_appointments"].count()
    )
    has_docks = has_docks or data.options.weights.appointment_cents > 0
    flags = [
        pl.col("line").is_in(pl.concat([held, scored]).unique().implode()),
        pl.col("allocation_class").is_in(["win", "gain", "skip"]),
        pl.col("order_fine_cents") > 0,
        pl.col("is_single_shipment"),
        pl.col("pack_multiple") > 1,
    ]
    if has_docks and data.lanes["needs_appointment"].any():
        flags.append(pl.lit(value=True))
    return reduce(or_, flags).alias("is_pinned")


def _may_lose(data: AllocationData) -> pl.Expr:
    """Tell which lines may ship at a loss because something else pays for it."""
    flags = [
        pl.col("group").is_not_null(),
        pl.col("min_units") > 0,
        pl.col("allocation_class").is_in(["improve"]),
    ]
    if data.extras["service_floors"].height:
        flags.append(pl.lit(value=True))
    return reduce(or_, flags).alias("may_lose")


def _capped(found: pl.DataFrame, caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    return with_caps(found, caps).filter(pl.col("cap_units").fill_null(1) > 0)


def _usable(found: pl.DataFrame, data: AllocationData, stock: Stock) -> pl.DataFrame:
    steps = stock.steps.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)).sort("day")
    dated = stock.lots.select("cell").unique()["cell"]
    return _with_holder(
        found.filter(
            (pl.col("gain_cents") > 0) | pl.col("may_lose") | pl.col("is_pinned"),
            pl.col("limit") > 0,
        )
        .join(node_capacity(data), on=["node_id", "ship_date"], how="left", maintain_order="left")
        .filter((pl.col("use") <= pl.col("capacity")).fill_null(value=True))
        .sort("day")
        .join_asof(steps, on="day", by=["sku", "node_id"], strategy="backward", check_sortedness=False)
        .filter(pl.col("cell").is_not_null())
        .with_columns((pl.col("is_pinned") | pl.col("cell").is_in(dated.implode())).alias("is_pinned")),
        stock,
    )


def node_capacity(data: AllocationData) -> pl.DataFrame:
    """Return what nodes can pick on a date of the horizon, where that is known: node_id, ship_date, capacity."""
    own = data.extras["node_days"].select("node_id", "ship_date", pl.col("capacity_units").alias("own"))
    dates = lane_days(data).select("node_id", "ship_date").unique()
    usual = data.nodes.select("node_id", "daily_capacity_units")
    return (
        dates.join(usual, on="node_id", how="left")
        .join(own, on=["node_id", "ship_date"], how="left")
        .select("node_id", "ship_date", pl.coalesce("own", "daily_capacity_units").alias("capacity"))
        .drop_nulls("capacity")
    )


def _with_holder(found: pl.DataFrame, stock: Stock) -> pl.DataFrame:
    """Add the holder on whose reserve an arc may draw: its customer's, else its channel's, else none (-1)."""
    own = stock.holders.drop_nulls("customer_id").select(
        "cell", "channel", "customer_id", pl.col("holder_id").alias("own")
    )
    shared = stock.holders.filter(pl.col("customer_id").is_null()).drop_nulls("channel")
    return (
        found.join(own, on=["cell", "channel", "customer_id"], how="left")
        .join(shared.select("cell", "channel", "holder_id"), on=["cell", "channel"], how="left")
        .with_columns(pl.coalesce("own", "holder_id").fill_null(_FREE).alias("holder_id"))
    )


def _needed(usable: pl.DataFrame, blocked: pl.DataFrame) -> pl.DataFrame:
    best_first = ["line", "node_id", "day", "lane_class", "gain_cents", "carrier", "service"]
    ranked = usable.sort(best_first, descending=[False] * 4 + [True] + [False] * 2).with_columns(
        pl.int_range(pl.len()).over("line", "node_id", "day", "lane_class").alias("place")
    )
    best = ranked.filter((pl.col("place") == 0) | pl.col("is_pinned"))
    best = best.join(blocked, on=["cell", "lane_class"], how="left", maintain_order="left").with_columns(
        pl.when(pl.col("is_abundant")).then(0).otherwise(pl.col("step")).alias("stretch"),
    )
    # A unit moves to any day of its stretch that gains as much, unless all those days are full.
    stretch = best.sort(["gain_cents", "day"], descending=[True, False]).with_columns(
        pl.int_range(pl.len()).over("line", "node_id", "lane_class", "stretch").alias("days_better")
    )
    kept = stretch.filter((pl.col("days_better") <= pl.col("blockable")) | pl.col("is_pinned"))
    return kept.select(COLUMNS).sort("line", "node_id", "day", "carrier", "service")


def _blockable_days(data: AllocationData, stock: Stock) -> pl.DataFrame:
    """Return per cell and lane class how many days could be full at most, and whether the cell has plenty for all."""
    demand = data.lines.filter(~pl.col("is_on_hold")).group_by("sku").agg(pl.col("quantity").sum().alias("demand"))
    last = stock.steps.group_by("cell", "sku", "node_id").agg(pl.col("supply").max())
    pool = pl.DataFrame({"cell": stock.cells["cell"], "pool": stock.pool[stock.starts[:-1]]})
    bound = pl.concat([stock.limits["cell"], stock.lots["cell"]]).unique()
    cells = last.join(demand, on="sku", how="inner").join(pool, on="cell", how="inner")
    cells = cells.with_columns(
        ((pl.col("pool") >= pl.col("demand")) & ~pl.col("cell").is_in(bound.implode())).alias("is_abundant")
    )
    load = cells.group_by("node_id").agg(pl.min_horizontal("supply", "demand").sum().alias("load"))
    nodes = load.join(_full_node_days(data, load), on="node_id", how="left")
    classes = _full_cap_days(data, load)
    grid = nodes.join(classes, on="node_id", how="inner").with_columns(
        (pl.col("node_days").fill_null(0) + pl.col("cap_days")).alias("blockable")
    )
    return cells.join(grid, on="node_id", how="inner").select("cell", "lane_class", "is_abundant", "blockable")


def _full_node_days(data: AllocationData, load: pl.DataFrame) -> pl.DataFrame:
    """Return how many days of a node could be too full for one more unit of the line that takes most: node_days."""
    own = data.extras["line_nodes"].group_by("node_id").agg(pl.col("capacity_use").max())
    usual = int(data.lines["work_units"].max() or 1)  # type: ignore[arg-type]
    least = node_capacity(data).filter(pl.col("capacity") > 0).group_by("node_id").agg(pl.col("capacity").min())
    use = pl.max_horizontal(pl.col("capacity_use").fill_null(0), pl.lit(max(usual, 1)))
    room = pl.col("capacity") - use + 1
    days = pl.when(room > 0).then((pl.col("load") - 1) * use // room).otherwise(FAR)
    joined = load.join(least, on="node_id", how="inner").join(own, on="node_id", how="left")
    return joined.select("node_id", days.alias("node_days"))


def _full_cap_days(data: AllocationData, load: pl.DataFrame) -> pl.DataFrame:
    """Return how many days of all caps of a lane class together could be full: node_id, lane_class, cap_days."""
    key = ["node_id", "carrier", "service", "lane_zone"]
    named = with_lane_class(data.lanes.select(key), data)
    loads = dict(load.iter_rows())
    total = sum(loads.values())
    caps = met_caps(named, data.carrier_caps).filter(pl.col("cap_units") > 0)
    met = caps.select("node_id", "lane_class", "cap", "cap_units", "cap_node_id").unique()
    days: dict[tuple[str, str], int] = dict.fromkeys(named.select("node_id", "lane_class").unique().iter_rows(), 0)
    for node_id, lane_class, _, units, cap_node in met.iter_rows():
        held = total if cap_node is None else loads.get(node_id, 0)
        days[node_id, lane_class] += (held - 1) // units
    rows = [(node_id, lane_class, count) for (node_id, lane_class), count in sorted(days.items())]
    schema = {"node_id": pl.String, "lane_class": pl.String, "cap_days": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _whole(frame: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Drop groups that cannot ship whole, and orders that cannot reach their minimum."""
    key = ["order_id", "group"]
    wanted = lines.drop_nulls("group").group_by(key).agg(pl.len().alias("wanted"))
    able = frame.filter(pl.col("limit") == pl.col("quantity")).drop_nulls("group")
    served = able.group_by(key).agg(pl.col("line").n_unique().alias("served"))
    joined = wanted.join(served, on=key, how="left")
    broken = joined.filter(pl.col("served").fill_null(0) < pl.col("wanted")).select(key)
    kept = frame.join(broken, on=key, how="anti", maintain_order="left")
    reach = (
        kept.select("line", "order_id", "limit").unique().group_by("order_id").agg(pl.col("limit").sum().alias("reach"))
    )
    least = lines.group_by("order_id").agg(pl.col("min_units").max())
    poor = reach.join(least, on="order_id", how="inner").filter(pl.col("reach") < pl.col("min_units"))
    return kept.join(poor, on="order_id", how="anti", maintain_order="left")
