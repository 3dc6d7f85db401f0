"""From a plan on arcs to the frames of result.py."""

from __future__ import annotations

import numpy as np
import polars as pl

from optimizer.allocation.commitments import KINDS
from optimizer.allocation.money import late_cents
from optimizer.allocation.options import BASIS
from optimizer.allocation.plan import Plan, Problem, shipments
from optimizer.allocation.result import ALLOCATIONS, COMMITMENTS, RELEASES, SUMMARY, TERMS, THRESHOLDS


def shipped(problem: Problem, plan: Plan) -> pl.DataFrame:
    """Return the arcs in use with their units and their money, one row per arc."""
    used = problem.arcs.frame.with_columns(pl.Series("units", plan.units, dtype=pl.Int64)).filter(pl.col("units") > 0)
    lines = problem.data.lines.select("line", "lane_zone", "is_consumer", "margin_cents", "fine_cents", "short_cents")
    weights = problem.data.options.weights
    joined = used.join(lines, on="line", how="inner", maintain_order="left")
    return joined.with_columns(
        late_cents(weights).alias("late_cents"), (pl.col("day") * weights.waiting_cents).alias("waiting_cents")
    )


def allocations(used: pl.DataFrame) -> pl.DataFrame:
    """Return the ALLOCATIONS frame."""
    return (
        used.with_columns(
            pl.col("units").alias("quantity"), (pl.col("units") * pl.col("freight_cents")).alias("cost_cents")
        )
        .select(ALLOCATIONS.names())
        .cast(ALLOCATIONS)
        .sort("order_id", "line_id", "node_id", "ship_date", "carrier", "service")
    )


def releases(problem: Problem, plan: Plan, used: pl.DataFrame) -> pl.DataFrame:
    """Return the RELEASES frame; a cell's least gaining units of others count once, for its holders in turn."""
    price = problem.data.options.weights.release_cents
    holders = problem.stock.holders.with_columns(pl.Series("released", plan.released, dtype=pl.Int64))
    given = holders.filter(pl.col("released") > 0).with_columns(
        (pl.col("released").cum_sum().over("cell") - pl.col("released")).alias("first"),
    )
    draws = used.select("cell", "line", pl.col("holder_id").alias("own_holder"), "units", "gain_cents")
    draws = draws.sort("cell", "gain_cents", "line")
    met = (
        given.join(draws, on="cell", how="left", maintain_order="left_right")
        .filter((pl.col("own_holder") != pl.col("holder_id")).fill_null(value=True))
        .with_columns((pl.col("units").cum_sum().over("holder_id") - pl.col("units")).alias("before"))
        .with_columns(_overlap().alias("counted"))
    )
    served = met.group_by("holder_id").agg(
        pl.col("line").filter(pl.col("counted") > 0).n_unique().cast(pl.Int64).alias("lines_served"),
        ((pl.col("gain_cents") - price) * pl.col("counted")).sum().alias("gain_cents"),
    )
    joined = given.join(served, on="holder_id", how="left").with_columns(
        pl.col("lines_served", "gain_cents").fill_null(0)
    )
    return joined.select(RELEASES.names()).cast(RELEASES).sort("sku", "node_id", "holder")


def _overlap() -> pl.Expr:
    """Return how many of a draw's units fall on the holder's stretch of the cell's least gaining units."""
    start = pl.max_horizontal("before", "first")
    end = pl.min_horizontal(pl.col("before") + pl.col("units"), pl.col("first") + pl.col("released"))
    return (end - start).clip(lower_bound=0).fill_null(0)


def terms(problem: Problem, plan: Plan, used: pl.DataFrame) -> dict[str, int]:
    """Return the objective by term, in cents, 0 for terms that play no part."""
    weights = problem.data.options.weights
    short = progress(problem, used).with_columns(
        pl.min_horizontal("fine_cents", "short_cents").alias("short_fine"),
        pl.when(pl.col("is_consumer") & (pl.col("short_cents") > 0))
        .then(weights.contact_cents)
        .otherwise(0)
        .alias("ask"),
    )
    late = used.with_columns(
        pl.when(pl.col("days_late") > 0).then("fine_cents").otherwise(0).alias("late_fine"),
        pl.when((pl.col("days_late") > 0) & pl.col("is_consumer"))
        .then(weights.contact_cents)
        .otherwise(0)
        .alias("ask"),
    )
    extra, docked = shipments(problem, plan)
    units = short["units_short"]
    missed = dict.fromkeys(KINDS, 0) | dict(
        commitments(problem, plan).group_by("kind").agg(pl.col("cost_cents").sum()).iter_rows()
    )
    premium = _premium(problem, late)
    found = {
        "margin": _total(used, "margin_cents"),
        "freight": -_total(used, "freight_cents") + premium,
        "expedite": -premium,
        "chargeback": -_total(late, "late_fine")
        - int((units * short["short_fine"]).sum())
        - int(problem.cliffs.cost(plan.units).sum()),
        "cancellation": -_total(late, "late_cents") + _total(late, "late_fine") + _total(late, "ask"),
        "lateness": -_total(late, "ask") - int((units * short["ask"]).sum()),
        "churn": -int((units * (short["short_cents"] - short["short_fine"] - short["ask"])).sum()),
        "waiting": -_total(used, "waiting_cents"),
        "split": -extra * weights.split_cents,
        "appointment": -docked * weights.appointment_cents,
        "release": -int(plan.released.sum()) * weights.release_cents,
        "commitment": -missed["lock"] - missed["win"] - missed["keep"],
        "fairness": -missed["floor"],
        "plan_change": -missed["plan_change"],
        "override": _total(used, "override_cents"),
    }
    return {term: found[term] for term in TERMS}


def _premium(problem: Problem, used: pl.DataFrame) -> int:
    """Return what is paid for freight above the cheapest lane from the same node to the same zone."""
    key = ["node_id", "lane_zone", "carrier", "service"]
    rates = problem.data.lanes.select(
        *key, "cost_cents", pl.col("cost_cents").min().over("node_id", "lane_zone").alias("standard")
    )
    joined = used.join(rates, on=key, how="left", maintain_order="left")
    # A freight that was given for the line and node is no premium.
    paid = joined.filter(pl.col("freight_cents") == pl.col("cost_cents"))
    return int((paid["units"] * (paid["cost_cents"] - paid["standard"])).sum())


def commitments(problem: Problem, plan: Plan) -> pl.DataFrame:
    """Return the COMMITMENTS frame: what is not kept."""
    missed = pl.Series("missed", problem.commitments.missed(plan.units), dtype=pl.Int64)
    return (
        problem.commitments.frame.with_columns(missed)
        .filter(pl.col("missed") > 0)
        .with_columns((pl.col("missed") * pl.col("price_cents")).alias("cost_cents"))
        .select(COMMITMENTS.names())
        .cast(COMMITMENTS)
    )


def thresholds(problem: Problem, plan: Plan) -> pl.DataFrame:
    """Return the THRESHOLDS frame."""
    cliffs = problem.cliffs
    counted, complying = (np.zeros(cliffs.frame.height, dtype=np.int64) for _ in range(2))
    np.add.at(counted, cliffs.cliff, plan.units[cliffs.arc])
    np.add.at(complying, cliffs.cliff, plan.units[cliffs.arc] * (cliffs.score > 0))
    measured = pl.col("measured") + pl.Series("counted", counted, dtype=pl.Int64)
    # What is measured of an on-time rate depends on what ships.
    needed = (measured * pl.col("threshold") + BASIS - 1) // BASIS - pl.col("compliant")
    is_met = pl.Series(cliffs.scores(plan.units)) >= cliffs.frame["need"]
    return (
        cliffs.frame.with_columns(
            pl.coalesce(needed, "need").alias("need"),
            pl.Series("complying", complying, dtype=pl.Int64),
            pl.Series("fine_cents", cliffs.cost(plan.units), dtype=pl.Int64),
            is_met.alias("is_met"),
        )
        .select(THRESHOLDS.names())
        .cast(THRESHOLDS)
    )


def _total(used: pl.DataFrame, column: str) -> int:
    return int((used["units"] * used[column]).sum())


def progress(problem: Problem, used: pl.DataFrame) -> pl.DataFrame:
    """Return every open line with units allocated, on time, late and short, and the cents its shipped units bring."""
    on_time = pl.col("units").filter(pl.col("days_late") == 0).sum()
    brought = (
        pl.col("units")
        * (pl.col("margin_cents") - pl.col("freight_cents") - pl.col("late_cents") - pl.col("waiting_cents"))
    ).sum()
    done = used.group_by("line").agg(
        pl.col("units").sum().alias("units_allocated"),
        on_time.alias("units_on_time"),
        brought.alias("brought_cents"),
        pl.col("days_late").max().alias("days_late"),
    )
    lines = problem.data.lines.join(done, on="line", how="left", maintain_order="left").with_columns(
        pl.col("units_allocated", "units_on_time", "brought_cents", "days_late").fill_null(0)
    )
    return lines.with_columns(
        (pl.col("quantity") - pl.col("units_allocated")).alias("units_short"),
        (pl.col("units_allocated") - pl.col("units_on_time")).alias("units_late"),
    )


def summary(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the SUMMARY frame from `progress`."""
    value = pl.col("brought_cents") - pl.col("units_short") * pl.col("short_cents")
    return (
        lines.group_by("channel")
        .agg(
            pl.len().cast(pl.Int64).alias("lines"),
            (pl.col("units_on_time") == pl.col("quantity")).sum().cast(pl.Int64).alias("lines_full_on_time"),
            pl.col("quantity").sum().alias("units_open"),
            pl.col("units_allocated").sum(),
            pl.col("units_on_time").sum(),
            pl.col("units_short").sum(),
            value.sum().alias("objective_cents"),
        )
        .select(SUMMARY.names())
        .cast(SUMMARY)
        .sort("channel")
    )
