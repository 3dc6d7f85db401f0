"""The entry points: solve or apply the rules, explain, verify, return frames."""

from __future__ import annotations

import time

import polars as pl

from optimizer.allocation import report
from optimizer.allocation.backend import Status
from optimizer.allocation.baseline import rule_plan, value_plan
from optimizer.allocation.data import AllocationData
from optimizer.allocation.explain import explain_lates, explain_shorts, explain_splits, rest_of
from optimizer.allocation.options import AllocationOptions
from optimizer.allocation.plan import Problem, objective_cents, prepare
from optimizer.allocation.result import AllocationResult
from optimizer.allocation.solve import Solved, relaxed_bound, solve
from optimizer.allocation.verify import verify
from optimizer.errors import PlanRejectedError

COMPARISON = pl.Schema(
    {"channel": pl.String(), "measure": pl.String(), "baseline": pl.Int64(), "plan": pl.Int64(), "change": pl.Int64()}
)
"""One row per channel ('(all)' for the total) and measure; units, lines or cents as the measure's name says."""


def allocate(
    data: AllocationData, options: AllocationOptions | None = None, *, start: AllocationResult | None = None
) -> AllocationResult:
    """Return the best plan found, explained and verified.

    Args:
        data: The problem.
        options: Replaces the options the data was made with.
        start: The result of a like problem, a scenario's base: a large problem is then solved from its prices.

    Raises:
        InvalidDataError: The data has faults; all are listed.
        PlanRejectedError: The plan breaks a constraint (a defect; it is not shown).
    """
    problem = prepare(data.with_options(options) if options else data)
    return _result(problem, solve(problem, start=start.prices if start is not None else None))


def baseline(
    data: AllocationData, options: AllocationOptions | None = None, *, by_value: bool = False
) -> AllocationResult:
    """Return the plan of the rules: priority, first come first served, nearest node; every reserve respected.

    Args:
        data: The problem.
        options: Replaces the options the data was made with.
        by_value: Use the margin-aware greedy instead, the harder yardstick.

    Raises:
        InvalidDataError: The data has faults; all are listed.
        PlanRejectedError: The plan breaks a constraint (a defect; it is not shown).
    """
    problem = prepare(data.with_options(options) if options else data)
    started = time.monotonic()
    plan = value_plan(problem) if by_value else rule_plan(problem)
    objective = objective_cents(problem, plan)
    bound = relaxed_bound(problem)
    return _result(
        problem,
        Solved(
            plan=plan,
            status=Status.OPTIMAL if objective >= bound else Status.FEASIBLE,
            objective_cents=objective,
            bound_cents=bound,
            path="rules",
            seconds=time.monotonic() - started,
            size={},
            is_reproducible=True,
        ),
    )


def compare(rules: AllocationResult, plan: AllocationResult) -> pl.DataFrame:
    """Return two results side by side, per channel and in total (see COMPARISON); the money terms only in total."""
    sides = []
    for result in (rules, plan):
        channels = result.summary.unpivot(index="channel", variable_name="measure", value_name="value")
        totals = (
            channels.group_by("measure", maintain_order=True)
            .agg(pl.col("value").sum())
            .with_columns(pl.lit("(all)").alias("channel"))
        )
        # The channels' sum leaves out splits and releases, which belong to no line.
        totals = totals.filter(pl.col("measure") != "objective_cents").select("channel", "measure", "value")
        terms = {
            **{f"{term}_cents": value for term, value in result.terms.items()},
            "objective_cents": result.objective_cents,
        }
        money = pl.DataFrame(
            [("(all)", measure, value) for measure, value in terms.items()],
            schema=dict(zip(totals.columns, totals.dtypes, strict=True)),
            orient="row",
        )
        sides.append(pl.concat([totals, money, channels]))
    joined = sides[0].join(
        sides[1], on=["channel", "measure"], how="full", coalesce=True, maintain_order="left_right", suffix="_plan"
    )
    return joined.select(
        "channel",
        "measure",
        pl.col("value").fill_null(0).alias("baseline"),
        pl.col("value_plan").fill_null(0).alias("plan"),
        (pl.col("value_plan").fill_null(0) - pl.col("value").fill_null(0)).alias("change"),
    ).cast(COMPARISON)


def _result(problem: Problem, solved: Solved) -> AllocationResult:
    data, plan = problem.data, solved.plan
    used = report.shipped(problem, plan)
    lines, rest = report.progress(problem, used), rest_of(problem, plan, used)
    result = AllocationResult(
        status=solved.status,
        objective_cents=solved.objective_cents,
        bound_cents=solved.bound_cents,
        terms=report.terms(problem, plan, used),
        allocations=report.allocations(used),
        shorts=explain_shorts(problem, lines, used, rest),
        lates=explain_lates(problem, lines, used, rest),
        splits=explain_splits(problem, lines, used, rest),
        summary=report.summary(lines),
        releases=report.releases(problem, plan, used),
        commitments=report.commitments(problem, plan),
        thresholds=report.thresholds(problem, plan),
        notes=(*data.notes, *solved.notes),
        path=solved.path,
        seconds=solved.seconds,
        seed=data.options.seed,
        fingerprint=data.fingerprint(),
        size=solved.size,
        is_reproducible=solved.is_reproducible,
        prices=solved.prices,
    )
    faults = verify(
        data, allocations=result.allocations, releases=result.releases, objective_cents=result.objective_cents
    )
    if sum(result.terms.values()) != result.objective_cents:
        faults = (*faults, f"terms sum to {sum(result.terms.values())}, objective is {result.objective_cents}")
    if faults:
        raise PlanRejectedError(faults)
    return result
