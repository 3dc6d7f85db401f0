"""A plan in the terms of the arcs: how many units on each arc, how many units each holder gives up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from optimizer.allocation.arcs import Arcs, build_arcs
from optimizer.allocation.data import AllocationData
from optimizer.allocation.stock import Ints, Stock, build_stock


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The instance with everything derived from it that both the rules and the solver need."""

    data: AllocationData
    stock: Stock
    arcs: Arcs


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Units per arc (in the order of `Arcs.frame`) and released units per holder (in the order of `Stock.holders`)."""

    units: Ints
    released: Ints


def prepare(data: AllocationData) -> Problem:
    """Derive supply steps and arcs.

    Raises:
        InvalidDataError: The data has faults; all are listed.
    """
    data.require_valid()
    stock = build_stock(data)
    return Problem(data, stock, build_arcs(data, stock))


def objective_cents(problem: Problem, plan: Plan) -> int:
    """Return the plan's objective from the arcs' gains (verify.py recomputes it from the frames alone)."""
    lines, weights = problem.data.lines, problem.data.options.weights
    base = -int((lines["short_cents"] * lines["quantity"]).sum())
    shipped = (
        problem.arcs.frame.select("order", "node_id")
        .with_columns(pl.Series("units", plan.units))
        .filter(pl.col("units") > 0)
    )
    nodes = shipped.group_by("order").agg(pl.col("node_id").n_unique().alias("nodes"))
    extra = int((nodes["nodes"].cast(pl.Int64) - 1).sum())
    gain = int(np.dot(problem.arcs.column("gain_cents"), plan.units))
    return base + gain - extra * weights.split_cents - int(plan.released.sum()) * weights.release_cents
