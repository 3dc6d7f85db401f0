"""Supply over time and what is kept back of it, per SKU and node (a *cell*).

Supply changes only at the *steps* of a cell (opening stock, then each dated receipt); between two steps every ship day
has the same cumulative supply, so stock constraints are needed once per step. A *holder* is a channel, or the safety
stock, that keeps units back. What a holder keeps is never more than there is: at each step the safety stock is covered
first, then channels by priority rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.allocation.candidates import base_date
from optimizer.allocation.data import AllocationData
from optimizer.allocation.options import BASIS, Reserve

SAFETY: Final = "(safety stock)"
"""Holder name of safety stock; no channel may draw on it."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stock:
    """Supply and reserves of the SKUs that open lines ask for.

    Attributes:
        cells: One row per SKU and node with supply: sku, node_id, cell.
        steps: One row per cell and step: sku, node_id, cell, step, day, supply (cumulative units from `day` on).
        starts: First row of each cell in `steps`, and the number of rows at the end.
        supply: Cumulative units per row of `steps`.
        pool: Supply that nobody keeps back, per row of `steps`.
        holders: One row per cell and holder: holder_id, cell, sku, node_id, holder, quantity, is_decided.
        reserved: Units that each holder keeps, by holder_id, one value per step of its cell.
    """

    cells: pl.DataFrame
    steps: pl.DataFrame
    starts: Ints
    supply: Ints
    pool: Ints
    holders: pl.DataFrame
    reserved: tuple[Ints, ...]

    def rows(self, cell: int) -> slice:
        """Return the rows of a cell in the per-step arrays."""
        return slice(int(self.starts[cell]), int(self.starts[cell + 1]))


def build_stock(data: AllocationData) -> Stock:
    """Lay out supply and reserves of every SKU that an open line asks for."""
    asked = data.lines.filter(~pl.col("is_on_hold")).select("sku").unique()
    supply = pl.concat([_opening(data), _inbound(data)]).join(asked, on="sku", how="semi")
    steps = (
        supply.filter(pl.col("quantity") > 0)
        .group_by("sku", "node_id", "day")
        .agg(pl.col("quantity").sum())
        .sort("sku", "node_id", "day")
        .with_columns(
            pl.col("quantity").cum_sum().over("sku", "node_id").alias("supply"),
            pl.struct("sku", "node_id").rank("dense").cast(pl.Int64).sub(1).alias("cell"),
            pl.col("day").cum_count().over("sku", "node_id").cast(pl.Int64).sub(1).alias("step"),
        )
        .drop("quantity")
    )
    cells = steps.select("sku", "node_id", "cell").unique(maintain_order=True)
    starts = np.concatenate([np.flatnonzero(steps["step"].to_numpy() == 0), [steps.height]]).astype(np.int64)
    total = steps["supply"].to_numpy().astype(np.int64)
    holders = _holders(data, cells)
    pool, reserved = _cover(total, starts, holders)
    return Stock(cells=cells, steps=steps, starts=starts, supply=total, pool=pool, holders=holders, reserved=reserved)


def _opening(data: AllocationData) -> pl.DataFrame:
    sellable = (pl.col("on_hand") - pl.col("quarantine").fill_null(0)).clip(lower_bound=0)
    return data.inventory.select("sku", "node_id", pl.lit(0, pl.Int64).alias("day"), sellable.alias("quantity"))


def _inbound(data: AllocationData) -> pl.DataFrame:
    options, first = data.options, base_date(data)
    zones = dict(data.nodes.select("node_id", "zone").iter_rows())
    counted = data.receipts.filter(
        pl.col("is_confirmed").fill_null(value=False),
        pl.col("expected_at") >= options.moment.replace(tzinfo=None),
    )
    rows = []
    for sku, node_id, quantity, expected in counted.select("sku", "node_id", "quantity", "expected_at").iter_rows():
        local = expected.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zones[node_id] or "UTC")).date()
        day = (local + timedelta(days=options.dock_days) - first).days
        rows.append((sku, node_id, day, quantity * (BASIS - options.receipt_haircut_bp) // BASIS))
    frame = pl.DataFrame(
        rows, schema={"sku": pl.String, "node_id": pl.String, "day": pl.Int64, "quantity": pl.Int64}, orient="row"
    )
    return frame.filter(pl.col("day") <= options.horizon_days)


def _holders(data: AllocationData, cells: pl.DataFrame) -> pl.DataFrame:
    ranks = data.lines.group_by("channel").agg(pl.col("priority_rank").min().alias("rank"))
    channels = data.reservations.join(ranks, on="channel", how="left").select(
        "sku", "node_id", pl.col("channel").alias("holder"), "quantity", pl.col("rank").fill_null(pl.lit(999))
    )
    safety = data.inventory.filter(pl.col("safety_stock") > 0).select(
        "sku",
        "node_id",
        pl.lit(SAFETY).alias("holder"),
        pl.col("safety_stock").alias("quantity"),
        pl.lit(-1, pl.Int64).alias("rank"),
    )
    decided = pl.lit(data.options.reservations == Reserve.DECIDE)
    decided_safety = pl.lit(data.options.safety_stock == Reserve.DECIDE)
    return (
        pl.concat([safety, channels])
        .join(cells, on=["sku", "node_id"], how="inner")
        .sort("cell", "rank", "holder")
        .with_row_index("holder_id")
        .with_columns(
            pl.col("holder_id").cast(pl.Int64),
            pl.when(pl.col("holder") == SAFETY).then(decided_safety).otherwise(decided).alias("is_decided"),
        )
        .select("holder_id", "cell", "sku", "node_id", "holder", "quantity", "is_decided")
    )


def _cover(supply: Ints, starts: Ints, holders: pl.DataFrame) -> tuple[Ints, tuple[Ints, ...]]:
    pool, reserved = supply.copy(), []
    for cell, quantity in holders.select("cell", "quantity").iter_rows():
        rows = slice(int(starts[cell]), int(starts[cell + 1]))
        kept = np.minimum(pool[rows], quantity)
        pool[rows] -= kept
        reserved.append(kept)
    return pool, tuple(reserved)
