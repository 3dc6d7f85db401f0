"""Why a line is short, late or split: one reason per line, by a fixed order of evidence, and who took the stock.

The evidence is the plan's own rest of stock and capacity; nothing is solved again. Order of evidence (the first that
holds):

1. HOLD_<TYPE>        the line is on hold; held lines are never allocated
2. PAST_CANCEL        its cancel date is before every ship day
3. WINDOW_NOT_OPEN    it must not ship within the horizon yet
4. NO_LANE            no node has a lane to it on any ship day
5. CUTOFF             (late lines) even the first ship day's fastest lane arrives too late
6. SHIP_COMPLETE      stock and capacity are free for it, but its order ships whole or not at all
7. UNECONOMIC         stock and capacity are free for it, but shipping costs more than being short (or late)
8. LABOUR_CAP         stock is free for it, every such node day is full
9. CARRIER_CAP        stock is free for it, every such carrier day is full
10. CHANNEL_RESERVED  units are there, kept for another channel
11. SAFETY_BUFFER     units are there, kept as safety stock
12. LOWER_PRIORITY    other lines of the SKU got the units; `competing_lines` names them
13. NO_STOCK          there are no units in time

A line is split when units of it ship from another node than most of its order's. The evidence is that node's, by the
time the line really arrives; where nothing is in the way there, a second parcel is worth it: WORTH_A_PARCEL.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.arcs import with_caps
from optimizer.allocation.candidates import candidates, lane_days
from optimizer.allocation.plan import Plan, Problem
from optimizer.allocation.result import LATES, SHORTS, SPLITS
from optimizer.allocation.stock import SAFETY, Ints

REASONS: Final = (
    "PAST_CANCEL",
    "WINDOW_NOT_OPEN",
    "NO_LANE",
    "CUTOFF",
    "SHIP_COMPLETE",
    "UNECONOMIC",
    "LABOUR_CAP",
    "CARRIER_CAP",
    "CHANNEL_RESERVED",
    "SAFETY_BUFFER",
    "LOWER_PRIORITY",
    "NO_STOCK",
)
"""Reason codes in the order of evidence, after HOLD_<TYPE>."""

WORTH_A_PARCEL: Final = "WORTH_A_PARCEL"

_MEANINGS: Final = {
    "PAST_CANCEL": "its cancel date comes before any ship day",
    "WINDOW_NOT_OPEN": "it must not ship yet",
    "NO_LANE": "no node ships to its zone",
    "CUTOFF": "even the next cut-off and the fastest lane come too late",
    "SHIP_COMPLETE": "it could ship, but its order ships whole or not at all",
    "UNECONOMIC": "stock and capacity are free, but using them costs more than it brings",
    "LABOUR_CAP": "there is stock, but every node day is full",
    "CARRIER_CAP": "there is stock, but every carrier day is full",
    "CHANNEL_RESERVED": "the units there are kept for another channel",
    "SAFETY_BUFFER": "the units there are kept as safety stock",
    "LOWER_PRIORITY": "other lines got the units and bring more",
    "NO_STOCK": "there are no units in time",
    WORTH_A_PARCEL: "it could ship with its order, but a second parcel is worth more",
}


def meaning(reason: str) -> str:
    """Return a reason code in words.

    >>> meaning("NO_STOCK"), meaning("HOLD_CREDIT")
    ('there are no units in time', 'it is on hold: credit')
    """
    if reason.startswith("HOLD_"):
        return f"it is on hold: {reason.removeprefix('HOLD_').replace('_', ' ').lower()}"
    return _MEANINGS[reason]


_COMPETITORS: Final = 5
_RANK: Final = {reason: rank for rank, reason in enumerate(REASONS)}


def explain_shorts(problem: Problem, plan: Plan, lines: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Return the SHORTS frame for the lines of `report.progress` that have short units."""
    short = lines.filter(pl.col("units_short") > 0)
    reasons = _reasons(problem, plan, short, used)
    named = short.join(reasons, on="line", how="left", maintain_order="left").with_columns(
        pl.col("units_short").alias("short_quantity")
    )
    return named.with_columns(pl.col("competing_lines").fill_null([])).select(SHORTS.names()).cast(SHORTS)


def explain_lates(problem: Problem, plan: Plan, lines: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Return the LATES frame for the lines of `report.progress` that have late units."""
    late = lines.filter(pl.col("units_late") > 0)
    reasons = _reasons(problem, plan, late, used, keep=pl.col("days_late") == 0)
    named = late.join(reasons, on="line", how="left", maintain_order="left").with_columns(
        pl.col("units_late").alias("late_quantity")
    )
    return named.with_columns(pl.col("competing_lines").fill_null([])).select(LATES.names()).cast(LATES)


def explain_splits(problem: Problem, plan: Plan, lines: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Return the SPLITS frame for the lines of `report.progress` whose order ships from more than one node."""
    away = _away(used)
    split = lines.join(away, on="line", how="inner", maintain_order="left")
    if split.is_empty():
        return pl.DataFrame(schema=SPLITS)
    keep = (pl.col("node_id") == pl.col("main_node")) & (pl.col("arrival_date") <= pl.col("arrives"))
    reasons = _reasons(problem, plan, split, used, keep=keep).with_columns(
        pl.when(pl.col("reason").is_in(["SHIP_COMPLETE", "UNECONOMIC"]))
        .then(pl.lit(WORTH_A_PARCEL))
        .otherwise("reason")
        .alias("reason")
    )
    named = split.join(reasons, on="line", how="left", maintain_order="left")
    return named.with_columns(pl.col("competing_lines").fill_null([])).select(SPLITS.names()).cast(SPLITS)


def _away(used: pl.DataFrame) -> pl.DataFrame:
    """Return lines with units that ship from another node than most of their order's: line, main_node, arrives."""
    nodes = used.group_by("order_id", "node_id").agg(pl.col("units").sum())
    main = (
        nodes.filter(pl.len().over("order_id") > 1)
        .sort("order_id", "units", "node_id", descending=[False, True, False])
        .unique("order_id", keep="first", maintain_order=True)
        .select("order_id", pl.col("node_id").alias("main_node"))
    )
    return (
        used.join(main, on="order_id", how="inner")
        .filter(pl.col("node_id") != pl.col("main_node"))
        .group_by("line", "main_node")
        .agg(pl.col("units").sum().alias("split_quantity"), pl.col("arrival_date").max().alias("arrives"))
    )


def _reasons(
    problem: Problem, plan: Plan, lines: pl.DataFrame, used: pl.DataFrame, *, keep: pl.Expr | None = None
) -> pl.DataFrame:
    """Return one row per line: line, reason, competing_lines; `keep` says which ways of shipping would have done."""
    blocks = _blocked_candidates(problem, plan, lines, used, keep=keep)
    best = blocks.group_by("line").agg(pl.col("block").min())
    named = {rank: reason for reason, rank in _RANK.items()}
    hold = "HOLD_" + pl.col("hold_type").fill_null("other").str.to_uppercase()
    reasons = (
        lines.select("line", "sku", "order_id", "is_on_hold", "hold_type")
        .join(best, on="line", how="left", maintain_order="left")
        .join(_undated(problem, lines, is_limited=keep is not None), on="line", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("is_on_hold"))
            .then(hold)
            .otherwise(pl.coalesce(pl.col("block"), pl.col("dated")).replace_strict(named, return_dtype=pl.String))
            .alias("reason")
        )
    )
    return reasons.join(_competing(reasons, blocks, used), on="line", how="left").select(
        "line", "reason", "competing_lines"
    )


def _undated(problem: Problem, lines: pl.DataFrame, *, is_limited: bool) -> pl.DataFrame:
    """Return the reason of lines without any candidate, from the dates alone: line, dated."""
    days = lane_days(problem.data)
    if days.is_empty():
        return lines.select("line", pl.lit(_RANK["NO_LANE"]).alias("dated"))
    first, last = days["ship_at"].min(), days["ship_at"].max()
    zones = days["lane_zone"].unique().implode()
    code = (
        pl.when((pl.col("cancel_after_at") < first).fill_null(value=False))
        .then(pl.lit(_RANK["PAST_CANCEL"]))
        .when((pl.col("not_before_at") > last).fill_null(value=False))
        .then(pl.lit(_RANK["WINDOW_NOT_OPEN"]))
        .when(~pl.col("lane_zone").is_in(zones))
        .then(pl.lit(_RANK["NO_LANE"]))
        .otherwise(pl.lit(_RANK["CUTOFF"] if is_limited else _RANK["PAST_CANCEL"]))
    )
    return lines.select("line", code.alias("dated"))


def _blocked_candidates(
    problem: Problem, plan: Plan, lines: pl.DataFrame, used: pl.DataFrame, *, keep: pl.Expr | None
) -> pl.DataFrame:
    """Return every candidate of the lines with what blocks it: line, cell, block (rank in REASONS)."""
    data = problem.data
    columns = data.lines.columns
    found = candidates(data, lines.select(columns), lane_days(data))
    if keep is not None:
        extra = [name for name in ("main_node", "arrives") if name in lines.columns]
        told = found.join(lines.select("line", *extra), on="line", how="inner", maintain_order="left")
        found = told.filter(keep).drop(extra)
    usage = _usage(problem, plan)
    steps, channel_rest = _rest(problem, usage), _channel_rest(problem, usage)
    capped = with_caps(found, data.options.carrier_caps).sort("day")
    joined = (
        capped.join_asof(
            steps.sort("day"), on="day", by=["sku", "node_id"], strategy="backward", check_sortedness=False
        )
        .join(channel_rest, on=["row", "channel"], how="left", maintain_order="left")
        .join(_node_rest(problem, used), on=["node_id", "day"], how="left", maintain_order="left")
        .join(_cap_rest(used), on=["cap", "ship_date"], how="left", maintain_order="left")
        .join(_taken(used), on="cell", how="left", maintain_order="left")
        .join(
            used.group_by("line", "cell").agg(pl.col("units").sum().alias("own")),
            on=["line", "cell"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.coalesce(pl.col("channel_free"), pl.col("free")).alias("free"),
            (pl.col("cap_units") - pl.col("cap_used").fill_null(0)).alias("cap_left"),
        )
    )
    return joined.with_columns(_block().alias("block")).select("line", "cell", "block").sort("line", "block", "cell")


def _block() -> pl.Expr:
    """Return what blocks a candidate, by the order of evidence."""
    is_free = (pl.col("free") > 0).fill_null(value=False)
    others = pl.col("taken").fill_null(0) - pl.col("own").fill_null(0)
    rank = {reason: pl.lit(place) for reason, place in _RANK.items()}
    return (
        pl.when(is_free & (pl.col("node_left") <= 0).fill_null(value=False))
        .then(rank["LABOUR_CAP"])
        .when(is_free & (pl.col("cap_left") <= 0).fill_null(value=False))
        .then(rank["CARRIER_CAP"])
        .when(is_free & pl.col("is_complete"))
        .then(rank["SHIP_COMPLETE"])
        .when(is_free)
        .then(rank["UNECONOMIC"])
        .when((pl.col("beside_safety") > 0).fill_null(value=False))
        .then(rank["CHANNEL_RESERVED"])
        .when((pl.col("physical") > 0).fill_null(value=False))
        .then(rank["SAFETY_BUFFER"])
        .when(pl.col("row").is_not_null() & (others > 0))
        .then(rank["LOWER_PRIORITY"])
        .otherwise(rank["NO_STOCK"])
    )


def _usage(problem: Problem, plan: Plan) -> tuple[Ints, list[Ints]]:
    """Return cumulative units drawn per row of `stock.steps`, and what each holder still keeps per step."""
    stock, arcs = problem.stock, problem.arcs
    drawn = np.zeros(stock.steps.height, dtype=np.int64)
    holders, rows = arcs.column("holder_id"), arcs.column("row")
    np.add.at(drawn, rows, plan.units)
    used = np.flatnonzero((plan.units > 0) & (holders >= 0))
    used = used[np.argsort(holders[used], kind="stable")]
    ends = np.searchsorted(holders[used], np.arange(stock.holders.height + 1))
    kept = []
    for holder_id, cell in stock.holders.select("holder_id", "cell").iter_rows():
        place = stock.rows(cell)
        own, mine = np.zeros(place.stop - place.start, dtype=np.int64), used[ends[holder_id] : ends[holder_id + 1]]
        np.add.at(own, rows[mine] - place.start, plan.units[mine])
        left = np.maximum(stock.reserved[holder_id] - plan.released[holder_id], 0)
        kept.append(np.maximum(left - np.cumsum(own), 0))
    for cell in range(stock.starts.size - 1):
        place = stock.rows(cell)
        drawn[place] = np.cumsum(drawn[place])
    return drawn, kept


def _least_ahead(problem: Problem, values: Ints) -> Ints:
    """Return the least value from each step on within its cell: what can be drawn then without harming later draws."""
    least = values.copy()
    for cell in range(problem.stock.starts.size - 1):
        place = problem.stock.rows(cell)
        least[place] = np.minimum.accumulate(values[place][::-1])[::-1]
    return least


def _rest(problem: Problem, usage: tuple[Ints, list[Ints]]) -> pl.DataFrame:
    """Return the steps with units left: physical, beside_safety (safety stock kept), free (all reserves kept)."""
    stock, (drawn, kept) = problem.stock, usage
    physical = stock.supply - drawn
    beside, free = physical.copy(), physical.copy()
    for holder_id, cell, holder in stock.holders.select("holder_id", "cell", "holder").iter_rows():
        free[stock.rows(cell)] -= kept[holder_id]
        if holder == SAFETY:
            beside[stock.rows(cell)] -= kept[holder_id]
    return stock.steps.select("sku", "node_id", "cell", "day").with_columns(
        pl.Series("row", np.arange(stock.steps.height), dtype=pl.Int64),
        pl.Series("physical", _least_ahead(problem, physical)),
        pl.Series("beside_safety", _least_ahead(problem, beside)),
        pl.Series("free", _least_ahead(problem, free)),
    )


def _channel_rest(problem: Problem, usage: tuple[Ints, list[Ints]]) -> pl.DataFrame:
    """Return what is free for a channel that has a reserve itself: row, channel, channel_free."""
    stock, (drawn, kept) = problem.stock, usage
    slack = stock.supply - drawn
    for holder_id, cell in stock.holders.select("holder_id", "cell").iter_rows():
        slack[stock.rows(cell)] -= kept[holder_id]
    rows, channels, least = [np.zeros(0, np.int64)], [], [np.zeros(0, np.int64)]
    for holder_id, cell, holder in stock.holders.select("holder_id", "cell", "holder").iter_rows():
        place = stock.rows(cell)
        rows.append(np.arange(place.start, place.stop, dtype=np.int64))
        channels += [holder] * rows[-1].size
        least.append(np.minimum.accumulate((slack[place] + kept[holder_id])[::-1])[::-1])
    return pl.DataFrame(
        {"row": np.concatenate(rows), "channel": channels, "channel_free": np.concatenate(least)},
        schema={"row": pl.Int64, "channel": pl.String, "channel_free": pl.Int64},
    )


def _node_rest(problem: Problem, used: pl.DataFrame) -> pl.DataFrame:
    days = lane_days(problem.data).select("node_id", "day").unique()
    load = used.group_by("node_id", "day").agg(pl.col("units").sum().alias("load"))
    limits = problem.data.nodes.select("node_id", pl.col("daily_capacity_units").alias("limit"))
    return (
        days.join(limits, on="node_id", how="inner")
        .join(load, on=["node_id", "day"], how="left")
        .select("node_id", "day", (pl.col("limit") - pl.col("load").fill_null(0)).alias("node_left"))
    )


def _cap_rest(used: pl.DataFrame) -> pl.DataFrame:
    return used.filter(pl.col("cap") >= 0).group_by("cap", "ship_date").agg(pl.col("units").sum().alias("cap_used"))


def _taken(used: pl.DataFrame) -> pl.DataFrame:
    return used.group_by("cell").agg(pl.col("units").sum().alias("taken"))


def _competing(reasons: pl.DataFrame, blocks: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Return the other lines that drew on the cells a LOWER_PRIORITY line could have used, most units first."""
    beaten = reasons.filter(pl.col("reason") == "LOWER_PRIORITY").select("line")
    cells = blocks.join(beaten, on="line", how="semi").select("line", "cell").drop_nulls().unique()
    taken = used.select("cell", pl.col("line").alias("other"), "order_id", "line_id", "units")
    return (
        cells.join(taken, on="cell", how="inner")
        .filter(pl.col("other") != pl.col("line"))
        .group_by("line", "other", "order_id", "line_id")
        .agg(pl.col("units").sum())
        .sort(["line", "units", "order_id", "line_id"], descending=[False, True, False, False])
        .group_by("line", maintain_order=True)
        .agg((pl.col("order_id") + "/" + pl.col("line_id")).head(_COMPETITORS).alias("competing_lines"))
    )
