"""`otif why`: which places explain the change of a KPI, and how much of it is mix or chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from otif.command import JsonOption, load_settings

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from dashboards.queries import BuildInfo, Week, Why
    from storage.duck import Connection

_MOST_WEEKS: Final = 52


def why(
    kpi: Annotated[str, typer.Argument(help="a KPI that is a ratio, e.g. otif")],
    week: Annotated[
        str, typer.Option(help="week, e.g. 2026-W46, or FIRST:LAST of several (default: the last complete one)")
    ] = "",
    against: Annotated[
        str,
        typer.Option(
            help="what to compare with: so many weeks before it, FIRST:LAST, or `limits`, those that the natural "
            "limits of the snapshot rest on (default: the 8 weeks before)"
        ),
    ] = "",
    lens: Annotated[str, typer.Option(help="headline or a service profile")] = "headline",
    as_json: JsonOption = False,
) -> None:
    """Say why a KPI moved: mix, the places that stand out, what all share, and chance; the parts add up."""
    from dashboards.queries import build_info, causes_moved, weeks_named, why_moved
    from dashboards.reports.moves import signal_moved
    from dashboards.reports.weekly import last_week
    from otif.render import console, print_json, records
    from storage.publish import open_published

    with open_published(load_settings()) as connection:
        info = build_info(connection)
        asked = weeks_named(week, week_start=info.week_start) if week else last_week(info)
        history = _history(connection, kpi, asked, against, info)
        found = why_moved(connection, kpi, week=asked, history=history, lens=lens)
        causes = causes_moved(connection, kpi, week=asked, history=history, lens=lens)
        signal = None
        if lens == "headline" and asked.weeks == 1 and found.explanation.verdict == "no_change":
            signal = signal_moved(connection, kpi_id=kpi, week=asked.name)
    if as_json:
        from dataclasses import asdict

        asked_for = {"kpi": kpi, "week": asked.name, "against": history.name, "weeks": history.weeks, "lens": lens}
        restated = {
            "restated_before": found.restated_before and asdict(found.restated_before),
            "restated_now": found.restated_now and asdict(found.restated_now),
        }
        print_json({**asked_for, **asdict(found.explanation), **restated, "causes": records(causes)})
        return
    change, verdict, parts = found.sentences()
    print(change)
    print(verdict)
    if found.explanation.drivers:
        console.print(_table(found))
    print(parts)
    for sentence in found.restatements():
        print(sentence)
    if signal and signal.history != history:
        apart = (signal.explanation.now - signal.explanation.before) * 100
        print(
            f"But the snapshot shows a signal: against {signal.history_words}, on which its limits rest, the change is "
            f"{apart:+.1f} pp. See --against limits"
        )
    if not causes.is_empty():
        console.print(_causes_table(causes, history.weeks))


def _history(connection: Connection, kpi: str, week: Week, against: str, info: BuildInfo) -> Week:
    """Return the weeks to compare with.

    Raises:
        QuestionError: Neither a number of weeks, nor weeks, nor `limits`; or nothing can judge the week.
    """
    from dashboards.errors import QuestionError
    from dashboards.queries import weeks_before, weeks_named
    from dashboards.reports.tiles import limits_weeks, weekly_history

    if not against:
        return weeks_before(week)
    if against.isdigit():
        if not 1 <= int(against) <= _MOST_WEEKS:
            message = f"--against {against}: expected 1 to {_MOST_WEEKS} weeks, FIRST:LAST or `limits`"
            raise QuestionError(message)
        return weeks_before(week, int(against))
    if against != "limits":
        return weeks_named(against, week_start=info.week_start)
    limits = limits_weeks(weekly_history(connection, kpi, week), week)
    if limits is None:
        message = f"{kpi} has no weeks before {week.name} that natural limits could rest on"
        raise QuestionError(message)
    return limits


def _causes_table(causes: pl.DataFrame, weeks: int) -> RenderableType:
    from dashboards.formats import words
    from otif.render import table

    rows = [
        (words(row["miss_cause"]), f"{row['usual']:.1f}", row["orders"], f"{row['orders'] - row['usual']:+.1f}")
        for row in causes.iter_rows(named=True)
    ]
    numbers = (f"a week, {weeks} before", "now", "change")
    return table("", (("cause of missed orders", "left"), *((name, "right") for name in numbers)), rows)


def _table(why: Why) -> RenderableType:
    from dashboards.queries import drivers_table
    from otif.render import table

    rows = [
        (
            row["driver"] + (f" (= {row['also']})" if row["also"] else ""),
            f"{row['share']:.0%}",
            f"{row['before']:.1%}",
            f"{row['expected']:.1%}",
            f"{row['now']:.1%}",
            f"{row['effect'] * 100:+.1f}",
            f"{row['distance']:+.1f}",
        )
        for row in drivers_table(why).iter_rows(named=True)
    ]
    numbers = ("share", "before", "expected", "now", "pp", "sigmas")
    return table("", (("place", "left"), *((name, "right") for name in numbers)), rows)
