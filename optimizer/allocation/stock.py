"""Supply over time and what is kept back of it, per SKU and node (a *cell*).

Supply changes only at the *steps* of a cell (opening stock, then each dated receipt); between two steps every ship day
has the same cumulative supply, so stock constraints are needed once per step. A *holder* is a channel, or the safety
stock, that keeps units back. What a holder keeps is never more than there is: at each step the safety stock is covered
first, then channels by priority rank. From its release time on a holder keeps nothing; release times are steps too. A
customer with a reserve of its own draws on that one, not on its channel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.allocation.candidates import base_date
from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import parse_time
from optimizer.allocation.options import BASIS, Reserve

SAFETY: Final = "(safety stock)"
"""Holder name of safety stock; no channel may draw on it."""

FOREVER: Final = date(9999, 12, 31)
"""Expiry of units that do not expire."""

FAR: Final = 2**40
"""More days and units than any problem has."""

_CLOCK: Final = ("node_id", "zone", "cut_off_time")

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stock:
    """Supply and reserves of the SKUs that open lines ask for.

    Attributes:
        cells: One row per SKU and node with supply: sku, node_id, cell.
        steps: One row per cell and step: sku, node_id, cell, step, day, supply (cumulative units from `day` on).
        starts: First row of each cell in `steps`, and the number of rows at the end.
        supply: Cumulative units per row of `steps`.
        pool: Supply that nobody keeps back, per row of `steps`.
        holders: One row per cell and holder: holder_id, cell, sku, node_id, holder (its name), channel, customer_id,
            quantity, is_decided.
        reserved: Units that each holder keeps, by holder_id, one value per step of its cell.
        limits: One row per cell and channel (or customer of a channel) that may not draw all: limit_id, cell, channel,
            customer_id.
        limit_units: The most each limit's lines may have drawn, by limit_id, one value per step of its cell.
        lots: One row per lot of the cells that have dated lots: cell, lot_id, day (from which it is there), quantity,
            expires_on (the farthest date for units that do not expire), sorted by cell and date.
    """

    cells: pl.DataFrame
    steps: pl.DataFrame
    starts: Ints
    supply: Ints
    pool: Ints
    holders: pl.DataFrame
    reserved: tuple[Ints, ...]
    limits: pl.DataFrame
    limit_units: tuple[Ints, ...]
    lots: pl.DataFrame

    def rows(self, cell: int) -> slice:
        """Return the rows of a cell in the per-step arrays."""
        return slice(int(self.starts[cell]), int(self.starts[cell + 1]))


def build_stock(data: AllocationData) -> Stock:
    """Lay out supply and reserves of every SKU that an open line asks for."""
    asked = data.lines.filter(~pl.col("is_on_hold")).select("sku").unique()
    lots = pl.concat([_opening_lots(data), _inbound(data)]).join(asked, on="sku", how="semi")
    supply = pl.concat([_opening(data), _inbound(data).drop("lot_id", "expires_on")]).join(asked, on="sku", how="semi")
    supply = supply.filter(pl.col("quantity") > 0)
    releases = _releases(data).join(supply, on=["sku", "node_id"], how="semi")
    steps = (
        pl.concat([supply, releases.select("sku", "node_id", "day", pl.lit(0, pl.Int64).alias("quantity"))])
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
    days = steps["day"].to_numpy().astype(np.int64)
    holders = _holders(data, cells)
    pool, reserved = _cover(total, days, starts, holders)
    limits = _limits(data, cells)
    return Stock(
        cells=cells,
        steps=steps,
        starts=starts,
        supply=total,
        pool=pool,
        holders=holders.drop("release_day"),
        reserved=reserved,
        limits=limits.select("limit_id", "cell", "channel", "customer_id"),
        limit_units=_limit_units(total, days, starts, limits),
        lots=_lots(lots, steps),
    )


def _expired(data: AllocationData) -> pl.Expr:
    return pl.col("expires_on") < pl.lit(base_date(data))


def _opening(data: AllocationData) -> pl.DataFrame:
    """Return sellable units on hand: without quarantine and without lots that have expired."""
    gone = (
        data.extras["lots"]
        .filter(_expired(data))
        .group_by("sku", "node_id")
        .agg(pl.col("quantity").sum().alias("expired"))
    )
    joined = data.inventory.join(gone, on=["sku", "node_id"], how="left", maintain_order="left")
    sellable = (pl.col("on_hand") - pl.col("quarantine").fill_null(0) - pl.col("expired").fill_null(0)).clip(
        lower_bound=0
    )
    return joined.select("sku", "node_id", pl.lit(0, pl.Int64).alias("day"), sellable.alias("quantity"))


def _opening_lots(data: AllocationData) -> pl.DataFrame:
    """Return the lots on hand; sellable units that no lot names do not expire."""
    lots = data.extras["lots"].filter(~_expired(data).fill_null(value=False), pl.col("quantity") > 0)
    named = lots.select("sku", "node_id", pl.lit(0, pl.Int64).alias("day"), "quantity", "lot_id", "expires_on")
    sums = lots.group_by("sku", "node_id").agg(pl.col("quantity").sum().alias("named"))
    rest = _opening(data).join(sums, on=["sku", "node_id"], how="left", maintain_order="left")
    rest = rest.select(
        "sku",
        "node_id",
        "day",
        (pl.col("quantity") - pl.col("named").fill_null(0)).alias("quantity"),
        pl.lit(None, pl.String).alias("lot_id"),
        pl.lit(None, pl.Date).alias("expires_on"),
    )
    return pl.concat([named, rest.filter(pl.col("quantity") > 0)])


def _inbound(data: AllocationData) -> pl.DataFrame:
    options, first = data.options, base_date(data)
    zones = dict(data.nodes.select("node_id", "zone").iter_rows())
    counted = data.receipts.filter(
        pl.col("is_confirmed").fill_null(value=False),
        pl.col("expected_at") >= options.moment.replace(tzinfo=None),
    )
    rows = []
    columns = ("sku", "node_id", "quantity", "expected_at", "receipt_id", "expires_on")
    for sku, node_id, quantity, expected, receipt_id, expires_on in counted.select(columns).iter_rows():
        local = expected.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zones[node_id] or "UTC")).date()
        day = (local + timedelta(days=options.dock_days) - first).days
        counted_on = quantity * (BASIS - options.receipt_haircut_bp) // BASIS
        rows.append((sku, node_id, day, counted_on, receipt_id, expires_on))
    frame = pl.DataFrame(
        rows,
        schema={
            "sku": pl.String,
            "node_id": pl.String,
            "day": pl.Int64,
            "quantity": pl.Int64,
            "lot_id": pl.String,
            "expires_on": pl.Date,
        },
        orient="row",
    )
    return frame.filter(pl.col("day") <= options.horizon_days, ~_expired(data).fill_null(value=False))


def _lots(lots: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Return the lots of cells in which at least one has a date."""
    dated = lots.filter(pl.col("expires_on").is_not_null()).select("sku", "node_id").unique()
    cells = steps.select("sku", "node_id", "cell").unique()
    return (
        lots.join(dated, on=["sku", "node_id"], how="semi")
        .join(cells, on=["sku", "node_id"], how="inner")
        .filter(pl.col("quantity") > 0)
        .with_columns(pl.col("expires_on").fill_null(FOREVER))
        .select("cell", "lot_id", "day", "quantity", "expires_on")
        .sort("cell", "expires_on", "day", "lot_id")
    )


def release_day(release_at: datetime, zone: str | None, cut_off: str | None, first: date) -> int:
    """Return the day index from which a reserve is free: the first whose usual cut-off is not before the release."""
    local = release_at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone or "UTC"))
    after = local.time() > (parse_time(cut_off) or time())
    return (local.date() - first).days + after


def _releases(data: AllocationData) -> pl.DataFrame:
    """Return the reservations that end: sku, node_id, channel, customer_id, day."""
    first = base_date(data)
    nodes = {node_id: (zone, cut_off) for node_id, zone, cut_off in data.nodes.select(_CLOCK).iter_rows()}
    ending = data.reservations.filter(pl.col("release_at").is_not_null())
    days = [
        max(0, release_day(release_at, *nodes[node_id], first))
        for node_id, release_at in ending.select("node_id", "release_at").iter_rows()
    ]
    return ending.select("sku", "node_id", "channel", "customer_id").with_columns(
        pl.Series("day", days, dtype=pl.Int64)
    )


def _kept_back(data: AllocationData, cells: pl.DataFrame) -> pl.DataFrame:
    """Return the reservations of the cells with the day on which each ends (null: never)."""
    key = ["sku", "node_id", "channel", "customer_id"]
    ends = _releases(data).rename({"day": "release_day"})
    joined = data.reservations.join(ends, on=key, how="left", nulls_equal=True, maintain_order="left")
    return joined.join(cells, on=["sku", "node_id"], how="inner", maintain_order="left")


def _holders(data: AllocationData, cells: pl.DataFrame) -> pl.DataFrame:
    ranks = data.lines.group_by("channel").agg(pl.col("priority_rank").min().alias("rank"))
    name = pl.when(pl.col("customer_id").is_null()).then(pl.col("channel"))
    channels = (
        _kept_back(data, cells)
        .filter(pl.col("quantity") > 0)
        .join(ranks, on="channel", how="left")
        .select(
            "cell",
            "sku",
            "node_id",
            name.otherwise(pl.concat_str("channel", pl.lit(" / "), "customer_id")).alias("holder"),
            "channel",
            "customer_id",
            "quantity",
            "release_day",
            pl.col("rank").fill_null(pl.lit(999)),
        )
    )
    safety = (
        data.inventory.filter(pl.col("safety_stock") > 0)
        .join(cells, on=["sku", "node_id"], how="inner")
        .select(
            "cell",
            "sku",
            "node_id",
            pl.lit(SAFETY).alias("holder"),
            pl.lit(None, pl.String).alias("channel"),
            pl.lit(None, pl.String).alias("customer_id"),
            pl.col("safety_stock").alias("quantity"),
            pl.lit(None, pl.Int64).alias("release_day"),
            pl.lit(-1, pl.Int64).alias("rank"),
        )
    )
    decided = pl.lit(data.options.reservations == Reserve.DECIDE)
    decided_safety = pl.lit(data.options.safety_stock == Reserve.DECIDE)
    return (
        pl.concat([safety, channels])
        .sort("cell", "rank", "holder")
        .with_row_index("holder_id")
        .with_columns(
            pl.col("holder_id").cast(pl.Int64),
            pl.when(pl.col("holder") == SAFETY).then(decided_safety).otherwise(decided).alias("is_decided"),
        )
        .select(
            *("holder_id", "cell", "sku", "node_id", "holder", "channel", "customer_id"),
            *("quantity", "is_decided", "release_day"),
        )
    )


def _cover(supply: Ints, days: Ints, starts: Ints, holders: pl.DataFrame) -> tuple[Ints, tuple[Ints, ...]]:
    pool, reserved = supply.copy(), []
    for cell, quantity, ends in holders.select("cell", "quantity", "release_day").iter_rows():
        rows = slice(int(starts[cell]), int(starts[cell + 1]))
        asked = np.where(days[rows] < (FAR if ends is None else ends), quantity, 0)
        kept = np.minimum(pool[rows], asked)
        pool[rows] -= kept
        reserved.append(kept)
    return pool, tuple(reserved)


def _limits(data: AllocationData, cells: pl.DataFrame) -> pl.DataFrame:
    """Return the channels that may not draw all there is: a cap until its release, a buffer always."""
    return (
        _kept_back(data, cells)
        .filter(pl.col("cap_quantity").is_not_null() | (pl.col("buffer_quantity") > 0))
        .sort("cell", "channel", "customer_id")
        .with_row_index("limit_id")
        .with_columns(pl.col("limit_id").cast(pl.Int64))
    )


def _limit_units(supply: Ints, days: Ints, starts: Ints, limits: pl.DataFrame) -> tuple[Ints, ...]:
    found = []
    for cell, cap, buffer, ends in limits.select("cell", "cap_quantity", "buffer_quantity", "release_day").iter_rows():
        rows = slice(int(starts[cell]), int(starts[cell + 1]))
        most = np.maximum(supply[rows] - (buffer or 0), 0)
        capped = days[rows] < (FAR if ends is None else ends)
        found.append(np.where(capped, np.minimum(most, FAR if cap is None else cap), most))
    return tuple(found)
