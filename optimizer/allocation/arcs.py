"""The arcs of the model: candidates that a plan could use, with those removed that no best plan needs.

Three removals, all exact (the optimum stays; reasons in FORMULATION.md, "What is left out and why that is safe"):
dominated lanes, arcs that gain nothing, and later days of one stock step beyond the number of days that could be full.
Arcs are compared only with those that count alike for thresholds and confirmations (their `mark`); lines for which the
arc itself counts (a lock, packs, a single shipment, dated lots, appointments) keep all theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.candidates import asked_columns, lane_days, ways
from optimizer.allocation.data import AllocationData
from optimizer.allocation.options import CarrierCap
from optimizer.allocation.stock import FAR, Flags, Ints, Stock

_CHUNK: Final = 5_000
_FREE: Final = -1

_TOLD: Final = (
    *("line", "order_id", "line_id", "sku", "channel", "customer_id", "quantity", "limit", "group", "is_complete"),
    "min_shelf_life_days",
)

_FOUND: Final = (
    *("line", "way", "gain_cents", "freight_cents", "override_cents", "days_late", "use", "mark", "is_pinned"),
)
_WAY: Final = (
    *("way", "node_id", "carrier", "service", "day", "ship_date", "arrival_date", "arrive_at"),
    *("cap", "cap_units", "lane_class", "needs_appointment"),
)

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
    places, marks = _Places.of(data, stock), _marks(data)
    lines = data.lines.with_columns(_is_pinned(data), _may_lose(data)).select(
        *asked_columns(data), "limit", "may_lose", "is_pinned"
    )
    lines = lines.filter(~pl.col("is_on_hold"), pl.col("limit") > 0)
    parts = []
    for start in range(0, max(lines.height, 1), _CHUNK):
        part = lines.slice(start, _CHUNK)
        found = _with_mark(ways(data, part, places.calendar).filter(_pays()), data, marks)
        parts.append(_needed(found.select(_FOUND), part, places))
    return Arcs(with_order(_told(_whole(pl.concat(parts), data.lines), data, places)))


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where and when goods ship: the ways (lanes by day), the stock, which cells have plenty or dated lots."""

    calendar: pl.DataFrame
    stock: Stock
    is_abundant: Flags
    is_dated: Flags

    @classmethod
    def of(cls, data: AllocationData, stock: Stock) -> _Places:
        demand = data.lines.filter(~pl.col("is_on_hold")).group_by("sku").agg(pl.col("quantity").sum().alias("demand"))
        wanted = stock.cells.join(demand, on="sku", how="left", maintain_order="left")["demand"].fill_null(0).to_numpy()
        limited, dated = np.zeros(wanted.size, np.bool_), np.zeros(wanted.size, np.bool_)
        limited[stock.limits["cell"].to_numpy()] = True
        dated[stock.lots["cell"].to_numpy()] = True
        most = stock.supply[stock.starts[1:] - 1]
        cells = stock.cells.with_columns(pl.Series("load", np.minimum(most, wanted)))
        load = cells.group_by("node_id").agg(pl.col("load").sum())
        is_abundant = (stock.pool[stock.starts[:-1]] >= wanted) & ~limited & ~dated
        return cls(_calendar(data, load), stock, is_abundant, dated)

    def column(self, name: str, ways: Ints) -> Ints:
        """Return a column of the calendar for every way of an array."""
        return self.calendar[name].to_numpy()[ways].astype(np.int64)

    def cells(self, lines: pl.DataFrame, line: Ints, node: Ints) -> Ints:
        """Return the cell of each line at a node, -1 where there is none; `lines` has all of them."""
        if not lines.height:
            return line
        numbers = self.calendar.select("node_id", "node_id_no").unique()
        met = lines.select("line", "sku").join(self.stock.cells, on="sku").join(numbers, on="node_id")
        first, last = int(lines["line"][0]), int(lines["line"][-1])
        found = np.full((last - first + 1, numbers.height + 1), _FREE, np.int64)
        found[met["line"].to_numpy() - first, met["node_id_no"].to_numpy()] = met["cell"].to_numpy()
        return found[line - first, node]

    def rows(self, cell: Ints, day: Ints) -> Ints:
        """Return the row of `stock.steps` that holds in each cell on a day, -1 where nothing is there yet."""
        steps = self.stock.steps
        days = 1 + max(int(steps["day"].to_numpy().max(initial=0)), int(day.max(initial=0)))
        keys = steps["cell"].to_numpy() * days + steps["day"].to_numpy()
        row = np.searchsorted(keys, cell * days + day, side="right") - 1
        return np.where((cell >= 0) & (row >= self.stock.starts[cell]), row, _FREE)


def _calendar(data: AllocationData, load: pl.DataFrame) -> pl.DataFrame:
    """Return the ways to ship: lanes by day with their numbers, pick-up limit, capacity and days that could be full."""
    days = with_caps(with_lane_class(lane_days(data), data), data.carrier_caps)
    return (
        days.filter(pl.col("cap_units").fill_null(1) > 0)
        .join(node_capacity(data), on=["node_id", "ship_date"], how="left", maintain_order="left")
        .join(_blockable_days(data, load), on=["node_id", "lane_class"], how="left", maintain_order="left")
        .with_columns(
            pl.col("capacity").fill_null(FAR),
            pl.col("blockable").fill_null(0),
            pl.struct("carrier", "service").rank("dense").cast(pl.Int64).alias("lane_no"),
            *(pl.col(name).rank("dense").cast(pl.Int64).alias(f"{name}_no") for name in ("node_id", "lane_class")),
        )
        .with_row_index("way")
        .with_columns(pl.col("way").cast(pl.Int64))
    )


def _pays() -> pl.Expr:
    return (pl.col("gain_cents") > 0) | pl.col("may_lose") | pl.col("is_pinned")


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
    """Tell which lines keep all arcs: something beside gain, stock, capacity and marks depends on the arc they take."""
    locked = data.extras["planner_decisions"].filter(pl.col("decision").str.to_lowercase() == "lock")
    key = ["order_id", "line_id"]
    lines = data.lines.select("line", *key)
    held = lines.join(locked.select(key).unique(), on=key, how="semi")["line"]
    counted = data.scored.group_by("line").agg(pl.len().alias("cards")).filter(pl.col("cards") > 1)["line"]
    has_docks = bool(
        data.nodes["daily_dock_appointments"].count() or data.extras["node_days"]["dock_appointments"].count()
    )
    has_docks = has_docks or data.options.weights.appointment_cents > 0
    flags = [
        pl.col("line").is_in(pl.concat([held, counted]).unique().implode()),
        pl.col("is_single_shipment"),
        pl.col("pack_multiple") > 1,
    ]
    if has_docks and data.lanes["needs_appointment"].any():
        flags.append(pl.lit(value=True))
    return reduce(or_, flags).alias("is_pinned")


def _marks(data: AllocationData) -> pl.DataFrame:
    """Return for which lines arcs that are on time, by a date or within a period are worth more: one row per line."""
    cards = data.extras["scorecards"].with_row_index("scorecard").with_columns(pl.col("scorecard").cast(pl.Int64))
    is_fill = pl.col("measure").str.to_lowercase() == "fill"
    scored = (
        data.scored.join(cards.select("scorecard", "measure", "period_end"), on="scorecard", how="inner")
        .group_by("line")
        .agg((~is_fill).any().alias("is_scored"), pl.col("period_end").filter(is_fill).min().alias("fill_by"))
    )
    kept = pl.col("allocation_class").is_in(["gain", "skip"])
    return (
        data.lines.select("line", "allocation_class", "order_fine_cents", "confirmed_at")
        .join(scored, on="line", how="left", maintain_order="left")
        .select(
            "line",
            (
                pl.col("is_scored").fill_null(value=False)
                | (pl.col("allocation_class") == "win")
                | (pl.col("order_fine_cents") > 0)
            ).alias("asks_on_time"),
            pl.when(kept).then("confirmed_at").alias("keep_by"),
            "fill_by",
        )
        .filter(pl.col("asks_on_time") | pl.col("keep_by").is_not_null() | pl.col("fill_by").is_not_null())
    )


def _with_mark(found: pl.DataFrame, data: AllocationData, marks: pl.DataFrame) -> pl.DataFrame:
    """Add `mark`: arcs of a line with the same mark count alike for thresholds and confirmations; pin last plan's."""
    marked = found.with_columns(pl.lit(0, pl.Int64).alias("mark"))
    if marks.height:
        marked = marked.join(marks, on="line", how="left", maintain_order="left").with_columns(
            (
                ((pl.col("days_late") == 0) & pl.col("asks_on_time")).fill_null(value=False).cast(pl.Int64)
                + 2 * (pl.col("arrive_at") <= pl.col("keep_by")).fill_null(value=False).cast(pl.Int64)
                + 4 * (pl.col("ship_date") <= pl.col("fill_by")).fill_null(value=False).cast(pl.Int64)
            ).alias("mark")
        )
    last = data.extras["last_plan"].select("order_id", "line_id", "node_id", "ship_date").unique()
    if last.height:
        key = ["order_id", "line_id", "node_id", "ship_date"]
        same = last.with_columns(pl.lit(value=True).alias("is_last"))
        marked = marked.join(same, on=key, how="left", maintain_order="left").with_columns(
            pl.col("is_pinned") | pl.col("is_last").fill_null(value=False)
        )
    return marked


def _may_lose(data: AllocationData) -> pl.Expr:
    """Tell which lines may ship at a loss because something else pays for it."""
    key = ["order_id", "line_id"]
    planned = data.lines.select("line", *key).join(data.extras["last_plan"].select(key).unique(), on=key, how="semi")
    paid = pl.concat([planned["line"], data.scored["line"].unique()]).unique()
    flags = [
        pl.col("group").is_not_null(),
        pl.col("min_units") > 0,
        pl.col("order_fine_cents") > 0,
        pl.col("allocation_class").is_in(["win", "gain", "improve", "skip"]),
        pl.col("line").is_in(paid.implode()),
    ]
    if data.extras["service_floors"].height:
        flags.append(pl.lit(value=True))
    return reduce(or_, flags).alias("may_lose")


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


def _needed(found: pl.DataFrame, lines: pl.DataFrame, places: _Places) -> pl.DataFrame:
    """Keep what has capacity for a unit and supply on its day, without dominated lanes and days, in the arcs' order."""
    line, way, gain, use, mark = (found[name].to_numpy() for name in ("line", "way", "gain_cents", "use", "mark"))
    node, day = places.column("node_id_no", way), places.column("day", way)
    cell = places.cells(lines, line, node)
    row = places.rows(cell, day)
    there = np.flatnonzero((row >= 0) & (use <= places.column("capacity", way)))
    line, way, gain, mark, node, day, cell, row = (
        part[there] for part in (line, way, gain, mark, node, day, cell, row)
    )
    kind, lane, blockable = (places.column(name, way) for name in ("lane_class_no", "lane_no", "blockable"))
    pinned = found["is_pinned"].to_numpy()[there] | places.is_dated[cell]
    stretch = np.where(places.is_abundant[cell], 0, row - places.stock.starts[cell])
    # On one day from one node the best lane of each class and mark.
    best = (_place((line, node, day, kind, mark), (-gain, lane)) == 0) | pinned
    # A unit moves to any day of its stretch that gains as much, unless all those days are full.
    kept = np.flatnonzero(best)
    same = tuple(key[kept] for key in (line, node, kind, mark, stretch))
    better = _place(same, (-gain[kept], day[kept]))
    kept = kept[(better <= blockable[kept]) | pinned[kept]]
    kept = kept[np.lexsort(tuple(key[kept] for key in (lane, day, node, line)))]
    return found[there[kept]].with_columns(
        pl.Series("row", row[kept], dtype=pl.Int64), pl.Series("cell", cell[kept], dtype=pl.Int64)
    )


def _told(arcs: pl.DataFrame, data: AllocationData, places: _Places) -> pl.DataFrame:
    """Return the arcs with all that COLUMNS name; the holder is its customer's, else its channel's, else none (-1)."""
    stock = places.stock
    own = stock.holders.drop_nulls("customer_id").select(
        "cell", "channel", "customer_id", pl.col("holder_id").alias("own")
    )
    shared = stock.holders.filter(pl.col("customer_id").is_null()).drop_nulls("channel")
    told = (
        arcs.drop("mark", "is_pinned")
        .join(data.lines.select(_TOLD), on="line", how="left", maintain_order="left")
        .join(places.calendar.select(_WAY), on="way", how="left", maintain_order="left")
    )
    held = (
        told.select("cell", "channel", "customer_id")
        .unique()
        .join(own, on=["cell", "channel", "customer_id"], how="left")
        .join(shared.select("cell", "channel", "holder_id"), on=["cell", "channel"], how="left")
        .with_columns(pl.coalesce("own", "holder_id").fill_null(_FREE).alias("holder_id"))
    )
    return (
        told.join(
            held.drop("own"), on=["cell", "channel", "customer_id"], how="left", nulls_equal=True, maintain_order="left"
        )
        .with_columns(
            (pl.col("arrival_date") + pl.duration(days=pl.col("min_shelf_life_days").fill_null(0))).alias(
                "fresh_until"
            ),
            pl.Series("step", told["row"].to_numpy() - stock.starts[told["cell"].to_numpy()], dtype=pl.Int64),
            pl.Series("is_abundant", places.is_abundant[told["cell"].to_numpy()]),
        )
        .select(COLUMNS)
    )


def _place(same: tuple[Ints, ...], by: tuple[Ints, ...]) -> Ints:
    """Return each row's place, from 0, among the rows with the same keys, ordered by the others."""
    order = np.lexsort((*reversed(by), *reversed(same)))
    is_first = np.ones(order.size, dtype=np.bool_)
    if order.size:
        changes = [key[order][1:] != key[order][:-1] for key in same]
        is_first[1:] = np.logical_or.reduce(changes)
    number = np.arange(order.size, dtype=np.int64)
    places = np.empty(order.size, dtype=np.int64)
    places[order] = number - np.maximum.accumulate(np.where(is_first, number, 0))
    return places


def _blockable_days(data: AllocationData, load: pl.DataFrame) -> pl.DataFrame:
    """Return how many days of a node and lane class could be full at most, all units that could ship being `load`."""
    nodes = load.join(_full_node_days(data, load), on="node_id", how="left")
    grid = nodes.join(_full_cap_days(data, load), on="node_id", how="inner")
    return grid.select(
        "node_id", "lane_class", (pl.col("node_days").fill_null(0) + pl.col("cap_days")).alias("blockable")
    )


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
    served = lines.select("line", *key, "limit", "quantity").join(frame.select("line").unique(), on="line", how="semi")
    wanted = lines.drop_nulls("group").group_by(key).agg(pl.len().alias("wanted"))
    able = served.filter(pl.col("limit") == pl.col("quantity")).drop_nulls("group")
    joined = wanted.join(able.group_by(key).agg(pl.len().alias("served")), on=key, how="left")
    broken = joined.filter(pl.col("served").fill_null(0) < pl.col("wanted")).select(key)
    kept = served.join(broken, on=key, how="anti")
    reach = kept.group_by("order_id").agg(pl.col("limit").sum().alias("reach"))
    least = lines.group_by("order_id").agg(pl.col("min_units").max())
    poor = reach.join(least, on="order_id", how="inner").filter(pl.col("reach") < pl.col("min_units"))
    kept = kept.join(poor, on="order_id", how="anti")
    return frame.filter(pl.col("line").is_in(kept["line"].implode()))
