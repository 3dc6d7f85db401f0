"""`otif kpis --passport`: the rows behind a number, what was left out, where all came from, and whether it recounts."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import typer

from otif.command import EXIT_FAILED, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboards.queries import Figure, Passport

SHOWN_ROWS = 20
"""Rows a table shows where no limit is given; json and csv give all."""


def place_of(words: Sequence[str]) -> dict[str, str]:
    """Read `dim=value` words.

    Raises:
        typer.BadParameter: A word has no equals sign.
    """
    place = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            message = f"--where {word!r}: expected dimension=value, e.g. channel=dtc"
            raise typer.BadParameter(message)
        place[name.strip()] = value.strip()
    return place


def show_passport(
    kpi_id: str,
    *,
    where: Mapping[str, str],
    week: str,
    days: tuple[date | None, date | None],
    lens: str,
    limit: int | None,
    output: str,
) -> None:
    """Print the passport of one cell.

    Raises:
        typer.Exit: The rows do not give the published number.
    """
    from dashboards.queries import number_passport, week_named, weeks_of_lens
    from otif import render
    from storage.publish import open_published

    if output not in ("table", "json", "csv"):
        message = f"--format {output}: expected table, json or csv"
        raise typer.BadParameter(message)
    with open_published(load_settings()) as connection:
        if week:
            chosen = week_named(week, week_start=weeks_of_lens(connection, lens))
            days = (chosen.start, chosen.end)
        found = number_passport(
            connection,
            kpi_id,
            where=where,
            date_from=days[0],
            date_to=days[1],
            lens=lens,
            limit=SHOWN_ROWS if limit is None and output == "table" else limit,
        )
    if output == "json":
        render.print_json(_document(found))
    elif output == "csv":
        render.print_csv(found.rows)
    else:
        _print(found)
    if not found.agrees:
        print(
            f"otif: the rows of {kpi_id} do not give the published number: {_written(found.recount)} counted, "
            f"{_written(found.published)} published. Run `otif build`; if it stays, report it.",
            file=sys.stderr,
        )
        raise typer.Exit(EXIT_FAILED)


def recount_line(found: Passport) -> str:
    """Say what the rows give and whether that is the published number."""
    verdict = "equals the published cell" if found.agrees else f"but the published cell is {_written(found.published)}"
    unit = str(found.kpi["unit"])
    if unit == "hours":
        p90 = "" if found.recount.p90 is None else f", p90 {found.recount.p90:,.4f} h"
        value = "nothing" if found.recount.value is None else f"median {found.recount.value:,.4f} h{p90}"
        return f"recount: {found.recount.observations:,} stages, {value}, {verdict}"
    return f"recount: {_written(found.recount)}, {verdict}"


def _written(figure: Figure) -> str:
    value = "nothing to divide" if figure.value is None else f"{figure.value:.6g}"
    if figure.denominator:
        return f"{figure.numerator:,.6g} / {figure.denominator:,.6g} = {value}"
    return value


def _document(found: Passport) -> dict[str, Any]:
    from otif import render

    return {
        "kpi": dict(found.kpi),
        "row_model": found.row_model,
        "definition_version": found.definition_version,
        "rules_version": found.rules_version,
        "lens": found.lens,
        "where": dict(found.where),
        "date_from": found.days[0],
        "date_to": found.days[1],
        "published": asdict(found.published),
        "recount": asdict(found.recount),
        "agrees": found.agrees,
        "rows_by_part": dict(found.parts),
        "exclusions": render.records(found.exclusions),
        "sources": render.records(found.sources),
        "sql": found.sql,
        "rows": render.records(found.rows),
    }


def _print(found: Passport) -> None:
    from otif.render import console, table

    kpi = found.kpi
    first, last = (day.isoformat() if day else "" for day in found.days)
    place = ", ".join(f"{name} {value}" for name, value in found.where.items()) or "everywhere"
    print(f"{kpi['kpi_name']} ({kpi['kpi_id']}, {kpi['spec_id']}): {kpi['definition']}")
    print(f"definition {found.definition_version}, rules {found.rules_version}, rows of metrics.{found.row_model}")
    print(f"cell: {place}, {kpi['cohort_date']} {first or 'from the start'} to {last or 'the end'}, lens {found.lens}")
    print(recount_line(found))
    parts = found.parts
    print(
        f"rows: {parts['numerator']:,} in the numerator, {parts['denominator']:,} in the denominator only, "
        f"{parts['excluded']:,} left out"
    )
    for row in found.exclusions.iter_rows(named=True):
        print(f"  left out: {row['rows']:,} {row['exclusion_reason'].replace('_', ' ')}")
    rows = [
        (
            row["part"],
            row["row_key"],
            row["order_id"] or "",
            "" if row["numerator"] is None else f"{row['numerator']:,.6g}",
            "" if row["denominator"] is None else f"{row['denominator']:,.6g}",
            row["exclusion_reason"] or "",
            str(row["period_date"] or ""),
        )
        for row in found.rows.iter_rows(named=True)
    ]
    columns: tuple[tuple[str, Any], ...] = (
        ("part", "left"), ("row", "left"), ("order", "left"), ("numerator", "right"), ("denominator", "right"),
        ("left out", "left"), ("day", "left"),
    )  # fmt: skip
    console.print(table(f"first {len(rows):,} of {sum(parts.values()):,} rows", columns, rows))
    files = [
        (row["batch_id"], row["file_name"], f"{row['events']:,}", f"{row['rows']:,}")
        for row in found.sources.head(SHOWN_ROWS).iter_rows(named=True)
    ]
    console.print(
        table(
            f"first {len(files):,} of {found.sources.height:,} files behind them",
            (("batch", "left"), ("file", "left"), ("events", "right"), ("rows", "right")),
            files,
        )
    )
    print(f"-- the SQL of metrics.{found.row_model}; this KPI is its rows with kpi_id = '{kpi['kpi_id']}'")
    print(found.sql)
