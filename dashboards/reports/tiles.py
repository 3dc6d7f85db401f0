"""Tiles and trends of the weekly snapshot: which figure a KPI shows, what it compares with, whether it is a signal.

Three KPIs do not show the week itself: stocks (backorders) stand as of the build, returns and chargebacks arrive weeks
after shipment and show the last four matured ship weeks, cycle time shows the 90th percentile of the whole order.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from dashboards.formats import change_text, count_text, day_text, value_text
from dashboards.queries import BuildInfo, Week, joined, kpi_table, week_containing
from dashboards.queries.frames import read
from dashboards.reports.facts import Tile, TrendFacts, Verdict
from dashboards.signals import BASELINE, Reading, read_latest
from storage.duck import Connection

HISTORY_WEEKS: Final = 56
_TRAILING: Final = 6
_MOST_TILES: Final = 8
# On time and in full stand inside the OTIF tile: the three belong together and are never multiplied.
_FOLDED: Final = {"on_time": "on time", "in_full": "in full"}
_MATURED: Final = frozenset({"return_rate", "chargeback_rate", "chargeback_amount", "perfect_order"})
_MATURED_WEEKS: Final = 4
_STOCKS: Final = frozenset({"backorder_units", "backorder_value"})
_MATERIALITY: Final = {"ratio": 0.005, "hours": 1.0, "money": 100.0, "units": 5.0}
_FULL_WEEK: Final = 0.5
_SETTLED: Final = 0.9
_WHOLE_ORDER: Final = "capture_to_deliver"


def tile_catalogue(connection: Connection) -> pl.DataFrame:
    """Return the KPIs that the catalogue marks as tiles, in its order, eight at most.

    On time and in full are left out where they stand inside the OTIF tile, or cannot be measured either.
    """
    return read(
        connection,
        """
        with tiles as (
            select catalogue.*, coalesce(availability.is_available, true) as is_available
            from metrics.kpi_catalogue as catalogue
            left join metrics.kpi_availability as availability on catalogue.kpi_id = availability.kpi_id
            where catalogue.is_tile
        )
        select kpi_id, kpi_name, definition, unit, higher_is_better
        from tiles
        where not list_contains($folded, kpi_id)
            or (is_available and not exists (select 1 from tiles where kpi_id = 'otif' and is_available))
        order by display_order, kpi_id
        limit $limit
        """,
        {"limit": _MOST_TILES, "folded": list(_FOLDED)},
    )


def weekly_history(connection: Connection, kpi_id: str, week: Week) -> pl.DataFrame:
    """Return one KPI per week, up to and including a week.

    Cycle time is the 90th percentile of the whole order. Weeks that still change by their nature are left out: ship
    weeks whose returns or deductions have not matured, capture weeks of which more than a tenth is under way.
    """
    until = week
    if kpi_id in _MATURED:
        until = _last_matured(connection, kpi_id, week) or week
    frame = kpi_table(
        connection, kpis=[kpi_id], grain="week", date_from=week.back(HISTORY_WEEKS).start, date_to=until.end
    )
    history = whole_order(frame).filter(pl.col("period").is_not_null()).sort("period")
    return history.filter(_is_settled()) if kpi_id == "cycle_time" else history


def _is_settled() -> pl.Expr:
    return pl.col("observations") >= _SETTLED * (pl.col("observations") + pl.col("still_open").fill_null(0))


def whole_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Reduce cycle-time rows to the stage that spans the order, with p90 as the value; leave other KPIs alone."""
    if frame["stage_id"].null_count() == frame.height:
        return frame
    spans = frame.group_by("stage_id").agg(pl.col("value").mean()).drop_nulls().sort("value", "stage_id")
    known = spans["stage_id"].to_list()
    # Where the catalogue of stages names no whole, the longest stage is the one that spans the others.
    span = _WHOLE_ORDER if _WHOLE_ORDER in known or not known else known[-1]
    return frame.filter(pl.col("stage_id") == span).with_columns(value=pl.col("p90"))


def judge(history: pl.DataFrame, unit: str) -> Reading:
    """Judge the last week of a history; leading thin weeks (a data feed starting up) do not count."""
    known = _judged(history)
    return read_latest(known["value"].to_list() or [0.0], materiality=_MATERIALITY.get(unit, 0.0))


def limits_weeks(history: pl.DataFrame, week: Week) -> Week | None:
    """Return the weeks that the natural limits of a week rest on, as one period; null where it cannot be judged."""
    starts = [start for start in _judged(history)["period"].to_list() if start < week.start][:BASELINE]
    if not starts:
        return None
    first, last = (week.back((week.start - start).days // 7) for start in (starts[0], starts[-1]))
    return joined(first, last)


def _judged(history: pl.DataFrame) -> pl.DataFrame:
    """Return the weeks with a value, from the first one of usual size on."""
    known = history.filter(pl.col("value").is_not_null())
    if known.is_empty():
        return known
    usual = float(known["observations"].cast(pl.Float64).median() or 0.0)  # type: ignore[arg-type]
    full = (known["observations"] >= usual * _FULL_WEEK).to_list()
    return known[full.index(True) if True in full else 0 :]


def build_tile(connection: Connection, kpi: dict[str, Any], week: Week, info: BuildInfo) -> tuple[Tile, Reading | None]:
    """Return the tile of one KPI and the XmR reading behind it (none for stocks and matured cohorts)."""
    kpi_id, unit = kpi["kpi_id"], kpi["unit"]
    if kpi_id in _STOCKS:
        current = _one(kpi_table(connection, kpis=[kpi_id]))
        return _tile(kpi, current, None, None, info, against="", note=f"as of {day_text(info.as_of_date)}"), None
    if kpi_id in _MATURED:
        return _matured_tile(connection, kpi, week, info), None
    history = weekly_history(connection, kpi_id, week)
    rows = {row["period"]: row for row in history.iter_rows(named=True)}
    shown = _shown_week(history, week) if kpi_id == "cycle_time" else week
    current = rows.get(shown.start) or _this_week(connection, kpi_id, week)
    reading = judge(history, unit) if shown.start in rows else None
    change = _difference(current, rows.get(shown.back(1).start))
    note = _note(connection, kpi_id, week, shown)
    against = "on last week" if shown == week else "on the week before"
    return _tile(kpi, current, change, reading, info, against=against, note=note), reading


def _shown_week(history: pl.DataFrame, week: Week) -> Week:
    if history.is_empty():
        return week
    return week.back((week.start - history["period"][-1]).days // 7)


def _this_week(connection: Connection, kpi_id: str, week: Week) -> dict[str, Any]:
    asked = kpi_table(connection, kpis=[kpi_id], date_from=week.start, date_to=week.end)
    reduced = whole_order(asked)
    return _one(asked if reduced.is_empty() else reduced)


def _note(connection: Connection, kpi_id: str, week: Week, shown: Week) -> str:
    if kpi_id == "cycle_time":
        cohort = "" if shown == week else f", ordered in {_week_label(shown.start)}: later weeks are still under way"
        return f"90th percentile, order to delivery{cohort}"
    if kpi_id != "otif":
        return ""
    known = read(connection, "select kpi_id from metrics.kpi_catalogue")["kpi_id"].to_list()
    parts = kpi_table(
        connection, kpis=[part for part in _FOLDED if part in known], date_from=week.start, date_to=week.end
    )
    return ", ".join(
        f"{_FOLDED[row['kpi_id']]} {value_text(row['value'], 'ratio')}"
        for row in parts.iter_rows(named=True)
        if row["kpi_id"] in _FOLDED and row["value"] is not None
    )


def cohort_days(connection: Connection, kpi_id: str, week: Week) -> tuple[date | None, date | None]:
    """Return the first and last day of the cohort that a KPI's tile shows; open ends for a stock."""
    if kpi_id in _STOCKS:
        return None, None
    if kpi_id in _MATURED:
        last = _last_matured(connection, kpi_id, week) or week
        return last.back(_MATURED_WEEKS - 1).start, last.end
    shown = _shown_week(weekly_history(connection, kpi_id, week), week) if kpi_id == "cycle_time" else week
    return shown.start, shown.end


def _matured_tile(connection: Connection, kpi: dict[str, Any], week: Week, info: BuildInfo) -> Tile:
    last = _last_matured(connection, kpi["kpi_id"], week)
    if last is None:
        current = _one(kpi_table(connection, kpis=[kpi["kpi_id"]], date_from=week.start, date_to=week.end))
        note = "no ship week has matured yet" if current["value"] is not None else ""
        return _tile(kpi, current, None, None, info, against="", note=note)
    windows = [(last.back(offset + _MATURED_WEEKS - 1).start, last.back(offset).end) for offset in (0, _MATURED_WEEKS)]
    current, before = (
        _one(kpi_table(connection, kpis=[kpi["kpi_id"]], date_from=start, date_to=end)) for start, end in windows
    )
    start, end = windows[0]
    share = _share_of_sales(connection, kpi["kpi_id"], start, end)
    note = f"{share}shipped {start.day} {start:%b} to {end.day} {end:%b}, matured"
    return _tile(
        kpi,
        current,
        _difference(current, before),
        None,
        info,
        against=f"on the {_MATURED_WEEKS} weeks before",
        note=note,
    )


def _share_of_sales(connection: Connection, kpi_id: str, start: date, end: date) -> str:
    if kpi_id != "chargeback_amount":
        return ""
    rate = _one(kpi_table(connection, kpis=["chargeback_rate"], date_from=start, date_to=end))["value"]
    return f"{value_text(rate, 'ratio')} of invoiced, " if rate is not None else ""


def _last_matured(connection: Connection, kpi_id: str, week: Week) -> Week | None:
    """Return the last week with matured rows before the first one of which something may still change."""
    matured, changing = read(
        connection,
        """
        select
            min(period_date) filter (not is_provisional and period_date <= $until),
            min(period_date) filter (is_provisional)
        from metrics.kpi_values
        where kpi_id = $kpi_id
        """,
        {"kpi_id": kpi_id, "until": week.end},
    ).row(0)
    if matured is None:
        return None
    week_start = "sunday" if week.start.isoweekday() == 7 else "monday"
    last = week
    if changing is not None and changing <= week.end:
        last = week_containing(changing, week_start=week_start).back(1)
    return last if matured <= last.end else None


def _one(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True)


def _difference(current: dict[str, Any], before: dict[str, Any] | None) -> float | None:
    if before is None or before["value"] is None or current["value"] is None:
        return None
    return float(current["value"] - before["value"])


def _tile(
    kpi: dict[str, Any],
    current: dict[str, Any],
    change: float | None,
    reading: Reading | None,
    info: BuildInfo,
    *,
    against: str,
    note: str,
) -> Tile:
    unit, value = kpi["unit"], current["value"]
    target = current["target"]
    verdict: Verdict = "none"
    if value is not None and target is not None:
        verdict = "good" if current["meets_target"] else "bad"
    provisional = "provisional" if current["is_provisional"] and value is not None else ""
    return Tile(
        kpi_id=kpi["kpi_id"],
        name=kpi["kpi_name"],
        value=value_text(value, unit, currency=info.currency),
        count=f"n = {count_text(current['observations'])}" if value is not None else "",
        change=change_text(change, unit, currency=info.currency) if change is not None else "",
        against=against if change is not None else "",
        target=f"target {value_text(target, unit, currency=info.currency)}" if target is not None else "",
        verdict=verdict,
        state="unavailable" if value is None else reading.state if reading else "unknown",
        comment=(current["reason"] or "not measurable") if value is None else reading.comment if reading else "",
        note="; ".join(part for part in (note, provisional) if part),
    )


def build_trend(connection: Connection, kpi: dict[str, Any], week: Week, info: BuildInfo) -> TrendFacts | None:
    """Return the trailing six weeks and twelve months of a KPI; none for stocks and KPIs without two weeks."""
    kpi_id, unit = kpi["kpi_id"], kpi["unit"]
    if kpi_id in _STOCKS:
        return None
    history = weekly_history(connection, kpi_id, week).filter(pl.col("value").is_not_null())
    recent = history.tail(_TRAILING)
    if recent.height < 2:
        return None
    until = week.back((week.start - history["period"][-1]).days // 7).end
    year_ago = date(until.year - 1, until.month, 1)
    by_month = whole_order(
        kpi_table(connection, kpis=[kpi_id], grain="month", date_from=year_ago, date_to=until)
    ).filter(pl.col("period").is_not_null() & pl.col("value").is_not_null())
    first_day = history["period"][0]
    target = recent["target"][-1]
    weeks = tuple(
        (_week_label(row["period"]), row["value"], bool(row["is_provisional"])) for row in recent.iter_rows(named=True)
    )
    months = tuple(
        (f"{row['period']:%b}", row["value"], _is_partial(row["period"], first_day, until))
        for row in by_month.sort("period").tail(12).iter_rows(named=True)
    )
    first, last = (value_text(recent["value"][index], unit, currency=info.currency) for index in (0, -1))
    aim = f", target {value_text(target, unit, currency=info.currency)}" if target is not None else ""
    return TrendFacts(
        kpi_id=kpi_id,
        name=kpi["kpi_name"] + (", p90" if kpi_id == "cycle_time" else ""),
        unit=unit,
        target=target,
        weeks=weeks,
        months=months,
        alt_text=f"{kpi['kpi_name']} by week: {first} in {weeks[0][0]}, {last} in {weeks[-1][0]}{aim}",
    )


def _week_label(start: date) -> str:
    day = start + timedelta(days=1) if start.isoweekday() == 7 else start
    return f"W{day.isocalendar()[1]:02d}"


def _is_partial(month: date, first_day: date, last_day: date) -> bool:
    following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return month < first_day or following > last_day + timedelta(days=1)
