"""What would have to change for a line to be served: single changes, each solved again, cheapest first.

For a short line the goal is that all its units ship, for a late one that they arrive on time. Each change is applied to
the frames, the goal is made a hard row, and the program is solved again with the line's neighbours (lines that share a
SKU or an order with it) free to move while every other line keeps its planned units or gives them up. So the plan found
is a plan of the whole problem, and what it costs is achieved, not guessed; a wider search could only find it cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.frames import parse_time
from optimizer.allocation.plan import Plan, Problem, objective_cents
from optimizer.allocation.result import AllocationResult
from optimizer.allocation.rows import ExtraRow, arcs_of, forced_problem, solve_rows
from optimizer.allocation.stock import Ints
from optimizer.allocation.values import cap_words, tight_caps, wider_cap
from optimizer.allocation.world import World, naive_utc

AIR_CENTS: Final = 2_500
"""Cents per unit of an air service that no lane offers (assumption: next-day air parcel, $25)."""

AIR_DAYS: Final = 1
_RECEIPTS: Final = 4
WINDOW_DAYS: Final = (0, 1, 2, 3, 5, 7, 14)
"""Days, beyond those that the dates alone ask for, by which a buyer may have to move a window; the first that helps."""

_KEY: Final = ["order_id", "line_id"]


@dataclass(frozen=True, slots=True)
class Displaced:
    """Another line that pays for it: units it loses, and units that come late instead."""

    order_id: str
    line_id: str
    units_lost: int
    units_later: int


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change after which the line is served.

    Attributes:
        kind: first, units, receipt, cut_off, capacity, carrier, split, air, reserve, window or hold.
        words: What would have to change, for people.
        cost_cents: What the plan is worth less with it; negative where it pays by itself. The price of the change
            itself counts where the objective knows it (freight of air, release of a reserve).
        ships: Last ship date of the line.
        arrives: Last arrival of the line.
        nodes: Where it ships from.
        displaced: Who pays for it.
        world: The changed problem, to solve it again.
    """

    kind: str
    words: str
    cost_cents: int
    ships: date
    arrives: date
    nodes: tuple[str, ...]
    displaced: tuple[Displaced, ...]
    world: World


@dataclass(frozen=True, slots=True)
class _Line:
    order_id: str
    line_id: str
    sku: str
    units: int
    missing: int
    on_time: bool
    row: dict[str, object]


def remedies(world: World, result: AllocationResult, *, order_id: str, line_id: str) -> tuple[Remedy, ...]:
    """Return the single changes that would serve a short or late line, cheapest first.

    Args:
        world: The problem that the plan was made for.
        result: Its plan.
        order_id: Order of the line.
        line_id: Line.

    Returns:
        Every change tried that serves the line and is cheaper than letting it go first (kind `first`, no change at
        all); empty when the plan serves it or no single change does.
    """
    line = _missing_line(world, result, order_id, line_id)
    if line is None:
        return ()
    base = _solved(world, result, line, goal=False)
    if base is None:
        return ()
    problem, plan = base
    start = objective_cents(problem, plan)
    before = _units_by_line(problem, plan)
    found: list[Remedy] = []
    for kind, words, changed in _candidates(world, result, line):
        if kind == "window" and any(item.kind == "window" for item in found):
            continue
        answer = _solved(changed, result, line, goal=True)
        if answer is not None:
            found.append(_remedy(kind, words, changed, answer, start, before, line))
    first = next((item.cost_cents for item in found if item.kind == "first"), None)
    # A change that is no cheaper than going first is of no use: the line is served without it.
    useful = [item for item in found if first is None or item.kind == "first" or item.cost_cents < first]
    return tuple(sorted(useful, key=lambda item: (item.cost_cents, item.kind, item.words)))


def _missing_line(world: World, result: AllocationResult, order_id: str, line_id: str) -> _Line | None:
    here = (pl.col("order_id") == order_id) & (pl.col("line_id") == line_id)
    row = world.frame("open_lines").filter(here).row(0, named=True)
    short = result.shorts.filter(here)["short_quantity"].sum()
    late = result.lates.filter(here)["late_quantity"].sum()
    if not short and not late:
        return None
    return _Line(
        order_id, line_id, row["sku"], int(row["open_quantity"]), int(short or late), on_time=not short, row=row
    )


def _solved(world: World, result: AllocationResult, line: _Line, *, goal: bool) -> tuple[Problem, Plan] | None:
    """Solve a world with the line's neighbours free; None where the goal cannot be met."""
    problem = forced_problem(world, pl.DataFrame([{"order_id": line.order_id, "line_id": line.line_id}]))
    rows = []
    if goal:
        mask = pl.col("line") == _number(problem, line)
        if line.on_time:
            mask &= pl.col("days_late") == 0
        arcs = arcs_of(problem, mask)
        if not arcs.size:
            return None
        rows.append(ExtraRow("goal", arcs, line.units))
    answer = solve_rows(problem, rows, only=_free_arcs(problem, result, line))
    return None if answer.plan is None else (problem, answer.plan)


def _number(problem: Problem, line: _Line) -> int:
    lines = problem.data.lines
    found = lines.filter((pl.col("order_id") == line.order_id) & (pl.col("line_id") == line.line_id))
    return int(found["line"][0])


def _free_arcs(problem: Problem, result: AllocationResult, line: _Line) -> Ints:
    """Return the arcs of the neighbourhood and those that the plan uses."""
    lines, frame = problem.data.lines, problem.arcs.frame
    own = lines.filter(pl.col("order_id") == line.order_id)
    shared = lines.filter(pl.col("sku").is_in(own["sku"].unique().implode()))
    near = lines.filter(pl.col("order_id").is_in(shared["order_id"].unique().implode()))["line"]
    planned = (
        result.allocations.join(lines.select(*_KEY, "line"), on=_KEY, how="inner")
        .select("line", "node_id", "ship_date", "carrier", "service")
        .with_columns(pl.lit(value=True).alias("is_used"))
    )
    on = ["line", "node_id", "ship_date", "carrier", "service"]
    used = frame.select(on).join(planned, on=on, how="left", maintain_order="left")["is_used"].fill_null(value=False)
    free = frame["line"].is_in(near.implode()) | used
    return np.flatnonzero(free.to_numpy()).astype(np.int64)


def _units_by_line(problem: Problem, plan: Plan) -> pl.DataFrame:
    used = problem.arcs.frame.select("line", "days_late", pl.Series("units", plan.units, dtype=pl.Int64))
    units = used.group_by("line").agg(
        pl.col("units").sum(), pl.col("units").filter(pl.col("days_late") == 0).sum().alias("on_time")
    )
    return problem.data.lines.select(*_KEY, "line").join(units, on="line", how="left").fill_null(0)


def _remedy(
    kind: str,
    words: str,
    changed: World,
    answer: tuple[Problem, Plan],
    start: int,
    before: pl.DataFrame,
    line: _Line,
) -> Remedy:
    problem, plan = answer
    own = problem.arcs.frame.with_columns(pl.Series("units", plan.units, dtype=pl.Int64)).filter(
        (pl.col("line") == _number(problem, line)) & (pl.col("units") > 0)
    )
    lost = (
        before.join(_units_by_line(problem, plan).drop("line"), on=_KEY, how="inner", suffix="_after")
        .filter((pl.col("order_id") != line.order_id) | (pl.col("line_id") != line.line_id))
        .with_columns(
            (pl.col("units") - pl.col("units_after")).clip(lower_bound=0).alias("lost"),
            (pl.col("on_time") - pl.col("on_time_after")).clip(lower_bound=0).alias("worse"),
        )
        .filter((pl.col("lost") > 0) | (pl.col("worse") > 0))
        .sort("lost", "worse", *_KEY, descending=[True, True, False, False])
    )
    displaced = tuple(
        Displaced(order, number, gone, max(0, worse - gone))
        for order, number, gone, worse in lost.select(*_KEY, "lost", "worse").iter_rows()
    )
    return Remedy(
        kind=kind,
        words=words,
        cost_cents=start - objective_cents(problem, plan),
        ships=own["ship_date"].max(),  # type: ignore[arg-type]
        arrives=own["arrival_date"].max(),  # type: ignore[arg-type]
        nodes=tuple(own["node_id"].unique().sort().to_list()),
        displaced=displaced,
        world=changed,
    )


def _candidates(world: World, result: AllocationResult, line: _Line) -> Iterator[tuple[str, str, World]]:
    """Yield every single change worth trying: kind, words, changed world."""
    here = (pl.col("order_id") == line.order_id) & (pl.col("line_id") == line.line_id)
    if line.row["is_on_hold"]:
        hold = f"{line.row['hold_type'] or 'other'} hold"
        yield "hold", f"the {hold} is lifted", world.put("open_lines", here, is_on_hold=False)
        return
    yield "first", "it goes before the lines that got its units", world
    yield from _supply_changes(world, line)
    yield from _node_changes(world, result, line)
    yield from _service_changes(world, line, here)
    yield from _window_changes(world, result, line, here)


def _supply_changes(world: World, line: _Line) -> Iterator[tuple[str, str, World]]:
    sku = pl.col("sku") == line.sku
    for node in world.frame("nodes")["node_id"].sort().to_list():
        words = f"{line.missing:,} more units of {line.sku} at {node} today"
        yield "units", words, _more_units(world, line.sku, node, line.missing)
    receipts = world.frame("inbound_receipts").filter(sku, pl.col("expected_at").is_not_null())
    same = ["node_id", "expected_at", "is_confirmed"]
    dated = receipts.group_by(same).agg(pl.col("quantity").cast(pl.Int64).sum()).sort(same).head(_RECEIPTS)
    for row in dated.iter_rows(named=True):
        mask = sku & (pl.col("node_id") == row["node_id"]) & (pl.col("expected_at") == row["expected_at"])
        where = f"the {row['quantity']:,} units due at {row['node_id']}"
        if row["is_confirmed"]:
            now = naive_utc(world.options.moment)
            words = f"{where} come today instead of {row['expected_at']:%d %b}"
            yield "receipt", words, world.put("inbound_receipts", mask, expected_at=now)
        else:
            words = f"{where} are confirmed for {row['expected_at']:%d %b}"
            yield "receipt", words, world.put("inbound_receipts", mask, is_confirmed=True)
    yield from _reserve_changes(world, line)


def _more_units(world: World, sku: str, node: str, units: int) -> World:
    here = (pl.col("sku") == sku) & (pl.col("node_id") == node)
    if world.frame("inventory").filter(here).height:
        return world.put("inventory", here, on_hand=pl.col("on_hand").cast(pl.Int64).clip(lower_bound=0) + units)
    return world.add_rows("inventory", pl.DataFrame([{"sku": sku, "node_id": node, "on_hand": units}]))


def _reserve_changes(world: World, line: _Line) -> Iterator[tuple[str, str, World]]:
    sku = pl.col("sku") == line.sku
    held = world.frame("channel_reservations").filter(sku, pl.col("channel") != line.row["channel"])
    for node, channel in held.select("node_id", "channel").unique().sort("node_id", "channel").iter_rows():
        mask = sku & (pl.col("node_id") == node) & (pl.col("channel") == channel)
        left = (pl.col("quantity").cast(pl.Int64) - line.missing).clip(lower_bound=0)
        words = f"{channel} gives up {line.missing:,} reserved units at {node}"
        yield "reserve", words, world.put("channel_reservations", mask, quantity=left)
    kept = world.frame("inventory").filter(sku, pl.col("safety_stock") > 0)
    for node in kept["node_id"].sort().to_list():
        mask = sku & (pl.col("node_id") == node)
        left = (pl.col("safety_stock").cast(pl.Int64) - line.missing).clip(lower_bound=0)
        words = f"{line.missing:,} units of safety stock at {node} may be used"
        yield "reserve", words, world.put("inventory", mask, safety_stock=left)


def _node_changes(world: World, result: AllocationResult, line: _Line) -> Iterator[tuple[str, str, World]]:
    full = _full_nodes(world, result, line.units)
    for row in world.frame("nodes").sort("node_id").iter_rows(named=True):
        node, here = row["node_id"], pl.col("node_id") == row["node_id"]
        later = _hour_later(row["cut_off_time"])
        if later is not None and (line.on_time or node in full):
            words = f"{node} takes orders until {later}, one hour longer"
            yield "cut_off", words, world.put("nodes", here, cut_off_time=later)
        if node in full:
            more = pl.col("daily_capacity_units").cast(pl.Int64) + line.units
            words = f"{node} picks {line.units:,} units more a day"
            yield "capacity", words, world.put("nodes", here, daily_capacity_units=more)
    for place, cap in tight_caps(world, result, units=line.units):
        words = f"{line.units:,} units more a day that {cap_words(cap)}"
        yield "carrier", words, wider_cap(world, place)(line.units)


def _full_nodes(world: World, result: AllocationResult, units: int) -> set[str]:
    """Return the nodes with a day on which so many units would not fit beside the plan."""
    limits = world.frame("nodes").select("node_id", pl.col("daily_capacity_units").cast(pl.Int64).alias("limit"))
    load = result.allocations.group_by("node_id", "ship_date").agg(pl.col("quantity").sum().alias("load"))
    tight = limits.join(load, on="node_id", how="left").filter(pl.col("load").fill_null(0) + units > pl.col("limit"))
    return set(tight["node_id"].to_list())


def _hour_later(cut_off: str | None) -> str | None:
    at = parse_time(cut_off)
    if at is None or at >= time(23):
        return None
    return (datetime.combine(date.min, at) + timedelta(hours=1)).strftime("%H:%M")


def _service_changes(world: World, line: _Line, here: pl.Expr) -> Iterator[tuple[str, str, World]]:
    order = pl.col("order_id") == line.order_id
    if world.frame("open_lines").filter(order)["is_ship_complete"].any():
        words = "the order may ship in parts"
        yield "split", words, world.put("open_lines", order, is_ship_complete=False)
    nodes = world.frame("open_lines").filter(order)
    most = nodes["max_nodes"].min() if "max_nodes" in nodes.columns else None
    if most is not None:
        words = f"the order may ship from {int(most) + 1} nodes"  # type: ignore[arg-type]
        yield "split", words, world.put("open_lines", order, max_nodes=pl.col("max_nodes").cast(pl.Int64) + 1)
    lanes, zone = world.frame("lanes"), line.row["lane_zone"]
    if lanes.is_empty() or zone is None:
        return
    own = f"{zone} (air)"
    offered = lanes.filter(pl.col("lane_zone") == zone).with_columns(pl.lit(own).alias("lane_zone"))
    air = offered.unique("node_id", keep="first", maintain_order=True).with_columns(
        pl.lit("air").alias("carrier"),
        pl.lit("next_day").alias("service"),
        pl.lit(AIR_DAYS).cast(lanes.schema["transit_days"]).alias("transit_days"),
        pl.lit(AIR_CENTS / 100).cast(lanes.schema["cost_per_unit"]).alias("cost_per_unit"),
    )
    words = f"air service at {AIR_CENTS / 100:.2f} a unit"
    changed = world.with_frame("lanes", pl.concat([lanes, offered, air]))
    yield "air", words, changed.put("open_lines", here, lane_zone=own)


def _window_changes(
    world: World, result: AllocationResult, line: _Line, here: pl.Expr
) -> Iterator[tuple[str, str, World]]:
    least = _days_missing(world, result, line)
    for days in sorted({max(1, least + more) for more in WINDOW_DAYS}):
        more = timedelta(days=days)
        words = f"the buyer moves the window by {days} day{'s' if days > 1 else ''}"
        changed = world.put(
            "open_lines",
            here,
            ship_not_before_at=pl.col("ship_not_before_at") - more,
            need_at=pl.col("need_at") + more,
            ship_by_at=pl.col("ship_by_at") + more,
            cancel_after_at=pl.col("cancel_after_at") + more,
        )
        yield "window", words, changed


def _days_missing(world: World, result: AllocationResult, line: _Line) -> int:
    """Return the days by which the dates are missed: of its late units, or from its cancel date until now."""
    mine = (pl.col("order_id") == line.order_id) & (pl.col("line_id") == line.line_id)
    late = result.lates.filter(mine)["days_late"].max() or 0
    cancel = line.row["cancel_after_at"]
    passed = (naive_utc(world.options.moment) - cancel).days + 1 if isinstance(cancel, datetime) else 0
    return max(int(str(late)), passed, 0)


def worst_lines(result: AllocationResult, lines: pl.DataFrame, *, limit: int) -> Sequence[tuple[str, str]]:
    """Return the short and late lines that cost most, by what their missing units would bring.

    Args:
        result: The plan.
        lines: `AllocationData.lines`.
        limit: How many.
    """
    missing = pl.concat(
        [
            result.shorts.select(*_KEY, pl.col("short_quantity").alias("units")),
            result.lates.select(*_KEY, pl.col("late_quantity").alias("units")),
        ]
    )
    worth = (pl.col("margin_cents") + pl.col("short_cents")) * pl.col("units")
    return (
        missing.join(lines.select(*_KEY, "margin_cents", "short_cents"), on=_KEY, how="inner")
        .group_by(_KEY)
        .agg(worth.sum().alias("worth"))
        .sort("worth", *_KEY, descending=[True, False, False])
        .head(limit)
        .select(_KEY)
        .rows()
    )
