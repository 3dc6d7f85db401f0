"""A plan in the terms of the arcs: how many units on each arc, how many units each holder gives up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from optimizer.allocation.arcs import Arcs, build_arcs
from optimizer.allocation.cliffs import Cliffs, build_cliffs
from optimizer.allocation.commitments import Commitments, build_commitments
from optimizer.allocation.data import AllocationData
from optimizer.allocation.resources import Resources, build_resources
from optimizer.allocation.stock import Ints, Stock, build_stock


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The instance with everything derived from it that rules, kernels and solver need."""

    data: AllocationData
    stock: Stock
    arcs: Arcs
    resources: Resources = field(init=False)
    commitments: Commitments = field(init=False)
    cliffs: Cliffs = field(init=False)

    def __post_init__(self) -> None:
        """Derive shared capacities, commitments and thresholds from data, stock and arcs."""
        object.__setattr__(self, "resources", build_resources(self.data, self.arcs))
        object.__setattr__(self, "commitments", build_commitments(self.data, self.stock, self.arcs))
        object.__setattr__(self, "cliffs", build_cliffs(self.data, self.arcs))


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
    gain = int(np.dot(problem.arcs.column("gain_cents"), plan.units))
    extra, docked = shipments(problem, plan)
    missed = problem.commitments.missed(plan.units) * problem.commitments.frame["price_cents"].to_numpy()
    costs = (
        extra * weights.split_cents,
        docked * weights.appointment_cents,
        int(plan.released.sum()) * weights.release_cents,
        int(missed.sum()),
        int(problem.cliffs.cost(plan.units).sum()),
    )
    return base + gain - sum(costs)


def shipments(problem: Problem, plan: Plan) -> tuple[int, int]:
    """Return how many nodes orders use beside their first, and how many loads need a dock appointment."""
    columns = ["order", "node_id", "day", "needs_appointment"]
    used = problem.arcs.frame.select(columns).filter(pl.Series(plan.units > 0))
    nodes = used.group_by("order").agg(pl.col("node_id").n_unique().alias("nodes"))
    docked = used.filter(pl.col("needs_appointment")).select("order", "node_id", "day").n_unique()
    return int((nodes["nodes"].cast(pl.Int64) - 1).sum()), docked
