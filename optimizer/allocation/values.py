"""What one more is worth: a unit of a SKU at a node on a day, an hour of a node, a carrier's pick-up, a reserved unit.

Every value is a finite difference: the program is solved again with one more, and with more until the next one is worth
something else (the valid range). Integer programs have no true prices, so none are quoted. Up to `WHOLE_ARCS` arcs the
whole program is solved; above, only lines of the same SKUs and orders (or ships of the node day) may move, which gives
a value that is achieved and may be surpassed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from optimizer.allocation.commitments import protected_minima
from optimizer.allocation.options import CarrierCap
from optimizer.allocation.plan import Problem, objective_cents, prepare
from optimizer.allocation.result import AllocationResult
from optimizer.allocation.rows import solve_rows
from optimizer.allocation.stock import Ints
from optimizer.allocation.world import World

HOURS_PER_DAY: Final = 8
"""Hours a node works a day, to turn its daily units into an hour (assumption: one shift)."""

LATEST: Final = 64
"""Most units tried for the valid range."""

WHOLE_ARCS: Final = 12_000

_UNTIMELY: Final = ("PAST_CANCEL", "WINDOW_NOT_OPEN", "NO_LANE", "EXPORT_DATA")

MARGINALS: Final = pl.Schema(
    {
        "kind": pl.String(),
        "sku": pl.String(),
        "node_id": pl.String(),
        "day": pl.Date(),
        "holder": pl.String(),
        "units": pl.Int64(),
        "next_cents": pl.Int64(),
        "valid_units": pl.Int64(),
        "words": pl.String(),
    }
)
"""One row per value. Kinds: stock, node_hour, carrier, floor, reserve, safety_stock.

`next_cents` is what the plan gains with the next `units` (one, or an hour's units); that many more are worth the same
each until `valid_units` (at most `LATEST`; 0 where the first is worth nothing).
"""


@dataclass(frozen=True, slots=True)
class _Question:
    """What to add: `more(k)` is the world with k steps of `units` more."""

    kind: str
    sku: str | None
    node_id: str
    day: date | None
    holder: str | None
    units: int
    words: str
    more: Callable[[int], World]


def marginal_values(world: World, result: AllocationResult, *, limit: int) -> pl.DataFrame:
    """Return the MARGINALS frame: shortages first, the dearest questions first, most valuable at the top.

    Args:
        world: The problem that the plan was made for.
        result: Its plan.
        limit: How many questions to solve.
    """
    start = _worth(world, result, None)
    rows = []
    for place, question in enumerate(_questions(world, result)):
        if place >= limit:
            break
        rows.append(_answer(question, result, start if question.sku is None else _worth(world, result, question)))
    frame = pl.DataFrame(rows, schema=MARGINALS, orient="row")
    return frame.sort("next_cents", "words", descending=[True, False])


def _answer(question: _Question, result: AllocationResult, start: int) -> tuple[object, ...]:
    def gained(count: int) -> int:
        return _worth(question.more(count), result, question) - start

    first = gained(1)
    return (
        question.kind,
        question.sku,
        question.node_id,
        question.day,
        question.holder,
        question.units,
        first,
        _range(gained, first) * question.units,
        question.words,
    )


def _range(gained: Callable[[int], int], first: int) -> int:
    """Return how many steps are worth `first` each: doubled until one is not, then halved in between."""
    if first == 0:
        return 0
    good, bad = 1, 2
    while bad <= LATEST and gained(bad) == bad * first:
        good, bad = bad, bad * 2
    if bad > LATEST:
        return good
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if gained(middle) == middle * first else (good, middle)
    return good


def _worth(world: World, result: AllocationResult, question: _Question | None) -> int:
    problem = prepare(world.data())
    only = None if problem.arcs.count <= WHOLE_ARCS else _near(problem, result, question)
    answer = solve_rows(problem, [], only=only)
    return result.objective_cents if answer.plan is None else objective_cents(problem, answer.plan)


def _near(problem: Problem, result: AllocationResult, question: _Question | None) -> Ints:
    """Return the arcs that may be used: those of the plan, and those of lines that the question is about."""
    key = ["order_id", "line_id"]
    lines, frame = problem.data.lines, problem.arcs.frame
    on = ["line", "node_id", "ship_date", "carrier", "service"]
    planned = result.allocations.join(lines.select(*key, "line"), on=key, how="inner").select(on)
    used = frame.select(on).join(
        planned.with_columns(pl.lit(value=True).alias("used")), on=on, how="left", maintain_order="left"
    )
    free = used["used"].fill_null(value=False)
    if question is not None and question.sku is not None:
        orders = lines.filter(pl.col("sku") == question.sku)["order_id"].unique()
        free |= frame["line"].is_in(lines.filter(pl.col("order_id").is_in(orders.implode()))["line"].implode())
    elif question is not None:
        free |= frame["node_id"] == question.node_id
    return np.flatnonzero(free.to_numpy()).astype(np.int64)


def _questions(world: World, result: AllocationResult) -> Iterator[_Question]:
    """Yield what is worth asking: SKUs short or late, by units, then full node days, full pick-ups, kept reserves."""
    missing = pl.concat(
        [
            result.shorts.filter(
                ~pl.col("reason").is_in(_UNTIMELY) & ~pl.col("reason").str.starts_with("HOLD_")
            ).select("sku", units="short_quantity"),
            result.lates.filter(pl.col("reason") != "CUTOFF").select("sku", units="late_quantity"),
        ]
    )
    skus = missing.group_by("sku").agg(pl.col("units").sum()).sort("units", "sku", descending=[True, False])["sku"]
    stock = [question for sku in skus.to_list() for question in _stock_questions(world, sku)]
    other = [*_hour_questions(world, result), *_carrier_questions(world, result), *_floor_questions(world)]
    other += [question for sku in skus.to_list() for question in _reserve_questions(world, sku)]
    for place in range(max(len(stock), len(other))):
        yield from stock[place : place + 1]
        yield from other[place : place + 1]


def _stock_questions(world: World, sku: str) -> Iterator[_Question]:
    for node, zone in world.frame("nodes").select("node_id", "zone").sort("node_id").iter_rows():
        today = world.options.moment.astimezone(ZoneInfo(zone or "UTC")).date()
        for days in (0, 3):
            day = today + timedelta(days=days)
            words = f"a unit of {sku} at {node} {'today' if not days else f'on {day:%d %b}'}"
            yield _Question("stock", sku, node, day, None, 1, words, _arriving(world, sku, node, zone, day))


def _arriving(world: World, sku: str, node: str, zone: str | None, day: date) -> Callable[[int], World]:
    """Return the world with units that can ship from `day` on."""
    expected = datetime.combine(day - timedelta(days=world.options.dock_days), time(12), ZoneInfo(zone or "UTC"))
    moment = world.options.moment
    here = (pl.col("sku") == sku) & (pl.col("node_id") == node)

    def more(count: int) -> World:
        if expected >= moment:
            at = expected.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
            row = {"receipt_id": "one more", "sku": sku, "node_id": node, "quantity": count, "is_confirmed": True}
            return world.add_rows("inbound_receipts", pl.DataFrame([{**row, "expected_at": at}]))
        if world.frame("inventory").filter(here).height:
            return world.put("inventory", here, on_hand=pl.col("on_hand").cast(pl.Int64).clip(lower_bound=0) + count)
        return world.add_rows("inventory", pl.DataFrame([{"sku": sku, "node_id": node, "on_hand": count}]))

    return more


def _hour_questions(world: World, result: AllocationResult) -> Iterator[_Question]:
    limits = world.frame("nodes").select("node_id", pl.col("daily_capacity_units").cast(pl.Int64).alias("limit"))
    load = result.allocations.group_by("node_id", "ship_date").agg(pl.col("quantity").sum().alias("load"))
    full = load.join(limits.drop_nulls(), on="node_id", how="inner").filter(pl.col("load") >= pl.col("limit"))
    for node, day, limit in full.sort("ship_date", "node_id").select("node_id", "ship_date", "limit").iter_rows():
        hour = max(1, round(limit / HOURS_PER_DAY))
        words = f"an hour ({hour:,} units) of {node} on {day:%d %b}"
        yield _Question("node_hour", None, node, day, None, hour, words, _longer_day(world, node, day, limit, hour))


def _longer_day(world: World, node: str, day: date, limit: int, hour: int) -> Callable[[int], World]:
    def more(count: int) -> World:
        row = pl.DataFrame([{"node_id": node, "ship_date": day, "capacity_units": limit + count * hour}])
        given = world.frames.get("node_days")
        if given is None:
            return world.with_frame("node_days", row)
        same = (pl.col("node_id") == node) & (pl.col("ship_date") == day)
        if given.filter(same).is_empty():
            return world.add_rows("node_days", row)
        return world.put("node_days", same, capacity_units=pl.lit(limit + count * hour))

    return more


def _carrier_questions(world: World, result: AllocationResult) -> Iterator[_Question]:
    for place, cap in tight_caps(world, result, units=1):
        words = f"a unit a day more that {cap_words(cap)}"
        yield _Question("carrier", None, cap.node_id or "", None, cap.carrier, 1, words, wider_cap(world, place))


def tight_caps(world: World, result: AllocationResult, *, units: int) -> Iterator[tuple[int, CarrierCap]]:
    """Yield the pick-up limits with a day on which so many units more would not fit: place among all, limit."""
    data = world.data()
    zones = data.lines.select("order_id", "line_id", "lane_zone")
    shipped = result.allocations.join(zones, on=["order_id", "line_id"], how="left")
    for place, cap in enumerate(data.carrier_caps):
        scope = {"carrier": cap.carrier, "node_id": cap.node_id, "service": cap.service, "lane_zone": cap.lane_zone}
        mine = shipped.filter(*(pl.col(name) == value for name, value in scope.items() if value is not None))
        load = mine.group_by("ship_date").agg(pl.col("quantity").sum())["quantity"].max()
        if int(str(load or 0)) + units > cap.units:
            yield place, cap


def cap_words(cap: CarrierCap) -> str:
    """Return what a pick-up limit is about: carrier and service, node and zone."""
    name = " ".join(part for part in (cap.carrier, cap.service) if part)
    return f"{name} collects at {cap.node_id or 'every node'}{f' for {cap.lane_zone}' if cap.lane_zone else ''}"


def wider_cap(world: World, place: int) -> Callable[[int], World]:
    """Return the world with one pick-up limit that many units wider."""
    told = world.with_all_caps()
    caps = told.options.carrier_caps

    def more(count: int) -> World:
        wide = replace(caps[place], units=caps[place].units + count)
        return told.with_options(replace(told.options, carrier_caps=(*caps[:place], wide, *caps[place + 1 :])))

    return more


def _floor_questions(world: World) -> Iterator[_Question]:
    """Service floors: what is one unit less of the floor worth?"""
    for row in protected_minima(world.data()).select("floor", "words", "target").iter_rows(named=True):
        words = f"a unit less of the floor of {row['target']:,} for {row['words']}"
        more = _lower_floor(world, row["floor"], row["target"])
        yield _Question("floor", None, "", None, row["words"], 1, words, more)


def _lower_floor(world: World, place: int, target: int) -> Callable[[int], World]:
    frame = world.frame("service_floors")
    here = pl.int_range(pl.len()) == place

    def more(count: int) -> World:
        values = {"floor_rate": pl.lit(0.0), "floor_quantity": pl.lit(max(0, target - count))}
        columns = [
            pl.when(here).then(value).otherwise(pl.col(name) if name in frame.columns else None).alias(name)
            for name, value in values.items()
        ]
        return world.with_frame("service_floors", frame.with_columns(columns))

    return more


def _reserve_questions(world: World, sku: str) -> Iterator[_Question]:
    held = world.frame("channel_reservations").filter(pl.col("sku") == sku, pl.col("quantity") > 0)
    for node, channel in held.select("node_id", "channel").unique().sort("node_id", "channel").iter_rows():
        mask = (pl.col("sku") == sku) & (pl.col("node_id") == node) & (pl.col("channel") == channel)
        words = f"a unit of {sku} at {node} less reserved for {channel}"
        yield _Question(
            "reserve", sku, node, None, channel, 1, words, _less(world, "channel_reservations", mask, "quantity")
        )
    kept = world.frame("inventory").filter(pl.col("sku") == sku, pl.col("safety_stock") > 0)
    for node in kept["node_id"].sort().to_list():
        mask = (pl.col("sku") == sku) & (pl.col("node_id") == node)
        words = f"a unit of {sku} at {node} less safety stock"
        yield _Question(
            "safety_stock", sku, node, None, None, 1, words, _less(world, "inventory", mask, "safety_stock")
        )


def _less(world: World, name: str, mask: pl.Expr, column: str) -> Callable[[int], World]:
    def more(count: int) -> World:
        values: Mapping[str, pl.Expr] = {column: (pl.col(column).cast(pl.Int64) - count).clip(lower_bound=0)}
        return world.put(name, mask, **values)

    return more
