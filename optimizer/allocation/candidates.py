"""Where and when each open line could ship: the calendar and the arc rules A1-A6 of FORMULATION.md.

Belongs here: facts of dates and lanes. Not here: stock, capacity (arcs.py, model.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import INSTANT, parse_days, parse_time
from optimizer.allocation.money import late_cents

LANE_DAY_SCHEMA = {
    "node_id": pl.String(),
    "lane_zone": pl.String(),
    "carrier": pl.String(),
    "service": pl.String(),
    "freight_cents": pl.Int64(),
    "day": pl.Int64(),
    "ship_date": pl.Date(),
    "arrival_date": pl.Date(),
    "ship_at": INSTANT,
    "arrive_at": INSTANT,
}


def base_date(data: AllocationData) -> date:
    """Return the date of day 0: the earliest local date of `as_of` at any node."""
    moment = data.options.moment
    zones = [ZoneInfo(zone or "UTC") for zone in data.nodes["zone"].to_list()] or [ZoneInfo("UTC")]
    return min(moment.astimezone(zone).date() for zone in zones)


def ship_days(data: AllocationData) -> dict[str, list[tuple[int, date, datetime]]]:
    """Return for each node its ship days: day index, local date and the instant of the cut-off (UTC)."""
    first = base_date(data)
    return {
        node["node_id"]: list(_node_days(node, data.options.moment, first, data.options.horizon_days))
        for node in data.nodes.iter_rows(named=True)
    }


def _node_days(
    node: dict[str, Any], moment: datetime, first: date, horizon: int
) -> Iterator[tuple[int, date, datetime]]:
    zone = ZoneInfo(node["zone"] or "UTC")
    cut_off, weekdays = parse_time(node["cut_off_time"]), parse_days(node["operating_days"])
    today = moment.astimezone(zone).date()
    for day in (today + timedelta(days=offset) for offset in range(horizon)):
        ship_at = datetime.combine(day, cut_off, tzinfo=zone).astimezone(UTC)  # type: ignore[arg-type]
        if day.isoweekday() in (weekdays or ()) and ship_at > moment:
            yield (day - first).days, day, ship_at


def lane_days(data: AllocationData) -> pl.DataFrame:
    """Return one row per lane and ship day: when a unit leaves and when it arrives."""
    days, hour = ship_days(data), data.options.arrival_hour
    zones = {node_id: ZoneInfo(zone or "UTC") for node_id, zone in data.nodes.select("node_id", "zone").iter_rows()}
    rows = []
    for lane in data.lanes.iter_rows(named=True):
        for day, ship_date, ship_at in days[lane["node_id"]]:
            arrival = ship_date + timedelta(days=lane["transit_days"])
            arrive_at = datetime(arrival.year, arrival.month, arrival.day, hour, tzinfo=zones[lane["node_id"]])
            rows.append(
                (
                    lane["node_id"],
                    lane["lane_zone"],
                    lane["carrier"],
                    lane["service"],
                    lane["cost_cents"],
                    day,
                    ship_date,
                    arrival,
                    ship_at.replace(tzinfo=None),
                    # A same-day delivery after the arrival hour still arrives after it left.
                    max(arrive_at.astimezone(UTC), ship_at).replace(tzinfo=None),
                )
            )
    return pl.DataFrame(rows, schema=LANE_DAY_SCHEMA, orient="row")


def candidates(data: AllocationData, lines: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Return every (line, lane, ship day) that the dates allow, with its money.

    Args:
        data: The problem.
        lines: The lines to look at (rows of `data.lines`).
        calendar: `lane_days(data)`.

    Returns:
        One row per arc: line attributes, lane and day, `days_late`, `late_cents`, `waiting_cents` and `gain_cents`, the
        gain per unit of shipping it against leaving it short.
    """
    open_lines = lines.filter(~pl.col("is_on_hold"))
    dated = open_lines.join(calendar, on="lane_zone", how="inner").filter(
        (pl.col("ship_at") >= pl.col("not_before_at")).fill_null(value=True),
        (pl.col("ship_at") <= pl.col("cancel_after_at")).fill_null(value=True),
    )
    weights = data.options.weights
    return (
        dated.with_columns(_days_late().alias("days_late"))
        .with_columns(
            late_cents(weights).alias("late_cents"),
            (pl.col("day") * weights.waiting_cents).alias("waiting_cents"),
        )
        .with_columns(
            (
                pl.col("margin_cents")
                + pl.col("short_cents")
                - pl.col("freight_cents")
                - pl.col("late_cents")
                - pl.col("waiting_cents")
            ).alias("gain_cents")
        )
        .sort("line", "node_id", "day", "carrier", "service")
    )


def _days_late() -> pl.Expr:
    past_need = _started_days(pl.col("arrive_at") - pl.col("need_at"))
    past_ship_by = _started_days(pl.col("ship_at") - pl.col("ship_by_at"))
    return pl.max_horizontal(past_need, past_ship_by).fill_null(0)


def _started_days(delay: pl.Expr) -> pl.Expr:
    microseconds = delay.dt.total_microseconds().clip(lower_bound=0)
    return (microseconds + 86_400_000_000 - 1) // 86_400_000_000
