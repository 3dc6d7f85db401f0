"""Runs side by side on the same orders: service by lens and channel, money by term, moves, what changed per order.

Rates are never stored: every measure is a numerator and a denominator in units, lines or orders (see docs/kpis).
Only lines that are open in every run are compared; what a scenario adds or takes away is counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from optimizer.errors import InvalidScenarioError
from optimizer.scenarios.run import ScenarioRun, timed

MEASURES: Final = pl.Schema(
    {
        "scenario": pl.String(),
        "channel": pl.String(),
        "lens": pl.String(),
        "level": pl.String(),
        "numerator": pl.Int64(),
        "denominator": pl.Int64(),
    }
)
"""One row per scenario, channel ('(all)'), lens and level (unit, line, order).

Lenses: `fill` ships at all; `need` arrives by the customer's date, in full at line and order level (OTIF);
`ship_by` leaves by the ship-by date, in full. Lines without the lens's date are not in its denominator.
"""

MONEY: Final = pl.Schema({"scenario": pl.String(), "term": pl.String(), "cents": pl.Int64()})
"""One row per scenario and term of the objective, plus 'objective' and 'bound'. Lines a scenario adds are in it."""

MOVES: Final = pl.Schema(
    {
        "scenario": pl.String(),
        "units_planned": pl.Int64(),
        "units_moved": pl.Int64(),
        "lines_moved": pl.Int64(),
        "promises_later": pl.Int64(),
        "promises_earlier": pl.Int64(),
        "lines_added": pl.Int64(),
        "lines_gone": pl.Int64(),
    }
)
"""Nervousness against the first run: units that ship elsewhere or on another day, lines whose last arrival moved."""

ORDERS: Final = pl.Schema(
    {
        "scenario": pl.String(),
        "order_id": pl.String(),
        "channel": pl.String(),
        "units_open": pl.Int64(),
        "units_before": pl.Int64(),
        "units_after": pl.Int64(),
        "on_time_before": pl.Int64(),
        "on_time_after": pl.Int64(),
        "arrives_before": pl.Date(),
        "arrives_after": pl.Date(),
        "nodes_before": pl.String(),
        "nodes_after": pl.String(),
        "what": pl.String(),
        "reason": pl.String(),
    }
)
"""One row per scenario and order that another plan treats otherwise than the first run.

`reason` is that of the order's short units, or of its late ones where none is short."""

_SUBSTITUTE: Final = r"\+sub$"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """Runs side by side; the first one is what the others are compared with."""

    names: tuple[str, ...]
    measures: pl.DataFrame
    money: pl.DataFrame
    moves: pl.DataFrame
    orders: pl.DataFrame


def compare_runs(runs: Sequence[ScenarioRun]) -> Comparison:
    """Lay runs side by side.

    Args:
        runs: At least one; the first is the reference (the last plan, or today's rules).

    Raises:
        InvalidScenarioError: There is no run, or two have the same name.
    """
    names = [run.name for run in runs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not runs or repeated:
        fault = f"compared scenarios need different names; {', '.join(repeated)} comes twice" if runs else "no run"
        raise InvalidScenarioError([fault])
    outcomes = {run.name: line_outcomes(run) for run in runs}
    common = _common(list(outcomes.values()))
    kept = {name: frame.join(common, on=["order_id", "line_id"], how="semi") for name, frame in outcomes.items()}
    first = runs[0]
    return Comparison(
        names=tuple(names),
        measures=pl.concat([_measures(name, frame) for name, frame in kept.items()]),
        money=pl.concat([_money(run) for run in runs]),
        moves=pl.concat([_moves(first, run, outcomes) for run in runs[1:]]) if runs[1:] else pl.DataFrame(schema=MOVES),
        orders=pl.concat([_orders(kept[first.name], kept[run.name], run) for run in runs[1:]])
        if runs[1:]
        else pl.DataFrame(schema=ORDERS),
    )


def line_outcomes(run: ScenarioRun) -> pl.DataFrame:
    """Return every open line of a run with what ships of it, by lens; substitutes count for the line they stand in for.

    Returns:
        order_id, line_id, sku, channel, units_open, units, need_units, ship_units, has_need, has_ship_by, arrives (last
        arrival), nodes.
    """
    rows = pl.concat([timed(data, allocations) for data, allocations in run.parts])
    by_need = pl.col("arrive_at") <= pl.col("need_at")
    by_ship = pl.col("ship_at") <= pl.col("ship_by_at")
    shipped = (
        rows.with_columns(pl.col("line_id").str.replace(_SUBSTITUTE, ""))
        .group_by("order_id", "line_id")
        .agg(
            pl.col("quantity").sum().alias("units"),
            pl.col("quantity").filter(by_need).sum().alias("need_units"),
            pl.col("quantity").filter(by_ship).sum().alias("ship_units"),
            pl.col("arrival_date").max().alias("arrives"),
            pl.col("node_id").unique().sort().str.join(", ").alias("nodes"),
        )
    )
    data = run.first_data or run.data
    lines = (
        data.lines.with_columns(pl.col("line_id").str.replace(_SUBSTITUTE, ""))
        .group_by("order_id", "line_id", maintain_order=True)
        .agg(
            pl.col("sku").first(),
            pl.col("channel").first(),
            pl.col("quantity").sum().alias("units_open"),
            pl.col("need_at").is_not_null().all().alias("has_need"),
            pl.col("ship_by_at").is_not_null().all().alias("has_ship_by"),
        )
    )
    return lines.join(shipped, on=["order_id", "line_id"], how="left", maintain_order="left").with_columns(
        pl.col("units", "need_units", "ship_units").fill_null(0), pl.col("nodes").fill_null("")
    )


def _common(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    keys = frames[0].select("order_id", "line_id")
    for frame in frames[1:]:
        keys = keys.join(frame, on=["order_id", "line_id"], how="semi")
    return keys


def _measures(name: str, lines: pl.DataFrame) -> pl.DataFrame:
    lenses = (
        ("fill", "units", pl.lit(value=True)),
        ("need", "need_units", pl.col("has_need")),
        ("ship_by", "ship_units", pl.col("has_ship_by")),
    )
    both = pl.concat([lines, lines.with_columns(pl.lit("(all)").alias("channel"))])
    parts = []
    for lens, column, has_date in lenses:
        met = both.filter(has_date).with_columns((pl.col(column) >= pl.col("units_open")).alias("whole"))
        orders = met.group_by("channel", "order_id").agg(pl.col("whole").all())
        parts += [
            _counted(met, lens, "unit", pl.col(column).sum(), pl.col("units_open").sum()),
            _counted(met, lens, "line", pl.col("whole").sum(), pl.len()),
            _counted(orders, lens, "order", pl.col("whole").sum(), pl.len()),
        ]
    return pl.concat(parts).with_columns(pl.lit(name).alias("scenario")).select(MEASURES.names()).cast(MEASURES)


def _counted(frame: pl.DataFrame, lens: str, level: str, numerator: pl.Expr, denominator: pl.Expr) -> pl.DataFrame:
    return (
        frame.group_by("channel")
        .agg(numerator.cast(pl.Int64).alias("numerator"), denominator.cast(pl.Int64).alias("denominator"))
        .sort("channel")
        .with_columns(pl.lit(lens).alias("lens"), pl.lit(level).alias("level"))
    )


def _money(run: ScenarioRun) -> pl.DataFrame:
    terms = run.money_terms()
    bound = [] if run.first is not None else [("bound", run.result.bound_cents)]
    rows = [*terms.items(), ("objective", sum(terms.values())), *bound]
    return pl.DataFrame([(run.name, term, cents) for term, cents in rows], schema=MONEY, orient="row")


def units_moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return per line the units that ship from another node or on another day: order_id, line_id, moved.

    A line's units that were planned and are not where they were, or that are new; whichever is more.
    """
    key = ["order_id", "line_id", "node_id", "ship_date"]
    sides = [frame.group_by(key).agg(pl.col("quantity").sum()) for frame in (before, after)]
    joined = sides[0].join(sides[1], on=key, how="full", coalesce=True, suffix="_after")
    change = pl.col("quantity_after").fill_null(0) - pl.col("quantity").fill_null(0)
    return (
        joined.group_by("order_id", "line_id")
        .agg(change.clip(lower_bound=0).sum().alias("came"), (-change).clip(lower_bound=0).sum().alias("left"))
        .select("order_id", "line_id", pl.max_horizontal("came", "left").alias("moved"))
        .filter(pl.col("moved") > 0)
        .sort("order_id", "line_id")
    )


def _moves(first: ScenarioRun, run: ScenarioRun, outcomes: dict[str, pl.DataFrame]) -> pl.DataFrame:
    key = ["order_id", "line_id"]
    before, after = outcomes[first.name], outcomes[run.name]
    both = before.join(after, on=key, how="inner", suffix="_after")
    common = both.select(key)
    moved = units_moved(
        *(
            side.allocations.with_columns(pl.col("line_id").str.replace(_SUBSTITUTE, "")).join(
                common, on=key, how="semi"
            )
            for side in (first, run)
        )
    )
    row = {
        "scenario": run.name,
        "units_planned": int(before["units"].sum()),
        "units_moved": int(moved["moved"].sum()),
        "lines_moved": moved.height,
        "promises_later": both.filter(pl.col("arrives_after") > pl.col("arrives")).height,
        "promises_earlier": both.filter(pl.col("arrives_after") < pl.col("arrives")).height,
        "lines_added": after.join(before, on=key, how="anti").height,
        "lines_gone": before.join(after, on=key, how="anti").height,
    }
    return pl.DataFrame([row], schema=MOVES)


def _orders(before: pl.DataFrame, after: pl.DataFrame, run: ScenarioRun) -> pl.DataFrame:
    sides = [_by_order(frame) for frame in (before, after)]
    both = sides[0].join(sides[1], on="order_id", how="inner", suffix="_after")
    named = both.select(
        pl.lit(run.name).alias("scenario"),
        "order_id",
        "channel",
        "units_open",
        pl.col("units").alias("units_before"),
        pl.col("units_after"),
        pl.col("need_units").alias("on_time_before"),
        pl.col("need_units_after").alias("on_time_after"),
        pl.col("arrives").alias("arrives_before"),
        pl.col("arrives_after"),
        pl.col("nodes").alias("nodes_before"),
        pl.col("nodes_after"),
    ).with_columns(_what().alias("what"))
    shorts, lates = run.result.shorts, run.result.lates
    reasons = (
        pl.concat([
            shorts.select("order_id", "line_id", "reason", pl.col("short_quantity").alias("units"), kind=pl.lit(0)),
            lates.select("order_id", "line_id", "reason", pl.col("late_quantity").alias("units"), kind=pl.lit(1)),
        ])
        .sort("kind", "units", "line_id", descending=[False, True, False])
        .group_by("order_id", maintain_order=True)
        .agg(pl.col("reason").first())
    )  # fmt: skip
    return (
        named.filter(pl.col("what") != "")
        .join(reasons, on="order_id", how="left")
        .sort((pl.col("units_after") - pl.col("units_before")).abs(), "order_id", descending=[True, False])
        .select(ORDERS.names())
        .cast(ORDERS)
    )


def _by_order(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.group_by("order_id", maintain_order=True).agg(
        pl.col("channel").first(),
        pl.col("units_open", "units", "need_units").sum(),
        pl.col("arrives").max(),
        pl.col("nodes").filter(pl.col("nodes") != "").unique().sort().str.join(", "),
    )


def _what() -> pl.Expr:
    units = pl.col("units_after") - pl.col("units_before")
    on_time = pl.col("on_time_after") - pl.col("on_time_before")
    days = (pl.col("arrives_after") - pl.col("arrives_before")).dt.total_days()
    words = [
        pl.when(units > 0).then(pl.format("{} more units", units)),
        pl.when(units < 0).then(pl.format("{} fewer units", -units)),
        pl.when((units == 0) & (on_time > 0)).then(pl.format("{} more units on time", on_time)),
        pl.when((units == 0) & (on_time < 0)).then(pl.format("{} fewer units on time", -on_time)),
        pl.when(days > 0).then(pl.format("arrives {} days later", days)),
        pl.when(days < 0).then(pl.format("arrives {} days earlier", -days)),
        pl.when(
            (pl.col("nodes_before") != pl.col("nodes_after"))
            & (pl.col("nodes_before") != "")
            & (pl.col("nodes_after") != "")
        ).then(pl.format("from {} instead of {}", "nodes_after", "nodes_before")),
    ]
    return pl.concat_str(words, separator="; ", ignore_nulls=True)
