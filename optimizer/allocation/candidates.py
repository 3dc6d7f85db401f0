"""Where and when each open line could ship: the calendar and the arc rules A1-A9 of FORMULATION.md.

Belongs here: facts of dates, lanes, eligibility and planners' excludes. Not here: stock, capacity (arcs.py, model.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import and_, or_
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import CARRIER_CLOSURES, INSTANT, NODE_DAYS, parse_days, parse_time
from optimizer.allocation.money import late_cents

LANE_DAY_SCHEMA = {
    "node_id": pl.String(),
    "lane_zone": pl.String(),
    "carrier": pl.String(),
    "service": pl.String(),
    "freight_cents": pl.Int64(),
    "needs_appointment": pl.Boolean(),
    "lane_handling": pl.String(),
    "day": pl.Int64(),
    "ship_date": pl.Date(),
    "arrival_date": pl.Date(),
    "ship_at": INSTANT,
    "arrive_at": INSTANT,
}

_SCOPE: Final = ("order_id", "line_id", "sku", "customer_id", "channel", "node_id", "carrier", "service", "ship_date")
"""Columns by which a planner's decision may name what it is about; an empty one means any."""

_ASKED: Final = (
    *("line", "sku", "channel", "customer_id", "lane_zone", "is_on_hold"),
    *("not_before_at", "deliver_not_before_at", "cancel_after_at", "need_at", "ship_by_at", "min_shelf_life_days"),
    *("work_units", "is_consumer", "margin_cents", "fine_cents", "short_cents"),
)

_LONGEST: Final = 400
"""Calendar days after which a transit counts as endless: a carrier without a day of service never arrives."""


def base_date(data: AllocationData) -> date:
    """Return the date of day 0: the earliest local date of `as_of` at any node."""
    moment = data.options.moment
    zones = [ZoneInfo(zone or "UTC") for zone in data.nodes["zone"].to_list()] or [ZoneInfo("UTC")]
    return min(moment.astimezone(zone).date() for zone in zones)


def ship_days(data: AllocationData) -> dict[str, list[tuple[int, date, datetime]]]:
    """Return for each node its ship days: day index, local date and the instant of the cut-off (UTC)."""
    first = base_date(data)
    special = {(row["node_id"], row["ship_date"]): row for row in data.extras[NODE_DAYS.name].iter_rows(named=True)}
    return {
        node["node_id"]: list(_node_days(node, data.options.moment, first, data.options.horizon_days, special))
        for node in data.nodes.iter_rows(named=True)
    }


def _node_days(
    node: dict[str, Any],
    moment: datetime,
    first: date,
    horizon: int,
    special: dict[tuple[str, date], dict[str, Any]],
) -> Iterator[tuple[int, date, datetime]]:
    zone = ZoneInfo(node["zone"] or "UTC")
    weekdays = parse_days(node["operating_days"]) or frozenset()
    today = moment.astimezone(zone).date()
    for day in (today + timedelta(days=offset) for offset in range(horizon)):
        own = special.get((node["node_id"], day), {})
        is_open = day.isoweekday() in weekdays if own.get("is_closed") is None else not own["is_closed"]
        ship_at = _instant(day, own.get("cut_off_time") or node["cut_off_time"], zone)
        if is_open and ship_at > moment:
            yield (day - first).days, day, ship_at


def _instant(day: date, cut_off: str | None, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, parse_time(cut_off) or time(), tzinfo=zone).astimezone(UTC)


def lane_days(data: AllocationData) -> pl.DataFrame:
    """Return one row per lane and day on which its carrier picks up: when a unit leaves and when it arrives."""
    days, hour = ship_days(data), data.options.arrival_hour
    zones = {node_id: ZoneInfo(zone or "UTC") for node_id, zone in data.nodes.select("node_id", "zone").iter_rows()}
    closed: dict[str, set[date]] = {}
    for carrier, day in data.extras[CARRIER_CLOSURES.name].iter_rows():
        closed.setdefault(carrier, set()).add(day)
    rows = []
    for lane in data.lanes.iter_rows(named=True):
        zone, off = zones[lane["node_id"]], closed.get(lane["carrier"], set())
        pickup, transit = (parse_days(lane[name]) or frozenset() for name in ("pickup_days", "transit_weekdays"))
        for day, ship_date, node_cut_off in days[lane["node_id"]]:
            ship_at = node_cut_off
            if lane["cut_off_time"]:
                ship_at = min(ship_at, _instant(ship_date, lane["cut_off_time"], zone))
            arrival = _arrival(ship_date, lane["transit_days"], transit, off)
            if ship_date.isoweekday() not in pickup or ship_date in off or ship_at <= data.options.moment:
                continue
            if arrival is None:
                continue
            arrive_at = datetime(arrival.year, arrival.month, arrival.day, hour, tzinfo=zone)
            rows.append(
                (
                    lane["node_id"],
                    lane["lane_zone"],
                    lane["carrier"],
                    lane["service"],
                    lane["cost_cents"],
                    lane["needs_appointment"],
                    lane["handling"],
                    day,
                    ship_date,
                    arrival,
                    ship_at.replace(tzinfo=None),
                    # A same-day delivery after the arrival hour still arrives after it left.
                    max(arrive_at.astimezone(UTC), ship_at).replace(tzinfo=None),
                )
            )
    return pl.DataFrame(rows, schema=LANE_DAY_SCHEMA, orient="row")


def _arrival(ship_date: date, transit_days: int, weekdays: frozenset[int], closed: set[date]) -> date | None:
    """Return the day on which the carrier has moved so many of its days, None if it never does."""
    if len(weekdays) == 7 and not closed:
        return ship_date + timedelta(days=transit_days)
    day, left = ship_date, transit_days
    while left:
        day += timedelta(days=1)
        if (day - ship_date).days > _LONGEST:
            return None
        left -= day.isoweekday() in weekdays and day not in closed
    return day


def candidates(data: AllocationData, lines: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Return every (line, lane, ship day) that dates, eligibility and planners allow, with its money.

    Args:
        data: The problem.
        lines: The lines to look at (rows of `data.lines`).
        calendar: `lane_days(data)`.

    Returns:
        One row per arc: line attributes, lane and day, `use` (node capacity per unit), `fresh_until` (the date up to
        which its units must keep), `days_late`, `late_cents`, `waiting_cents`, `override_cents` and `gain_cents`, the
        gain per unit of shipping it against leaving it short.
    """
    return ways(data, lines, calendar).sort("line", "node_id", "day", "carrier", "service")


def asked_columns(data: AllocationData) -> tuple[str, ...]:
    """Return the columns of lines that `ways` needs; names and handling only where a rule of the problem asks."""
    is_named = any(data.extras[name].height for name in ("planner_decisions", "line_nodes", "last_plan"))
    names = ("order_id", "line_id") if is_named else ()
    return (*_ASKED, *names, "handling") if data.lines["handling"].count() else (*_ASKED, *names)


def ways(data: AllocationData, lines: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Return `candidates` in no order, with the columns that the lines came with."""
    open_lines = lines.filter(~pl.col("is_on_hold"))
    dated = open_lines.join(calendar, on="lane_zone", how="inner").filter(
        (pl.col("ship_at") >= pl.col("not_before_at")).fill_null(value=True),
        (pl.col("arrive_at") >= pl.col("deliver_not_before_at")).fill_null(value=True),
        (pl.col("ship_at") <= pl.col("cancel_after_at")).fill_null(value=True),
    )
    allowed = _permitted(_routed(_handled(_at_nodes(dated, data), data), data), data)
    weights = data.options.weights
    return (
        allowed.with_columns(
            _days_late().alias("days_late"),
            (pl.col("arrival_date") + pl.duration(days=pl.col("min_shelf_life_days").fill_null(0))).alias(
                "fresh_until"
            ),
        )
        .with_columns(
            late_cents(weights).alias("late_cents"),
            (pl.col("day") * weights.waiting_cents).alias("waiting_cents"),
            _overrides(data).alias("override_cents"),
        )
        .with_columns(
            (
                pl.col("margin_cents")
                + pl.col("short_cents")
                + pl.col("override_cents")
                - pl.col("freight_cents")
                - pl.col("late_cents")
                - pl.col("waiting_cents")
            ).alias("gain_cents")
        )
    )


def _at_nodes(dated: pl.DataFrame, data: AllocationData) -> pl.DataFrame:
    """Apply what is known of a line at a node: excluded, capacity use, freight."""
    own = data.extras["line_nodes"]
    if own.is_empty():
        return dated.with_columns(pl.col("work_units").alias("use"))
    key = ["order_id", "line_id", "node_id"]
    joined = dated.join(own, on=key, how="left", maintain_order="left")
    return joined.filter(~pl.col("is_excluded").fill_null(value=False)).with_columns(
        pl.coalesce("capacity_use", "work_units").alias("use"),
        pl.coalesce("cost_per_unit", "freight_cents").alias("freight_cents"),
    )


def handling_classes(text: str | None) -> frozenset[str]:
    """Return the handling classes that a text lists, split at commas, semicolons and blanks."""
    return frozenset((text or "").lower().replace(",", " ").replace(";", " ").split())


def _handled(dated: pl.DataFrame, data: AllocationData) -> pl.DataFrame:
    """Keep arcs whose node and lane handle all that the line's goods need; a side that says nothing is not asked."""
    if not data.lines["handling"].count():
        return dated
    kept = dated.join(data.nodes.select("node_id", pl.col("handling").alias("node_handling")), on="node_id", how="left")
    sides = {"node_handling": data.nodes["handling"], "lane_handling": data.lanes["handling"]}
    for name, column in sides.items():
        if column.count():
            pairs = kept.select("handling", name).unique()
            able = [handling_classes(needs) <= handling_classes(can) for needs, can in pairs.iter_rows()]
            kept = kept.join(pairs.filter(pl.Series(able, dtype=pl.Boolean)), on=["handling", name], nulls_equal=True)
    return kept.drop("node_handling")


def _routed(dated: pl.DataFrame, data: AllocationData) -> pl.DataFrame:
    """Keep for customers with a routing guide the lanes that it names."""
    guide = data.extras["routing_guide"]
    if guide.is_empty():
        return dated
    lanes = dated.select("customer_id", "carrier", "service", "lane_zone").unique()
    named = (
        lanes.join(guide, on=["customer_id", "carrier"], how="inner", suffix="_guide")
        .filter(
            (pl.col("service") == pl.col("service_guide")).fill_null(value=True),
            (pl.col("lane_zone") == pl.col("lane_zone_guide")).fill_null(value=True),
        )
        .select(lanes.columns)
        .unique()
    )
    free = lanes.join(guide, on="customer_id", how="anti")
    return dated.join(pl.concat([named, free]), on=lanes.columns, how="semi", nulls_equal=True)


def scope_of(decision: dict[str, Any]) -> pl.Expr:
    """Return whether an arc falls under a planner's decision."""
    named = [pl.col(name) == pl.lit(decision[name]) for name in _SCOPE if decision[name] is not None]
    return reduce(and_, named, pl.lit(value=True)).fill_null(value=False)


def planner_rows(data: AllocationData, decision: str) -> list[dict[str, Any]]:
    """Return the planners' decisions of a kind (lock, exclude, override)."""
    kind = pl.col("decision").str.to_lowercase()
    return list(data.extras["planner_decisions"].filter(kind == decision).iter_rows(named=True))


def _permitted(dated: pl.DataFrame, data: AllocationData) -> pl.DataFrame:
    excluded = [scope_of(row) for row in planner_rows(data, "exclude")]
    return dated.filter(~reduce(or_, excluded)) if excluded else dated


def _overrides(data: AllocationData) -> pl.Expr:
    added = [
        pl.when(scope_of(row)).then(pl.lit(row["value_per_unit"], dtype=pl.Int64)).otherwise(0)
        for row in planner_rows(data, "override")
    ]
    return pl.sum_horizontal(added) if added else pl.lit(0, dtype=pl.Int64)


def _days_late() -> pl.Expr:
    past_need = _started_days(pl.col("arrive_at") - pl.col("need_at"))
    past_ship_by = _started_days(pl.col("ship_at") - pl.col("ship_by_at"))
    return pl.max_horizontal(past_need, past_ship_by).fill_null(0)


def _started_days(delay: pl.Expr) -> pl.Expr:
    microseconds = delay.dt.total_microseconds().clip(lower_bound=0)
    return (microseconds + 86_400_000_000 - 1) // 86_400_000_000
