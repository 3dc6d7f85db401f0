"""`otif why`: which places explain the change of a KPI, and how much of it is mix or chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from otif.command import JsonOption, load_settings

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from dashboards.queries import Why


def why(
    kpi: Annotated[str, typer.Argument(help="a KPI that is a ratio, e.g. otif")],
    week: Annotated[str, typer.Option(help="week, e.g. 2026-W46 (default: the last complete one)")] = "",
    weeks: Annotated[int, typer.Option(min=1, max=52, help="weeks before it to compare with")] = 8,
    lens: Annotated[str, typer.Option(help="headline or a service profile")] = "headline",
    as_json: JsonOption = False,
) -> None:
    """Say why a KPI moved: mix, the places that stand out, what all share, and chance; the parts add up."""
    from dashboards.queries import build_info, causes_moved, week_named, why_moved
    from dashboards.reports.weekly import last_week
    from otif.render import console, print_json, records
    from storage.publish import open_published

    with open_published(load_settings()) as connection:
        info = build_info(connection)
        asked = week_named(week, week_start=info.week_start) if week else last_week(info)
        found = why_moved(connection, kpi, week=asked, weeks=weeks, lens=lens)
        causes = causes_moved(connection, kpi, week=asked, weeks=weeks, lens=lens)
    if as_json:
        from dataclasses import asdict

        asked_for = {"kpi": kpi, "week": asked.name, "weeks": weeks, "lens": lens}
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
    if not causes.is_empty():
        console.print(_causes_table(causes, weeks))


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
    numbers = ("share", "before", "expected", "now", "points", "sigmas")
    return table("", (("place", "left"), *((name, "right") for name in numbers)), rows)
