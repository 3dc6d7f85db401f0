"""Solves a problem under extra rows: "this line ships in full", "this channel gets 60 %", with or without a price.

The program of model.py stays as it is; rows over its shipping variables are appended, and a slack variable where a row
may be broken at a price. Belongs here: appended rows. Not here: which rows people ask for (infeasible.py, relax.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from scipy import sparse  # type: ignore[import-untyped]

from optimizer.allocation import planning
from optimizer.allocation.arcs import Arcs
from optimizer.allocation.backend import Answer, Status, solve_program
from optimizer.allocation.candidates import candidates, lane_days
from optimizer.allocation.model import Model, build_model
from optimizer.allocation.plan import Plan, Problem, objective_cents, prepare
from optimizer.allocation.result import AllocationResult
from optimizer.allocation.solve import Solved
from optimizer.allocation.stock import Ints
from optimizer.allocation.world import World

_RAISE: Final = 100_000
"""Money per unit added to a price so that no way of shipping the line counts as not worth it."""

_NONE: Final = np.empty(0, dtype=np.int64)
_ARC: Final = ["line", "node_id", "day", "carrier", "service"]


@dataclass(frozen=True, slots=True, eq=False)
class ExtraRow:
    """`sum of units on the arcs >= units`; broken at `price_cents` a unit, never where that is None."""

    name: str
    arcs: Ints
    units: int
    price_cents: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RowAnswer:
    """A plan under extra rows.

    Attributes:
        answer: What the solver said.
        plan: The plan; None where there is none.
        broken: Units by which each row is broken, by name; only those that are.
    """

    answer: Answer
    plan: Plan | None
    broken: dict[str, int]

    @property
    def is_possible(self) -> bool:
        """Whether a plan was found."""
        return self.plan is not None


def forced_problem(world: World, lines: pl.DataFrame, *, is_priced: bool = True) -> Problem:
    """Return the problem with every way of shipping the given lines, also those that cost more than being short.

    Args:
        world: The problem's frames.
        lines: order_id and line_id of the lines.
        is_priced: Whether gains have to be true; where only feasibility counts they need not.

    Raises:
        InvalidDataError: The data has faults; all are listed.
    """
    key = ["order_id", "line_id"]
    mark = pl.struct(key).is_in(lines.select(pl.struct(key)).to_series().implode())
    raised = world.put("open_lines", mark, unit_price=pl.col("unit_price").fill_null(0) + _RAISE, fine_rate=1.0)
    wide = prepare(raised.data())
    if not is_priced:
        return wide
    data = world.data()
    calendar = lane_days(data)
    chosen = data.lines.join(lines.select(key).unique(), on=key, how="semi")
    numbers = chosen["line"]
    true, lifted = (
        candidates(side, side.lines.filter(pl.col("line").is_in(numbers.implode())), calendar).select(*_ARC, gain)
        for side, gain in ((data, pl.col("gain_cents")), (wide.data, pl.col("gain_cents").alias("lifted")))
    )
    change = true.join(lifted, on=_ARC, how="inner").select(
        *_ARC, (pl.col("gain_cents") - pl.col("lifted")).alias("change")
    )
    frame = wide.arcs.frame.join(change, on=_ARC, how="left", maintain_order="left").with_columns(
        (pl.col("gain_cents") + pl.col("change").fill_null(0)).alias("gain_cents")
    )
    return Problem(data, wide.stock, Arcs(frame.select(wide.arcs.frame.columns)))


def arcs_of(problem: Problem, mask: pl.Expr) -> Ints:
    """Return the positions of the arcs that a condition on `Arcs.frame` picks."""
    return np.flatnonzero(problem.arcs.frame.select(mask.fill_null(value=False)).to_series().to_numpy()).astype(
        np.int64
    )


def solve_rows(
    problem: Problem, rows: Sequence[ExtraRow], *, only: Ints | None = None, feasibility: bool = False
) -> RowAnswer:
    """Solve a problem under extra rows.

    Args:
        problem: The problem, best from `forced_problem` for the rows' lines.
        rows: Rows to keep, or to break at their price.
        only: Arcs that may be used; None for all.
        feasibility: Look for any plan rather than for the best.
    """
    base = build_model(problem.data, problem.stock, problem.arcs)
    model, slacks = _extended(base, rows)
    if feasibility:
        model = replace(model, gain=np.where(np.arange(model.gain.size) < base.gain.size, 0.0, model.gain))
    columns = np.arange(model.gain.size, dtype=np.int64)
    if only is not None:
        allowed = np.ones(model.gain.size, dtype=bool)
        allowed[base.variables.ship.columns] = False
        allowed[base.variables.ship.columns[only]] = True
        columns = np.flatnonzero(allowed).astype(np.int64)
    options = problem.data.options
    answer = solve_program(
        model, columns, seed=options.seed, node_limit=options.node_limit, gap=0.0, kill_seconds=options.kill_seconds
    )
    if answer.values is None:
        return RowAnswer(answer, None, {})
    released = np.zeros(problem.stock.holders.height, dtype=np.int64)
    release = base.variables.release
    released[release.index["holder_id"].to_numpy()] = np.rint(answer.values[release.columns]).astype(np.int64)
    plan = Plan(np.rint(answer.values[base.variables.ship.columns]).astype(np.int64), released)
    broken = {name: round(answer.values[column]) for name, column in slacks.items()}
    return RowAnswer(answer, plan, {name: units for name, units in broken.items() if units > 0})


def _extended(model: Model, rows: Sequence[ExtraRow]) -> tuple[Model, dict[str, int]]:
    width, height = model.gain.size, len(rows)
    priced = [place for place, row in enumerate(rows) if row.price_cents is not None]
    ship = model.variables.ship.columns
    row_numbers = np.concatenate([np.full(row.arcs.size, place) for place, row in enumerate(rows)] or [_NONE])
    columns = np.concatenate([ship[row.arcs] for row in rows] or [_NONE])
    extra = sparse.coo_matrix(
        (
            np.ones(row_numbers.size + len(priced)),
            (
                np.concatenate([row_numbers, np.asarray(priced, dtype=np.int64)]).astype(np.int64),
                np.concatenate([columns, width + np.arange(len(priced))]).astype(np.int64),
            ),
        ),
        shape=(height, width + len(priced)),
    )
    padded = sparse.hstack([model.matrix, sparse.csr_matrix((model.matrix.shape[0], len(priced)))])
    units = np.asarray([row.units for row in rows], dtype=np.float64)
    prices = [-float(rows[place].price_cents or 0) for place in priced]
    extended = replace(
        model,
        matrix=sparse.vstack([padded, extra]).tocsr(),
        lower=np.concatenate([model.lower, units]),
        upper=np.concatenate([model.upper, np.full(height, np.inf)]),
        bound=np.concatenate([model.bound, units[priced]]),
        gain=np.concatenate([model.gain, prices]),
        is_integer=np.concatenate([model.is_integer, np.ones(len(priced), dtype=bool)]),
    )
    return extended, {rows[place].name: width + number for number, place in enumerate(priced)}


def as_result(problem: Problem, plan: Plan, *, started: float, is_best: bool, bound_cents: int) -> AllocationResult:
    """Return a plan under extra rows as a verified result; its bound is that of the rows' program, prices not counted.

    Raises:
        PlanRejectedError: The plan breaks a constraint (a defect; it is not shown).
    """
    objective = objective_cents(problem, plan)
    return planning._result(
        problem,
        Solved(
            plan=plan,
            status=Status.OPTIMAL if is_best else Status.FEASIBLE,
            objective_cents=objective,
            bound_cents=max(bound_cents, objective),
            path="rows",
            seconds=time.monotonic() - started,
            size={},
            is_reproducible=True,
        ),
    )
