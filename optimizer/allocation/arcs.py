"""The arcs of the model: candidates that a plan could use, with those removed that no best plan needs.

Three removals, all exact (the optimum stays; reasons in FORMULATION.md, "What is left out and why that is safe"):
dominated lanes, arcs that gain nothing, and later days of one stock step beyond the number of days that could be full.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.candidates import candidates, lane_days
from optimizer.allocation.data import AllocationData
from optimizer.allocation.options import CarrierCap
from optimizer.allocation.stock import Ints, Stock

_CHUNK: Final = 20_000
_FREE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Arcs:
    """Arcs in the order of lines, nodes and days.

    Attributes:
        frame: One row per arc: line, order, node_id, day, lane, `row` of `stock.steps`, cell, holder_id (-1: none), cap
            (-1: none),
            quantity (of the line) and gain_cents per unit.
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
    calendar = lane_days(data)
    blocked = _blockable_days(data, stock)
    parts = []
    for start in range(0, max(data.lines.height, 1), _CHUNK):
        found = candidates(data, data.lines.slice(start, _CHUNK), calendar)
        parts.append(_needed(_usable(_capped(found, data.options.carrier_caps), data, stock), blocked))
    frame = pl.concat(parts)
    frame = _whole_orders(frame, data.lines)
    return Arcs(frame.with_columns(pl.col("order_id").rank("dense").cast(pl.Int64).sub(1).alias("order")))


def cap_rows(caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    """Return the carrier caps as a frame: cap (index), carrier, node_id, units, first_date, last_date."""
    rows = [
        (index, cap.carrier, cap.node_id, cap.units, cap.first_date or date.min, cap.last_date or date.max)
        for index, cap in enumerate(caps)
    ]
    schema = {
        "cap": pl.Int64,
        "carrier": pl.String,
        "cap_node_id": pl.String,
        "cap_units": pl.Int64,
        "first_date": pl.Date,
        "last_date": pl.Date,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def with_caps(frame: pl.DataFrame, caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    """Add `cap` (index of the tightest cap that holds on the ship date, -1 for none) and `cap_units`."""
    keyed = frame.with_row_index("_row")
    met = (
        keyed.select("_row", "carrier", "node_id", "ship_date")
        .join(cap_rows(caps), left_on=["carrier", "node_id"], right_on=["carrier", "cap_node_id"], how="inner")
        .filter(pl.col("ship_date").is_between(pl.col("first_date"), pl.col("last_date")))
        .sort("_row", "cap_units", "cap")
        .unique("_row", keep="first", maintain_order=True)
        .select("_row", "cap", "cap_units")
    )
    return (
        keyed.join(met, on="_row", how="left", maintain_order="left")
        .drop("_row")
        .with_columns(pl.col("cap").fill_null(_FREE))
    )


def _capped(found: pl.DataFrame, caps: tuple[CarrierCap, ...]) -> pl.DataFrame:
    marked = with_caps(found, caps).filter(pl.col("cap_units").fill_null(1) > 0)
    named = [cap.carrier for cap in caps]
    # A lane class keeps its identity on days without a cap, so that gains never rise within it.
    return marked.with_columns(
        pl.when(pl.col("carrier").is_in(named)).then(pl.col("carrier")).otherwise(pl.lit("")).alias("lane_class")
    )


def _usable(found: pl.DataFrame, data: AllocationData, stock: Stock) -> pl.DataFrame:
    steps = stock.steps.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)).sort("day")
    open_nodes = data.nodes.filter(pl.col("daily_capacity_units").fill_null(1) > 0).select("node_id")
    holders = stock.holders.select("cell", pl.col("holder").alias("channel"), "holder_id")
    return (
        found.filter((pl.col("gain_cents") > 0) | pl.col("is_complete"))
        .join(open_nodes, on="node_id", how="semi")
        .sort("day")
        .join_asof(steps, on="day", by=["sku", "node_id"], strategy="backward", check_sortedness=False)
        .filter(pl.col("cell").is_not_null())
        .join(holders, on=["cell", "channel"], how="left")
        .with_columns(pl.col("holder_id").fill_null(_FREE))
    )


def _needed(usable: pl.DataFrame, blocked: pl.DataFrame) -> pl.DataFrame:
    best = usable.sort(
        ["line", "node_id", "day", "lane_class", "gain_cents", "carrier", "service"],
        descending=[False] * 4 + [True] + [False] * 2,
    ).unique(["line", "node_id", "day", "lane_class"], keep="first", maintain_order=True)
    ranked = best.join(blocked, on=["cell", "lane_class"], how="left", maintain_order="left").with_columns(
        pl.when(pl.col("is_abundant")).then(0).otherwise(pl.col("step")).alias("stretch"),
    )
    order_in_stretch = pl.col("day").rank("ordinal").over("line", "node_id", "lane_class", "stretch")
    kept = ranked.filter(order_in_stretch <= pl.col("blockable") + 1)
    columns = [
        "line",
        "order_id",
        "sku",
        "node_id",
        "carrier",
        "service",
        "day",
        "ship_date",
        "arrival_date",
        "row",
        "cell",
        "step",
        "holder_id",
    ]
    return kept.select(
        *columns, "cap", "cap_units", "quantity", "is_complete", "is_abundant", "gain_cents", "days_late"
    ).sort("line", "node_id", "day", "carrier", "service")


def _blockable_days(data: AllocationData, stock: Stock) -> pl.DataFrame:
    """Return per cell and lane class how many days could be full at most, and whether the cell has plenty for all."""
    demand = data.lines.filter(~pl.col("is_on_hold")).group_by("sku").agg(pl.col("quantity").sum().alias("demand"))
    last = stock.steps.group_by("cell", "sku", "node_id").agg(pl.col("supply").max())
    pool = pl.DataFrame({"cell": stock.cells["cell"], "pool": stock.pool[stock.starts[:-1]]})
    cells = last.join(demand, on="sku", how="inner").join(pool, on="cell", how="inner")
    cells = cells.with_columns((pl.col("pool") >= pl.col("demand")).alias("is_abundant"))
    load = cells.group_by("node_id").agg(pl.min_horizontal("supply", "demand").sum().alias("load"))
    nodes = load.join(data.nodes.select("node_id", "daily_capacity_units"), on="node_id", how="inner").select(
        "node_id", "load", _full_days("daily_capacity_units").alias("node_days")
    )
    caps = cap_rows(data.options.carrier_caps).filter(pl.col("cap_units") > 0)
    tight = caps.group_by(pl.col("cap_node_id").alias("node_id"), pl.col("carrier").alias("lane_class")).agg(
        pl.col("cap_units").min()
    )
    names = sorted({"", *(cap.carrier for cap in data.options.carrier_caps)})
    classes = pl.DataFrame({"lane_class": names}, schema={"lane_class": pl.String})
    grid = nodes.join(classes, how="cross").join(tight, on=["node_id", "lane_class"], how="left")
    grid = grid.with_columns((pl.col("node_days") + _full_days("cap_units")).alias("blockable"))
    return cells.join(grid, on="node_id", how="inner").select("cell", "lane_class", "is_abundant", "blockable")


def _full_days(capacity: str) -> pl.Expr:
    return pl.when(pl.col(capacity) > 0).then((pl.col("load") - 1) // pl.col(capacity)).otherwise(0)


def _whole_orders(frame: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Drop ship-complete orders that have a line without any arc."""
    wanted = lines.filter(pl.col("is_complete")).group_by("order_id").agg(pl.len().alias("wanted"))
    served = frame.filter(pl.col("is_complete")).group_by("order_id").agg(pl.col("line").n_unique().alias("served"))
    broken = (
        wanted.join(served, on="order_id", how="inner").filter(pl.col("served") < pl.col("wanted")).select("order_id")
    )
    return frame.join(broken, on="order_id", how="anti", maintain_order="left")
