"""Solves a scenario: changes applied, plan made and verified, a second stage planned on what the first has shipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from optimizer.allocation import AllocationData, AllocationResult, allocate, baseline, report
from optimizer.allocation.candidates import lane_days
from optimizer.allocation.infeasible import BrokenCommitment, Commitment, Conflict, elastic_plan, find_conflicts
from optimizer.allocation.options import BASIS
from optimizer.allocation.plan import Plan, Problem, prepare
from optimizer.allocation.result import ALLOCATIONS
from optimizer.allocation.stock import SAFETY
from optimizer.allocation.world import World, naive_utc
from optimizer.errors import InvalidScenarioError
from optimizer.scenarios.apply import apply_later, apply_scenario
from optimizer.scenarios.model import Later, Scenario


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScenarioRun:
    """A solved scenario.

    Attributes:
        name: Name of the scenario.
        description: Why one would ask.
        data: The problem of the (last) plan.
        result: The (last) plan, verified.
        first: The plan of the first stage, where there are two.
        first_data: Its problem.
        committed: What the first stage had shipped when the second began, as in ALLOCATIONS.
        world: Its frames, to ask further.
        notes: What each change did.
        conflicts: Smallest sets of rules that cannot all hold, if the promises cannot all be kept.
        broken: Promises that the plan breaks, with units and price.
    """

    name: str
    description: str
    data: AllocationData
    result: AllocationResult
    world: World
    notes: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    broken: tuple[BrokenCommitment, ...] = ()
    first: AllocationResult | None = None
    first_data: AllocationData | None = None
    committed: pl.DataFrame | None = None

    @property
    def allocations(self) -> pl.DataFrame:
        """Everything that ships, of both stages."""
        if self.committed is None:
            return self.result.allocations
        return pl.concat([self.committed, self.result.allocations])

    @property
    def parts(self) -> tuple[tuple[AllocationData, pl.DataFrame], ...]:
        """Each stage's problem with what ships under it."""
        if self.committed is None or self.first_data is None:
            return ((self.data, self.result.allocations),)
        return ((self.first_data, self.committed), (self.data, self.result.allocations))

    def money_terms(self) -> dict[str, int]:
        """Return the objective by term in cents; of two stages, what the first had shipped plus the second's plan."""
        if self.first_data is None or self.committed is None:
            return dict(self.result.terms)
        shipped = committed_terms(self.first_data, self.committed)
        if self.first is not None:
            shipped["release"] = self.first.terms.get("release", 0)
        names = dict.fromkeys([*shipped, *self.result.terms])
        return {name: shipped.get(name, 0) + self.result.terms.get(name, 0) for name in names}


def committed_terms(data: AllocationData, committed: pl.DataFrame) -> dict[str, int]:
    """Return what shipped units bring, by term: the plan that ships only them, less the shorts of all the others."""
    problem = prepare(data)
    key = ["line", "node_id", "ship_date", "carrier", "service"]
    drawn = committed.join(data.lines.select("order_id", "line_id", "line"), on=["order_id", "line_id"], how="inner")
    units = (
        problem.arcs.frame.select(key)
        .join(drawn.select(*key, pl.col("quantity").alias("drawn")), on=key, how="left", maintain_order="left")["drawn"]
        .fill_null(0)
    )
    nothing = np.zeros(problem.stock.holders.height, dtype=np.int64)
    plan = Plan(units.to_numpy().astype(np.int64), nothing)
    ships = report.terms(problem, plan, report.shipped(problem, plan))
    gone = committed.group_by("order_id", "line_id").agg(pl.col("quantity").sum().alias("drawn"))
    rest = data.lines.join(gone, on=["order_id", "line_id"], how="left", maintain_order="left").with_columns(
        (pl.col("quantity") - pl.col("drawn").fill_null(0)).alias("quantity")
    )
    left = Problem(replace(data, lines=rest.drop("drawn")), problem.stock, problem.arcs)
    empty = Plan(np.zeros(problem.arcs.count, dtype=np.int64), nothing)
    shorts = report.terms(left, empty, report.shipped(left, empty))
    return {name: ships[name] - shorts[name] for name in ships}


def run_scenario(world: World, scenario: Scenario, *, start: AllocationResult | None = None) -> ScenarioRun:
    """Solve a scenario on a world.

    Args:
        world: Today's problem.
        scenario: What changes.
        start: A plan of today's problem: a large scenario is solved from its prices.

    Raises:
        InvalidScenarioError: The scenario names what the data does not have, or its second stage begins in the past.
        InvalidDataError: The changed data has faults; all are listed.
    """
    changed, notes = apply_scenario(world, scenario)
    made = _with_promises(changed, scenario, notes, start)
    return made if scenario.later is None else _second_stage(changed, scenario.later, made)


def _with_promises(
    world: World, scenario: Scenario, notes: tuple[str, ...], start: AllocationResult | None
) -> ScenarioRun:
    data = world.data()
    promises = [
        Commitment(
            name=item.name,
            fill_percent=item.fill_percent,
            order_id=item.order,
            channel=item.channel,
            customer_id=item.customer,
            sku=item.sku,
            node_id=item.node,
            on_time=item.on_time,
            price_cents=round(item.price * 100),
        )
        for item in scenario.promises
    ]
    plan = elastic_plan(world, promises) if promises else None
    return ScenarioRun(
        name=scenario.name,
        description=scenario.description,
        data=data,
        result=plan.result if plan is not None else allocate(data, start=start),
        world=world,
        notes=notes,
        broken=plan.broken if plan is not None else (),
        conflicts=find_conflicts(world, promises) if plan is not None and plan.broken else (),
    )


def rules_run(world: World, *, name: str = "baseline") -> ScenarioRun:
    """Return what today's rules would do: priority, first come first served, nearest node; reserves respected."""
    data = world.data()
    words = "Priority, then first come first served, nearest node; every reserve kept."
    return ScenarioRun(name=name, description=words, data=data, result=baseline(data), world=world)


def _second_stage(world: World, later: Later, made: ScenarioRun) -> ScenarioRun:
    now = naive_utc(world.options.moment)
    at = naive_utc(later.at) if later.at is not None else now + timedelta(hours=later.after_hours or 0)
    if at <= now:
        fault = f"later.at: {later.at} is not after the plan's as-of {world.options.moment:%Y-%m-%d %H:%M} UTC"
        raise InvalidScenarioError([fault])
    committed = _shipped_by(made, at)
    rest = _released(_after(world, committed, at), made.result.releases)
    changed, notes = apply_later(rest, later)
    data = changed.data()
    shipped = int(committed["quantity"].sum())
    words = f"later: {shipped:,} units have shipped by {at:%Y-%m-%d %H:%M} UTC, the rest is planned again"
    return replace(
        made,
        data=data,
        world=changed,
        result=allocate(data, start=made.result),
        notes=(*made.notes, words, *notes),
        first=made.result,
        first_data=made.data,
        committed=committed,
    )


def _shipped_by(made: ScenarioRun, at: datetime) -> pl.DataFrame:
    """Return the planned rows whose cut-off is not after `at`."""
    return (
        timed(made.data, made.result.allocations)
        .filter(pl.col("ship_at") <= at)
        .select(ALLOCATIONS.names())
        .cast(ALLOCATIONS)
    )


def timed(data: AllocationData, allocations: pl.DataFrame) -> pl.DataFrame:
    """Add to each row of a plan ship_at and arrive_at, and its line's need_at and ship_by_at."""
    lane = ["node_id", "lane_zone", "carrier", "service", "ship_date"]
    calendar = lane_days(data).select(*lane, "ship_at", "arrive_at").unique(lane, keep="first", maintain_order=True)
    lines = data.lines.select("order_id", "line_id", "lane_zone", "need_at", "ship_by_at")
    return allocations.join(lines, on=["order_id", "line_id"], how="left", maintain_order="left").join(
        calendar, on=lane, how="left", maintain_order="left"
    )


def _after(world: World, committed: pl.DataFrame, at: datetime) -> World:
    """Return the world as it stands at `at`: shipped units are gone, receipts that are in are on hand."""
    world = world.with_options(replace(world.options, as_of=at))
    world = _less_open(world, committed)
    world = _received(world, at)
    drawn = committed.group_by("sku", "node_id").agg(pl.col("quantity").sum().alias("drawn"))
    world = _reduced(world, "inventory", "on_hand", drawn, ["sku", "node_id"], floor=False)
    own = committed.group_by("sku", "node_id", "channel").agg(pl.col("quantity").sum().alias("drawn"))
    return _reduced(world, "channel_reservations", "quantity", own, ["sku", "node_id", "channel"], floor=True)


def _released(world: World, releases: pl.DataFrame) -> World:
    """Take off the reserves what the first stage has decided to release."""
    key = ["sku", "node_id"]
    freed = releases.select(*key, "holder", pl.col("released").alias("drawn"))
    safety = freed.filter(pl.col("holder") == SAFETY).drop("holder")
    world = _reduced(world, "inventory", "safety_stock", safety, key, floor=True)
    channels = freed.filter(pl.col("holder") != SAFETY).rename({"holder": "channel"})
    return _reduced(world, "channel_reservations", "quantity", channels, [*key, "channel"], floor=True)


def _less_open(world: World, committed: pl.DataFrame) -> World:
    drawn = committed.group_by("order_id", "line_id").agg(pl.col("quantity").sum().alias("drawn"))
    world = _reduced(world, "open_lines", "open_quantity", drawn, ["order_id", "line_id"], floor=True)
    return world.with_frame("open_lines", world.frame("open_lines").filter(pl.col("open_quantity") > 0))


def _reduced(world: World, name: str, column: str, drawn: pl.DataFrame, on: list[str], *, floor: bool) -> World:
    frame = world.frame(name)
    joined = frame.join(drawn, on=on, how="left", maintain_order="left")
    rest = pl.col(column).cast(pl.Int64) - pl.col("drawn").fill_null(0)
    rest = rest.clip(lower_bound=0) if floor else rest
    return world.with_frame(name, joined.with_columns(rest.cast(frame.schema[column]).alias(column)).drop("drawn"))


def _received(world: World, at: datetime) -> World:
    """Put receipts that are in by now on hand; those due earlier today come now."""
    receipts = world.frame("inbound_receipts")
    ready = pl.col("expected_at") + timedelta(days=world.options.dock_days)
    is_in = (pl.col("is_confirmed") & (ready <= at)).fill_null(value=False)
    counted = pl.col("quantity").cast(pl.Int64) * (BASIS - world.options.receipt_haircut_bp) // BASIS
    arrived = receipts.filter(is_in).group_by("sku", "node_id").agg(counted.sum().alias("quantity"))
    on_hand = world.frame("inventory")
    kind = on_hand.schema["on_hand"]
    joined = on_hand.join(arrived, on=["sku", "node_id"], how="left", maintain_order="left").with_columns(
        (pl.col("on_hand").cast(pl.Int64) + pl.col("quantity").fill_null(0)).cast(kind).alias("on_hand")
    )
    fresh = arrived.join(on_hand, on=["sku", "node_id"], how="anti").rename({"quantity": "on_hand"})
    world = world.with_frame("inventory", joined.drop("quantity")).add_rows("inventory", fresh)
    waiting = receipts.filter(~is_in).with_columns(
        pl.when(pl.col("expected_at") < at).then(pl.lit(at)).otherwise(pl.col("expected_at")).alias("expected_at")
    )
    return world.with_frame("inbound_receipts", waiting)
