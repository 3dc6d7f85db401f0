"""What moved a KPI whose week is a signal: the week against the weeks that its natural limits rest on.

The weeks right before may have moved already; against them a KPI that stays bad is no change at all.
"""

from __future__ import annotations

from dashboards.formats import change_text, value_text
from dashboards.queries import Why, build_info, week_named, why_moved
from dashboards.queries.frames import read
from dashboards.queries.kpis import NO_INTERVAL
from dashboards.reports.facts import DriverFacts, MoveFacts
from dashboards.reports.tiles import judge, limits_weeks, weekly_history
from storage.duck import Connection


def signal_moved(connection: Connection, *, kpi_id: str, week: str) -> Why | None:
    """Explain a week that is a signal.

    Args:
        connection: Open publication.
        kpi_id: A KPI of the catalogue.
        week: Name of the week.

    Returns:
        Null where the week is routine, the KPI cannot be split into places (no ratio of orders or lines), or its
        history does not reach the week.
    """
    chosen = week_named(week, week_start=build_info(connection).week_start)
    unit = read(connection, "select unit from metrics.kpi_catalogue where kpi_id = $kpi", {"kpi": kpi_id})
    if unit.is_empty() or unit.item() != "ratio" or kpi_id in NO_INTERVAL:
        return None
    history = weekly_history(connection, kpi_id, chosen)
    limits = limits_weeks(history, chosen)
    if limits is None or history["period"][-1] != chosen.start or judge(history, "ratio").state != "signal":
        return None
    return why_moved(connection, kpi_id, week=chosen, history=limits)


def moved_facts(connection: Connection, *, kpi_id: str, week: str) -> MoveFacts | None:
    """Return what the snapshot says of it; null where there is nothing to say."""
    found = signal_moved(connection, kpi_id=kpi_id, week=week)
    if found is None:
        return None
    change, verdict, parts = found.sentences()
    drivers = tuple(
        DriverFacts(
            place=driver.words,
            share=f"{driver.share:.0%}",
            expected=value_text(driver.rate_expected, "ratio"),
            now=value_text(driver.rate_now, "ratio"),
            effect=change_text(driver.effect, "ratio"),
        )
        for driver in found.explanation.drivers
    )
    return MoveFacts(change=change, verdict=verdict, parts=parts, drivers=drivers)
