"""From a problem to a plan with a status and a bound: which columns the solver sees, and what is claimed of its answer.

The path is chosen by size and by the rules that are there, so the same data always takes the same one:

- *exact*: the whole program;
- *kernel*: the columns that the prices of the linear relaxation call promising; the bound is the relaxation's;
- *prices*: above `exact_line_limit` lines, the compiled kernels (kernels/engine.py) with the bound of their prices;
- *greedy*: the same size, but with a rule that the kernels do not know: the better rule-based plan with the
  relaxation's bound; a note names the rules.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.backend import Status, first_order_prices, simplex_prices, solve_program
from optimizer.allocation.baseline import better_plan, rule_plan, value_plan
from optimizer.allocation.bound import certified_bound, reduced_gains
from optimizer.allocation.kernels.compile import compile_problem, unsupported
from optimizer.allocation.model import Floats, Model, model_of
from optimizer.allocation.plan import Plan, Problem, objective_cents
from optimizer.allocation.stock import Ints

EXACT_COLUMNS: Final = 30_000
"""Programs up to this size are solved whole (measured: proven within 15 s on one core)."""

KERNEL_COLUMNS: Final = 20_000
KERNEL_ARCS: Final = (3, 9)
"""Fewest and most arcs per line, best reduced gain first, that fill the kernel beside those of the greedy plan."""

KERNEL_GAP: Final = 1e-3
"""Relative gap at which the kernel path stops; its bound comes from the relaxation anyway."""

SIMPLEX_COLUMNS: Final = 250_000
"""Relaxations up to this size get exact prices; larger ones get PDLP's."""

PDLP_ITERATIONS: Final = 2_000

PRICES: Final = pl.Schema({"kind": pl.String(), "label": pl.String(), "ship_date": pl.Date(), "price": pl.Int64()})
"""Price of a capacity of a day, or of a floor (no date), in 1/64 cents per unit."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Solved:
    """A plan and what is known of it.

    Attributes:
        plan: The plan.
        status: How to read it.
        objective_cents: Its value.
        bound_cents: Upper bound on any plan's value.
        path: See the module.
        seconds: Wall time.
        size: Counts of the program.
        is_reproducible: False when the wall clock stopped the solver.
        notes: Why the path is not the best there is, in words.
        prices: What shared capacities and floors cost, to start a like problem from; see PRICES.
    """

    plan: Plan
    status: Status
    objective_cents: int
    bound_cents: int
    path: str
    seconds: float
    size: dict[str, int]
    is_reproducible: bool
    notes: tuple[str, ...] = ()
    prices: pl.DataFrame | None = None


def solve(problem: Problem, *, start: pl.DataFrame | None = None) -> Solved:
    """Find the best plan the chosen path can; the solver's paths are never worse than the rules.

    Args:
        problem: The problem.
        start: Prices of a like problem (PRICES), a scenario's base: the path *prices* then learns only what changed.
    """
    started = time.monotonic()
    if _is_for_kernels(problem):
        return _solve_prices(problem, started, start)
    model = model_of(problem)
    rules = better_plan(problem, (rule_plan(problem), value_plan(problem)), objective_cents)
    path = _path(problem, model)
    plan, bound, killed = rules, certified_bound(model, np.zeros(model.upper.size)), False
    if path == "exact":
        found, bound, killed = _solve_columns(problem, model, np.arange(model.gain.size), gap=0.0)
        plan = better_plan(problem, (found or rules, rules), objective_cents)
    elif path != "empty":
        prices, killed = _prices(problem, model)
        bound = min(bound, certified_bound(model, prices))
        if path == "kernel":
            columns = kernel_columns(problem, reduced_gains(model, prices), rules)
            found, _, stopped = _solve_columns(problem, model, columns, gap=KERNEL_GAP)
            plan, killed = better_plan(problem, (found or rules, rules), objective_cents), killed or stopped
    objective = objective_cents(problem, plan)
    return Solved(
        plan=plan,
        status=Status.OPTIMAL if objective >= bound else Status.FEASIBLE,
        objective_cents=objective,
        bound_cents=max(bound, objective),
        path=path,
        seconds=time.monotonic() - started,
        size=model.size,
        is_reproducible=not killed,
        notes=_greedy_notes(problem) if path == "greedy" else (),
    )


def _greedy_notes(problem: Problem) -> tuple[str, ...]:
    data = problem.data
    return (
        f"{data.lines.height} open lines are above exact_line_limit ({data.options.exact_line_limit}), and the solver "
        f"for large problems does not know: {', '.join(unsupported(problem))}. The plan is the better of two sorted "
        "lists; its bound is proven.",
    )


def _is_for_kernels(problem: Problem) -> bool:
    is_large = problem.data.lines.height > problem.data.options.exact_line_limit and problem.arcs.count > 0
    return is_large and not unsupported(problem)


def _solve_prices(problem: Problem, started: float, start: pl.DataFrame | None) -> Solved:
    # Numba takes its time to load; small problems never need it.
    from optimizer.allocation.kernels.engine import solve_arrays  # noqa: PLC0415
    from optimizer.allocation.kernels.passes import Prices  # noqa: PLC0415

    compiled = compile_problem(problem)
    learnt = None if start is None else Prices(*_started(problem, start))
    answer = solve_arrays(compiled.problem, seed=problem.data.options.seed, start=learnt)
    plan = compiled.plan(answer.plan)
    objective, bound = objective_cents(problem, plan), compiled.offset + answer.bound_cents
    return Solved(
        plan=plan,
        status=Status.OPTIMAL if objective >= bound else Status.FEASIBLE,
        objective_cents=objective,
        bound_cents=max(bound, objective),
        path="prices",
        seconds=time.monotonic() - started,
        size={"lines": compiled.problem.lines, "arcs": compiled.problem.arcs, "skus": compiled.problem.skus},
        is_reproducible=answer.is_reproducible,
        prices=_priced(problem).with_columns(
            pl.Series("price", np.concatenate([answer.row_prices, answer.group_prices]), dtype=pl.Int64)
        ),
    )


def _priced(problem: Problem) -> pl.DataFrame:
    """Return what has a price: shared capacities, then floors, in the order of the kernels' arrays."""
    rows = problem.resources.frame.select(pl.col("family").alias("kind"), "label", "ship_date")
    floors = problem.commitments.frame.select("kind", "label", pl.lit(None, pl.Date).alias("ship_date"))
    return pl.concat([rows, floors])


def _started(problem: Problem, start: pl.DataFrame) -> tuple[Ints, Ints]:
    """Return a like problem's prices of this problem's capacities and floors, 0 for new ones."""
    key = ["kind", "label", "ship_date"]
    known = start.unique(key, keep="first", maintain_order=True)
    found = _priced(problem).join(known, on=key, how="left", nulls_equal=True, maintain_order="left")["price"]
    prices = found.fill_null(0).to_numpy().astype(np.int64)
    rows = problem.resources.frame.height
    return prices[:rows], prices[rows:]


def relaxed_bound(problem: Problem) -> int:
    """Return an upper bound on any plan's objective without looking for a plan."""
    if _is_for_kernels(problem):
        from optimizer.allocation.kernels.engine import flow_bound  # noqa: PLC0415

        compiled = compile_problem(problem)
        return compiled.offset + flow_bound(compiled.problem)
    model = model_of(problem)
    trivial = certified_bound(model, np.zeros(model.upper.size))
    return min(trivial, certified_bound(model, _prices(problem, model)[0])) if problem.arcs.count else trivial


def _path(problem: Problem, model: Model) -> str:
    if not problem.arcs.count:
        return "empty"
    if problem.data.lines.height > problem.data.options.exact_line_limit:
        return "greedy"
    return "exact" if model.gain.size <= EXACT_COLUMNS else "kernel"


def _solve_columns(problem: Problem, model: Model, columns: Ints, *, gap: float) -> tuple[Plan | None, int, bool]:
    options = problem.data.options
    answer = solve_program(
        model, columns, seed=options.seed, node_limit=options.node_limit, gap=gap, kill_seconds=options.kill_seconds
    )
    trivial = certified_bound(model, np.zeros(model.upper.size))
    # The objective is integer, so a bound of 7.9999999 proves 8 as well as 8.0000001 does.
    bound = min(trivial, math.floor(answer.bound + 1e-3)) if math.isfinite(answer.bound) else trivial
    return (None if answer.values is None else _read(problem, model, answer.values)), bound, answer.is_killed


def _read(problem: Problem, model: Model, values: Floats) -> Plan:
    released = np.zeros(problem.stock.holders.height, dtype=np.int64)
    release = model.variables.release
    released[release.index["holder_id"].to_numpy()] = np.rint(values[release.columns]).astype(np.int64)
    return Plan(np.rint(values[model.variables.ship.columns]).astype(np.int64), released)


def _prices(problem: Problem, model: Model) -> tuple[Floats, bool]:
    if model.gain.size <= SIMPLEX_COLUMNS:
        prices = simplex_prices(model, kill_seconds=problem.data.options.kill_seconds)
        if prices is not None:
            return prices, False
    return first_order_prices(model, iterations=PDLP_ITERATIONS), model.gain.size <= SIMPLEX_COLUMNS


def kernel_columns(problem: Problem, reduced: Floats, start: Plan) -> Ints:
    """Return the promising columns: each line's best arcs by reduced gain, those of `start`, all other variables."""
    arcs = problem.arcs.frame.select("line").with_columns(pl.Series("reduced", reduced[: problem.arcs.count]))
    rank = arcs.select(pl.col("reduced").rank("ordinal", descending=True).over("line"))["reduced"].to_numpy()
    fewest, most = KERNEL_ARCS
    arcs_per_line = min(max(KERNEL_COLUMNS // problem.data.lines.height, fewest), most)
    kept = (rank <= arcs_per_line) | (start.units > 0)
    return np.flatnonzero(np.concatenate([kept, np.ones(reduced.size - kept.size, dtype=bool)])).astype(np.int64)
