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

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.arcs import with_caps
from optimizer.allocation.candidates import asked_columns, lane_days, ways
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
_CHUNK: Final = 5_000
_CANDIDATE: Final = ("line", "sku", "channel", "node_id", "day", "ship_date", "is_complete", "cap", "cap_units")
_RANK: Final = {reason: rank for rank, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """What a plan leaves of stock and capacity: the evidence of every reason.

    Attributes:
        steps: Rows of `stock.steps` by day: units physical, beside_safety (safety stock kept), free (reserves kept).
        channels: row, channel, channel_free: what is free for a channel that has a reserve itself.
        nodes: node_id, day, node_left; null where nobody says what the node can pick.
        caps: cap, ship_date, cap_used.
        taken: cell, taken: units that the plan draws.
    """

    steps: pl.DataFrame
    channels: pl.DataFrame
    nodes: pl.DataFrame
    caps: pl.DataFrame
    taken: pl.DataFrame


def rest_of(problem: Problem, plan: Plan, used: pl.DataFrame) -> Rest:
    """Return what a plan leaves; `used` is `report.shipped`."""
    usage = _usage(problem, plan)
    return Rest(
        _rest(problem, usage).sort("day"),
        _channel_rest(problem, usage),
        _node_rest(problem, used),
        _cap_rest(used),
        used.group_by("cell").agg(pl.col("units").sum().alias("taken")),
    )


def explain_shorts(problem: Problem, lines: pl.DataFrame, used: pl.DataFrame, rest: Rest) -> pl.DataFrame:
    """Return the SHORTS frame for the lines of `report.progress` that have short units."""
    short = lines.filter(pl.col("units_short") > 0)
    reasons = _reasons(problem, short, used, rest)
    named = short.join(reasons, on="line", how="left", maintain_order="left").with_columns(
        pl.col("units_short").alias("short_quantity")
    )
    return named.with_columns(pl.col("competing_lines").fill_null([])).select(SHORTS.names()).cast(SHORTS)


def explain_lates(problem: Problem, lines: pl.DataFrame, used: pl.DataFrame, rest: Rest) -> pl.DataFrame:
    """Return the LATES frame for the lines of `report.progress` that have late units."""
    late = lines.filter(pl.col("units_late") > 0)
    reasons = _reasons(problem, late, used, rest, keep=pl.col("days_late") == 0)
    named = late.join(reasons, on="line", how="left", maintain_order="left").with_columns(
        pl.col("units_late").alias("late_quantity")
    )
    return named.with_columns(pl.col("competing_lines").fill_null([])).select(LATES.names()).cast(LATES)


def explain_splits(problem: Problem, lines: pl.DataFrame, used: pl.DataFrame, rest: Rest) -> pl.DataFrame:
    """Return the SPLITS frame for the lines of `report.progress` whose order ships from more than one node."""
    away = _away(used)
    split = lines.join(away, on="line", how="inner", maintain_order="left")
    if split.is_empty():
        return pl.DataFrame(schema=SPLITS)
    keep = (pl.col("node_id") == pl.col("main_node")) & (pl.col("arrival_date") <= pl.col("arrives"))
    reasons = _reasons(problem, split, used, rest, keep=keep).with_columns(
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
    problem: Problem, lines: pl.DataFrame, used: pl.DataFrame, rest: Rest, *, keep: pl.Expr | None = None
) -> pl.DataFrame:
    """Return one row per line: line, reason, competing_lines; `keep` says which ways of shipping would have done."""
    blocks = _blocked(problem, lines, used, rest, keep=keep)
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


def _blocked(
    problem: Problem, lines: pl.DataFrame, used: pl.DataFrame, rest: Rest, *, keep: pl.Expr | None
) -> pl.DataFrame:
    """Return the cells that could serve the lines with the least that blocks them: line, cell, block (rank in REASONS).

    The cell is null where the node has no supply in time.
    """
    data = problem.data
    calendar = with_caps(lane_days(data), data.carrier_caps)
    extra = [name for name in ("main_node", "arrives") if keep is not None and name in lines.columns]
    own = used.group_by("line", "cell").agg(pl.col("units").sum().alias("own"))
    parts = []
    for start in range(0, max(lines.height, 1), _CHUNK):
        part = lines.slice(start, _CHUNK).select(*asked_columns(data), "is_complete", *extra)
        found = ways(data, part, calendar)
        found = (found if keep is None else found.filter(keep)).select(_CANDIDATE).sort("day")
        joined = (
            found.join_asof(rest.steps, on="day", by=["sku", "node_id"], strategy="backward", check_sortedness=False)
            .join(rest.channels, on=["row", "channel"], how="left", maintain_order="left")
            .join(rest.nodes, on=["node_id", "day"], how="left", maintain_order="left")
            .join(rest.caps, on=["cap", "ship_date"], how="left", maintain_order="left")
            .join(rest.taken, on="cell", how="left", maintain_order="left")
            .join(own, on=["line", "cell"], how="left", maintain_order="left")
            .with_columns(
                pl.coalesce(pl.col("channel_free"), pl.col("free")).alias("free"),
                (pl.col("cap_units") - pl.col("cap_used").fill_null(0)).alias("cap_left"),
            )
        )
        parts.append(joined.group_by("line", "cell").agg(_block().min().alias("block")))
    return pl.concat(parts).sort("line", "block", "cell")


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


def _usage(problem: Problem, plan: Plan) -> _Usage:
    """Return what the plan leaves of each step and holder."""
    stock, arcs = problem.stock, problem.arcs
    used = np.flatnonzero(plan.units)
    rows, holders, units = arcs.column("row")[used], arcs.column("holder_id")[used], plan.units[used]
    drawn = np.zeros(stock.steps.height, dtype=np.int64)
    np.add.at(drawn, rows, units)
    # A holder's steps are those of its cell, one holder after the other.
    cells = stock.holders["cell"].to_numpy()
    sizes = np.diff(stock.starts)
    starts = np.concatenate([[0], np.cumsum(sizes[cells])]).astype(np.int64)
    own, kept = np.zeros(int(starts[-1]), np.int64), np.concatenate([np.zeros(0, np.int64), *stock.reserved])
    mine = holders >= 0
    place = starts[holders[mine]] + rows[mine] - stock.starts[cells[holders[mine]]]
    np.add.at(own, place, units[mine])
    left = np.maximum(kept - np.repeat(plan.released, sizes[cells]), 0)
    return _Usage(
        stock.supply - _summed(drawn, stock.starts),
        np.maximum(left - _summed(own, starts), 0),
        starts,
        np.arange(starts[-1]) - np.repeat(starts[:-1] - stock.starts[cells], sizes[cells]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Usage:
    """Units there per row of `stock.steps`; units still kept per holder and step, whose first rows are `starts`."""

    physical: Ints
    kept: Ints
    starts: Ints
    row: Ints


def _summed(values: Ints, starts: Ints) -> Ints:
    """Return running sums that begin anew at each start."""
    total = np.concatenate([[0], np.cumsum(values)]).astype(np.int64)
    return total[1:] - np.repeat(total[starts[:-1]], np.diff(starts))


def _least_ahead(values: Ints, starts: Ints) -> Ints:
    """Return the least value from each place to its stretch's end: what can be drawn without harming later draws."""
    least = values.copy()
    # Stretches have few places: one round per place behind the first.
    left = np.repeat(starts[1:], np.diff(starts)) - 1 - np.arange(values.size)
    for ahead in range(1, int(left.max(initial=0)) + 1):
        before = np.flatnonzero(left >= ahead)
        least[before] = np.minimum(least[before], values[before + ahead])
    return least


def _rest(problem: Problem, usage: _Usage) -> pl.DataFrame:
    """Return the steps with units left."""
    stock = problem.stock
    beside, free = usage.physical.copy(), usage.physical.copy()
    np.subtract.at(free, usage.row, usage.kept)
    is_safety = np.repeat((stock.holders["holder"] == SAFETY).to_numpy(), np.diff(usage.starts))
    np.subtract.at(beside, usage.row[is_safety], usage.kept[is_safety])
    return stock.steps.select("sku", "node_id", "cell", "day").with_columns(
        pl.Series("row", np.arange(stock.steps.height), dtype=pl.Int64),
        pl.Series("physical", _least_ahead(usage.physical, stock.starts)),
        pl.Series("beside_safety", _least_ahead(beside, stock.starts)),
        pl.Series("free", _least_ahead(free, stock.starts)),
    )


def _channel_rest(problem: Problem, usage: _Usage) -> pl.DataFrame:
    """Return what is free for a channel that has a reserve itself: row, channel, channel_free."""
    slack = usage.physical.copy()
    np.subtract.at(slack, usage.row, usage.kept)
    least = _least_ahead(slack[usage.row] + usage.kept, usage.starts)
    owner = np.repeat(np.arange(usage.starts.size - 1), np.diff(usage.starts))
    return pl.DataFrame(
        {"row": usage.row, "channel": problem.stock.holders["holder"].gather(owner), "channel_free": least},
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
