"""The open lines of an instant, each in its stage: what a planner could have seen then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from optimizer.risk.history import STAGES, History

QUEUE_DAYS: Final = 60
"""Lines captured longer ago no longer count as waiting for stock (they are backlog nobody works on)."""


def snapshots(history: History, passed: pl.DataFrame, instants: Iterable[datetime]) -> pl.DataFrame:
    """Return the lines that were open and undecided at each instant.

    Undecided: the window is stated and has not ended, the measured event has not passed for all units, no piece came
    too early, and nobody cancelled what makes the line a miss.

    Args:
        history: What happened.
        passed: Its `passings`.
        instants: When to look; at least one.

    Returns:
        One row per unit and instant `at`: the unit's columns, `stage`, `entered_at`, node, carrier and service as far
        as told, `held` (a hold is on), `queue` (units of the SKU that wait ahead of this line), `level` (usable stock
        of the SKU; null where unknown), `busy` (units of the SKU already released and not gone).
    """
    units = history.units.join(passed, on="unit")
    holds = _holds(history.milestones)
    return pl.concat([_at(units, holds, history.stock, at) for at in instants])


def _at(units: pl.DataFrame, holds: pl.DataFrame, stock: pl.DataFrame, at: datetime) -> pl.DataFrame:
    now = pl.lit(at, pl.Datetime("us"))
    open_units = units.filter(
        (pl.col("captured_at") <= now)
        & (pl.col("captured_at") > now - timedelta(days=QUEUE_DAYS))
        & (pl.col("said_at") <= now)
        & ~_known("measured_known", now)
        & ~_known("lost_known", now)
    ).with_columns(
        now.alias("at"),
        _stage(now).alias("stage"),
        _entered(now).alias("entered_at"),
        *(
            pl.when(_known(f"{name}_known", now)).then(pl.col(name)).alias(name)
            for name in ("node_id", "carrier", "service")
        ),
    )
    waiting = _queued(open_units)
    rows = open_units.filter(
        (pl.col("window_end_at") > now)
        & ~(_known("first_measured_known", now) & (pl.col("first_measured_at") < pl.col("window_start_at"))).fill_null(
            value=False
        )
    )
    on = holds.filter(pl.col("known_at") <= now).group_by("order_id").agg(pl.col("change").sum().alias("_on"))
    level = stock.filter(pl.col("known_at") <= now).group_by("sku").agg(pl.col("level").last())
    return (
        rows.join(waiting, on=["order_id", "line_id"], how="left")
        .join(on, on="order_id", how="left")
        .join(level, on="sku", how="left")
        .with_columns((pl.col("_on").fill_null(0) > 0).alias("held"))
        .drop("_on")
    )


def _known(name: str, now: pl.Expr) -> pl.Expr:
    return (pl.col(name) <= now).fill_null(value=False)


def _stage(now: pl.Expr) -> pl.Expr:
    found = pl.lit(0, pl.Int8)
    for number, milestone in enumerate(STAGES):
        found = pl.when(_known(f"{milestone}_known", now)).then(pl.lit(number, pl.Int8)).otherwise(found)
    return found


def _entered(now: pl.Expr) -> pl.Expr:
    # Nothing is due to happen before the ship window opens: until then a line has not begun to wait.
    found = pl.max_horizontal("captured_at", "ship_window_start_at")
    for number, milestone in enumerate(STAGES[1:], start=1):
        begun = pl.col(f"{milestone}_at")
        if number < STAGES.index("released"):
            begun = pl.max_horizontal(begun, "ship_window_start_at")
        found = pl.when(_known(f"{milestone}_known", now)).then(begun).otherwise(found)
    return found


def _queued(open_units: pl.DataFrame) -> pl.DataFrame:
    """Return per line the units of its SKU that wait ahead of it, and those a node already works on."""
    lines = open_units.unique(["order_id", "line_id"], keep="first", maintain_order=True).select(
        "order_id", "line_id", "sku", "captured_at", pl.col("base_quantity").fill_null(1.0).alias("_units"),
        (pl.col("stage") < STAGES.index("released")).alias("_waits"),
        (pl.col("stage") < STAGES.index("accepted")).alias("_here"),
    )  # fmt: skip
    return (
        lines.sort("sku", "captured_at", "order_id", "line_id")
        .with_columns(
            pl.when("_waits").then("_units").otherwise(0.0).cum_sum().over("sku").alias("queue"),
            pl.when(pl.col("_here") & ~pl.col("_waits")).then("_units").otherwise(0.0).sum().over("sku").alias("busy"),
        )
        .select(
            "order_id",
            "line_id",
            pl.when(pl.col("sku").is_not_null()).then("queue").alias("queue"),
            pl.when(pl.col("sku").is_not_null()).then("busy").alias("busy"),
        )
    )


def _holds(milestones: pl.DataFrame) -> pl.DataFrame:
    placed = milestones.filter(pl.col("milestone").is_in(["hold_placed", "hold_released"]))
    return placed.select(
        "order_id", "known_at", pl.when(pl.col("milestone") == "hold_placed").then(1).otherwise(-1).alias("change")
    )
