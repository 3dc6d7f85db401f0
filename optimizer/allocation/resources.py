"""Capacities that arcs of many lines share: node days, carrier days, customers' credit.

Each is one row `sum use x <= limit`. Belongs here: which arc uses how much of what. Not here: stock (stock.py) and what
takes whole shipments instead of units (dock appointments, model.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.arcs import Arcs, met_caps, node_capacity
from optimizer.allocation.data import AllocationData
from optimizer.allocation.stock import Ints

FAMILIES: Final = ("node_capacity", "carrier_capacity", "credit")


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """Shared capacities that could bind, and the arcs that use them.

    Attributes:
        frame: One row per resource: resource, family (see FAMILIES), label, ship_date (null for credit), limit.
        arc: [E] arc number of each use.
        resource: [E] resource number of each use.
        use: [E] what one unit on the arc takes of the limit.
    """

    frame: pl.DataFrame
    arc: Ints
    resource: Ints
    use: Ints


def build_resources(data: AllocationData, arcs: Arcs) -> Resources:
    """Return the resources that could bind: those which all lines together could overload."""
    arc = arcs.frame.with_row_index("arc").with_columns(pl.col("arc").cast(pl.Int64))
    parts = [_node_uses(data, arc)]
    if data.carrier_caps:
        parts.append(_cap_uses(data, arc))
    if data.extras["customers"].height:
        parts.append(_credit_uses(data, arc))
    uses = pl.concat(parts)
    heaviest = uses.group_by("family", "label", "ship_date", "line").agg(
        (pl.col("use") * pl.col("most")).max().alias("load"), pl.col("limit").first()
    )
    loads = heaviest.group_by("family", "label", "ship_date").agg(pl.col("load").sum(), pl.col("limit").first())
    place = {family: number for number, family in enumerate(FAMILIES)}
    binding = (
        loads.filter(pl.col("load") > pl.col("limit"))
        .with_columns(pl.col("family").replace_strict(place, return_dtype=pl.Int64).alias("place"))
        .sort("place", "label", "ship_date")
        .with_row_index("resource")
        .with_columns(pl.col("resource").cast(pl.Int64))
    )
    key = ["family", "label", "ship_date"]
    met = uses.join(binding.select(*key, "resource"), on=key, how="inner", nulls_equal=True).sort("arc", "resource")
    return Resources(
        binding.select("resource", *key, "limit"),
        *(met[name].to_numpy().astype(np.int64) for name in ("arc", "resource", "use")),
    )


def _uses(
    frame: pl.DataFrame, family: str, label: pl.Expr, date: pl.Expr, use: pl.Expr, limit: pl.Expr
) -> pl.DataFrame:
    return frame.select(
        pl.lit(family).alias("family"),
        label.cast(pl.String).alias("label"),
        date.alias("ship_date"),
        "line",
        "arc",
        use.cast(pl.Int64).alias("use"),
        pl.col("limit").alias("most"),
        limit.cast(pl.Int64).alias("limit_units"),
    ).rename({"limit_units": "limit"})


def _node_uses(data: AllocationData, arc: pl.DataFrame) -> pl.DataFrame:
    met = arc.join(node_capacity(data), on=["node_id", "ship_date"], how="inner").filter(pl.col("use") > 0)
    return _uses(met, "node_capacity", pl.col("node_id"), pl.col("ship_date"), pl.col("use"), pl.col("capacity"))


def _cap_uses(data: AllocationData, arc: pl.DataFrame) -> pl.DataFrame:
    lines = data.lines.select("line", "lane_zone")
    keyed = arc.drop("cap", "cap_units").join(lines, on="line", how="inner")
    key = ["node_id", "carrier", "service", "lane_zone", "ship_date"]
    met = met_caps(keyed.select(key).unique(), data.carrier_caps).select(*key, "cap", "cap_units")
    return _uses(
        keyed.join(met, on=key, how="inner"),
        "carrier_capacity",
        pl.col("cap"),
        pl.col("ship_date"),
        pl.lit(1),
        pl.col("cap_units"),
    )


def _credit_uses(data: AllocationData, arc: pl.DataFrame) -> pl.DataFrame:
    limits = data.extras["customers"].drop_nulls("credit_limit")
    room = (pl.col("credit_limit") - pl.col("credit_used").fill_null(0)).clip(lower_bound=0).alias("room")
    prices = data.lines.select("line", "price_cents")
    met = arc.join(limits.select("customer_id", room), on="customer_id", how="inner").join(prices, on="line")
    return _uses(
        met,
        "credit",
        pl.col("customer_id"),
        pl.lit(None, pl.Date),
        pl.col("price_cents"),
        pl.col("room"),
    )
