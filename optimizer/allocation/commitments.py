"""What should ship whatever it gains: locks, class win, confirmations, floors, the last plan. Broken only at a price.

Each commitment is one elastic row `sum of its arcs' units + missed >= target`; a missed unit costs `price_cents`. So a
plan always exists, and what it breaks is named with its money.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.arcs import Arcs
from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import INSTANT
from optimizer.allocation.options import BASIS
from optimizer.allocation.stock import Ints, Stock

KINDS: Final = ("lock", "win", "keep", "plan_change", "floor")
"""Kinds in the order of FORMULATION.md: planner's lock; class win in full and on time; confirmation of classes gain,
improve and skip; unit of the last plan; service floor or fair share."""


@dataclass(frozen=True, slots=True, eq=False)
class Commitments:
    """Elastic targets.

    Attributes:
        frame: One row per commitment: commitment, kind (see KINDS), label (in words), target (units), price_cents per
            missed unit.
        commitment: [E] commitment of each member.
        arc: [E] arc whose units count.
    """

    frame: pl.DataFrame
    commitment: Ints
    arc: Ints

    def missed(self, units: Ints) -> Ints:
        """Return the units each commitment misses under a plan's units per arc."""
        kept = np.zeros(self.frame.height, dtype=np.int64)
        np.add.at(kept, self.commitment, units[self.arc])
        missed: Ints = np.maximum(self.frame["target"].to_numpy().astype(np.int64) - kept, 0)
        return missed


def build_commitments(data: AllocationData, stock: Stock, arcs: Arcs) -> Commitments:
    """Return every commitment, by kind, with the arcs that serve it."""
    if not _is_asked(data):
        nothing = np.empty(0, dtype=np.int64)
        return Commitments(pl.DataFrame(schema=_SCHEMA), nothing, nothing)
    frame = arcs.frame.with_row_index("arc").with_columns(pl.col("arc").cast(pl.Int64))
    lines = _of_lines(data)
    floors, shares = protected_minima(data), _fair_shares(data, stock)
    rows = pl.concat([lines.select(_ROW), floors.select(_ROW), shares.select(_ROW)]).with_row_index("commitment")
    rows = rows.with_columns(pl.col("commitment").cast(pl.Int64))
    members = pl.concat([_line_members(lines, frame), _scope_members(floors, frame), _scope_members(shares, frame)])
    met = members.join(rows.select("commitment", "key"), on="key", how="inner").sort("commitment", "arc")
    return Commitments(
        rows.select("commitment", "kind", "label", "target", "price_cents"),
        met["commitment"].to_numpy().astype(np.int64),
        met["arc"].to_numpy().astype(np.int64),
    )


_SCHEMA: Final = {
    "commitment": pl.Int64(),
    "kind": pl.String(),
    "label": pl.String(),
    "target": pl.Int64(),
    "price_cents": pl.Int64(),
}


def _is_asked(data: AllocationData) -> bool:
    frames = ("planner_decisions", "last_plan", "service_floors")
    return any(data.extras[name].height for name in frames) or bool(
        (data.lines["allocation_class"] != "redistribute").any()
    )


_ROW: Final = ("key", "kind", "label", "target", "price_cents")
_PLACE: Final = (("from", "node_id"), ("on", "ship_date"), ("by", "carrier"), ("with", "service"))


def _of_lines(data: AllocationData) -> pl.DataFrame:
    """Return the commitments to one line each and which of its arcs count: `c_` columns, where empty means any."""
    weights = data.options.weights
    parts = [
        _placed(data, data.extras["planner_decisions"].filter(_is_lock()), "lock", weights.lock_cents),
        _classed(data, pl.col("allocation_class") == "win", "win", weights.win_cents),
        _classed(
            data,
            pl.col("allocation_class").is_in(["gain", "improve", "skip"]) & (pl.col("confirmed_quantity") > 0),
            "keep",
            weights.keep_cents,
        ),
        _placed(data, data.extras["last_plan"], "plan_change", weights.change_cents),
    ]
    made = [part.with_row_index("number") for part in parts]
    return pl.concat(made, how="diagonal").with_columns(pl.concat_str("kind", pl.lit(" "), "number").alias("key"))


def _is_lock() -> pl.Expr:
    return pl.col("decision").str.to_lowercase() == "lock"


def _placed(data: AllocationData, rows: pl.DataFrame, kind: str, price: int) -> pl.DataFrame:
    """Return commitments to ship units of a line from, on, by and with what the rows name."""
    key = ["order_id", "line_id"]
    named = rows.select(*key, "quantity", *(name for _, name in _PLACE))
    joined = named.join(data.lines.select(*key, "line", pl.col("quantity").alias("open")), on=key, how="inner")
    words = [
        pl.when(pl.col(name).is_not_null()).then(pl.format(f" {word} {{}}", name)).otherwise(pl.lit(""))
        for word, name in _PLACE
    ]
    return joined.sort("line", *(name for _, name in _PLACE), "quantity").select(
        pl.lit(kind).alias("kind"),
        pl.concat_str(_name(), *words).alias("label"),
        pl.min_horizontal("quantity", "open").alias("target"),
        pl.lit(price, dtype=pl.Int64).alias("price_cents"),
        "line",
        *(pl.col(name).alias(f"c_{name}") for _, name in _PLACE),
        pl.lit(None, INSTANT).alias("c_by"),
        pl.lit(value=False).alias("c_on_time"),
    )


def _name() -> pl.Expr:
    return pl.concat_str("order_id", pl.lit("/"), "line_id")


def _classed(data: AllocationData, mask: pl.Expr, kind: str, price: int) -> pl.DataFrame:
    """Return commitments of the allocation classes: win asks for all on time, the others for what was confirmed."""
    is_win = kind == "win"
    by = pl.when(pl.col("allocation_class") != "improve").then("confirmed_at")
    words = pl.when(by.is_null()).then(pl.lit("")).otherwise(pl.format(" by {}", by.dt.strftime("%Y-%m-%d")))
    return data.lines.filter(mask, ~pl.col("is_on_hold")).select(
        pl.lit(kind).alias("kind"),
        (
            pl.concat_str(_name(), pl.lit(" in full and on time"))
            if is_win
            else pl.concat_str(_name(), pl.lit(" as confirmed"), words)
        ).alias("label"),
        (pl.col("quantity") if is_win else pl.min_horizontal("quantity", "confirmed_quantity")).alias("target"),
        pl.lit(price, dtype=pl.Int64).alias("price_cents"),
        "line",
        *(pl.lit(None, _PLACE_TYPES[name]).alias(f"c_{name}") for _, name in _PLACE),
        (pl.lit(None, INSTANT) if is_win else by).alias("c_by"),
        pl.lit(is_win).alias("c_on_time"),
    )


_PLACE_TYPES: Final = {"node_id": pl.String, "ship_date": pl.Date, "carrier": pl.String, "service": pl.String}


def _line_members(rows: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    met = rows.join(frame, on="line", how="inner").filter(
        *((pl.col(name) == pl.col(f"c_{name}")) | pl.col(f"c_{name}").is_null() for _, name in _PLACE),
        (pl.col("arrive_at") <= pl.col("c_by")) | pl.col("c_by").is_null(),
        (pl.col("days_late") == 0) | ~pl.col("c_on_time"),
    )
    return met.select("key", "arc")


_SCOPE: Final = ("channel", "customer_id", "sku")


def _scopes(data: AllocationData) -> pl.DataFrame:
    """Return the service floors with the open units of each SKU that they are about."""
    floors = data.extras["service_floors"].with_row_index("floor")
    lines = data.lines.filter(~pl.col("is_on_hold")).group_by(_SCOPE).agg(pl.col("quantity").sum().alias("asked"))
    price = pl.col("shortfall_per_unit").fill_null(data.options.weights.floor_cents).alias("price_cents")
    words = pl.concat_str([pl.col(name) for name in _SCOPE], separator=" ", ignore_nulls=True)
    named = floors.with_columns(
        price,
        pl.when(words == "").then(pl.lit("all")).otherwise(words).alias("words"),
        *(pl.col(name).alias(f"c_{name}") for name in _SCOPE),
    ).drop(_SCOPE)
    return named.join(lines, how="cross").filter(_in_scope())


def _in_scope() -> pl.Expr:
    named = [(pl.col(name) == pl.col(f"c_{name}")).fill_null(value=False) for name in _SCOPE]
    return pl.all_horizontal(same | pl.col(f"c_{name}").is_null() for name, same in zip(_SCOPE, named, strict=True))


_FLOOR: Final = (
    "floor",
    "words",
    "price_cents",
    "floor_rate",
    "floor_quantity",
    "fair_share_rate",
    *(f"c_{name}" for name in _SCOPE),
)


def protected_minima(data: AllocationData) -> pl.DataFrame:
    """Return the protected minimum of each service floor: a share of its open units or a quantity, never above them."""
    least = (pl.col("asked") * pl.col("floor_rate").fill_null(0) + BASIS - 1) // BASIS
    return (
        _scopes(data)
        .group_by(_FLOOR)
        .agg(pl.col("asked").sum())
        .with_columns(
            pl.min_horizontal(pl.max_horizontal(least, pl.col("floor_quantity").fill_null(0)), "asked").alias("target"),
            pl.format("floor {}", "floor").alias("key"),
            pl.lit("floor").alias("kind"),
            pl.format("floor of {}", "words").alias("label"),
            pl.col("c_sku").alias("only_sku"),
        )
        .filter(pl.col("target") > 0)
        .sort("floor")
    )


def _fair_shares(data: AllocationData, stock: Stock) -> pl.DataFrame:
    """Return the fair share of each service floor and SKU: part of its share of the supply by open units."""
    last = stock.steps.group_by("cell", "sku").agg(pl.col("supply").max())
    supply = last.group_by("sku").agg(pl.col("supply").sum())
    demand = data.lines.filter(~pl.col("is_on_hold")).group_by("sku").agg(pl.col("quantity").sum().alias("demand"))
    there = pl.min_horizontal(pl.col("supply").fill_null(0), "demand")
    return (
        _scopes(data)
        .filter(pl.col("fair_share_rate") > 0)
        .group_by(*_FLOOR, "sku")
        .agg(pl.col("asked").sum())
        .join(supply, on="sku", how="left")
        .join(demand, on="sku", how="inner")
        .with_columns(
            (pl.col("fair_share_rate") * pl.col("asked") * there // (pl.col("demand") * BASIS)).alias("target"),
            pl.format("fair {} {}", "floor", "sku").alias("key"),
            pl.lit("floor").alias("kind"),
            pl.format("fair share of {} in {}", "words", "sku").alias("label"),
            pl.col("sku").alias("only_sku"),
        )
        .filter(pl.col("target") > 0)
        .sort("floor", "sku")
    )


def _scope_members(rows: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    scopes = frame.select(_SCOPE).unique()
    met = rows.select("key", "only_sku", *(f"c_{name}" for name in _SCOPE)).join(scopes, how="cross")
    met = met.filter(_in_scope(), (pl.col("sku") == pl.col("only_sku")) | pl.col("only_sku").is_null())
    return frame.select(*_SCOPE, "arc").join(met, on=_SCOPE, how="inner", nulls_equal=True).select("key", "arc")
