"""Commands about what comes in: `otif map` proposes a mapping, `otif rejects` works through what was refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otif.command import EXIT_BAD_INPUT, CommandState, JsonOption, load_settings

if TYPE_CHECKING:
    from otif.mapping import MapResult

rejects_app = typer.Typer(help="Rejected records: list, export, retry.", no_args_is_help=True)

FormatOption = Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")]
SourceOption = Annotated[str | None, typer.Option("--source", help="only this source")]
CodeOption = Annotated[str | None, typer.Option("--code", help="only this reason code, e.g. unreadable_value")]


def map_files(
    files: Annotated[list[str], typer.Argument(help="tables of one data set: CSV, TSV, XLSX, or an http(s) address")],
    out: Annotated[Path | None, typer.Option(help="write the mapping here (YAML)")] = None,
    name: Annotated[str | None, typer.Option(help="name of the mapping (default: of the file)")] = None,
    zone: Annotated[str | None, typer.Option(help="zone of stamps without offset (default: the workspace's)")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at tables and propose a mapping: columns, dates, zone, and which KPIs it will allow."""
    from otif.mapping import map_tables
    from otif.render import notes, print_json

    result = map_tables(CommandState.home, files, name=name, zone=zone)
    if out is not None:
        if out.exists():
            message = f"{out} exists; choose another name, or remove it first"
            notes.print(message, style="red")
            raise typer.Exit(EXIT_BAD_INPUT)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(result.proposal.yaml, encoding="utf-8")
    if as_json:
        print_json(result.document())
    else:
        _show(result, out)


def _show(result: MapResult, out: Path | None) -> None:
    from otif.render import console, table

    proposal = result.proposal
    for look, name in zip(result.looks, result.names, strict=True):
        rows = [
            (
                column.name,
                proposal.roles.get((name, column.name), ""),
                column.kind + (f" {' or '.join(str(f) for f in column.formats if f)}" if any(column.formats) else ""),
                f"{column.filled:.0%}",
                f"{column.distinct:,}",
                " · ".join(column.samples)[:60],
            )
            for column in look.columns
        ]
        more = "" if look.is_whole else "more than "
        console.print(
            table(
                f"{name}: {look.told}, {more}{look.rows:,} rows",
                [
                    ("column", "left"),
                    ("taken for", "left"),
                    ("holds", "left"),
                    ("filled", "right"),
                    ("different", "right"),
                    ("e.g.", "left"),
                ],
                rows,
            )
        )
        console.print()
    for note in proposal.notes:
        console.print(f"• {note}", soft_wrap=True)
    console.print()
    possible = [kpi.kpi_id for kpi in proposal.kpis if kpi.is_possible]
    console.print(f"KPIs it allows: {', '.join(possible) or 'none'}", soft_wrap=True)
    denied: dict[str, list[str]] = {}
    for kpi in proposal.kpis:
        if not kpi.is_possible:
            denied.setdefault("; ".join(kpi.reasons), []).append(kpi.kpi_id)
    console.print("KPIs it does not allow:")
    for reasons, kpis in denied.items():
        console.print(f"  {', '.join(kpis)}: {reasons}", soft_wrap=True)
    console.print()
    if out is None:
        console.print(proposal.yaml, markup=False, soft_wrap=True)
        console.print("next: write it to a file with --out shop.yml")
    elif proposal.is_open:
        console.print(f"wrote {out}; decide what it leaves open, then: otif ingest --mapping {out} FOLDER")
    else:
        console.print(f"wrote {out}; read it, then: otif ingest --mapping {out} FOLDER")


@rejects_app.command("list")
def rejects_list(
    source: SourceOption = None,
    code: CodeOption = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="also those that landed later")] = False,
    limit: Annotated[int, typer.Option(min=1, help="show at most so many")] = 50,
    output: FormatOption = "table",
) -> None:
    """List rejected records with reason, raw text and position."""
    from otif.render import console, notes, print_csv, print_json, records, table
    from pipelines.landing import list_rejects

    found = list_rejects(load_settings(), source=source, code=code, resolved=resolved)
    shown = found.head(limit)
    if output == "json":
        print_json(records(shown))
    elif output == "csv":
        print_csv(shown)
    elif output == "table":
        console.print(
            table(
                "",
                [("source", "left"), ("position", "left"), ("code", "left"), ("reason", "left"), ("raw", "left")],
                [
                    (row["source"], row["source_ref"], row["reason_code"], row["reason"], (row["raw"] or "")[:60])
                    for row in shown.iter_rows(named=True)
                ],
            )
        )
        notes.print(f"{found.height:,} rejected records" + (f", {limit} shown" if found.height > limit else ""))
    else:
        message = f"--format {output}: expected table, json or csv"
        raise typer.BadParameter(message)


@rejects_app.command("export")
def rejects_export(
    out: Annotated[Path, typer.Argument(help="CSV file to write")],
    source: SourceOption = None,
    code: CodeOption = None,
) -> None:
    """Write all open rejects to a CSV file, raw text included."""
    from pipelines.landing import list_rejects

    found = list_rejects(load_settings(), source=source, code=code, resolved=False)
    found.write_csv(out)
    print(f"wrote {found.height:,} rejected records to {out}")


@rejects_app.command("retry")
def rejects_retry(
    source: SourceOption = None,
    folder: Annotated[
        Path | None, typer.Option("--from", help="where the (mended) files are, if no longer where they were")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the files of open rejects again: what is good now lands, its reject is marked as resolved."""
    from dataclasses import asdict

    from otif.render import print_json
    from pipelines.landing import retry_rejects

    outcome = retry_rejects(load_settings(), source=source, folder=folder)
    if as_json:
        print_json(asdict(outcome))
        return
    print(
        f"{outcome.resolved:,} of {outcome.open_before:,} rejected records are resolved, {outcome.still_open:,} stay; "
        f"{outcome.events_landed:,} events landed"
    )
    for sentence in outcome.not_found:
        print(f"  {sentence}")


def register(app: Any) -> None:  # noqa: ANN401 - typer is untyped here
    """Add the commands to the command line."""
    app.command("map")(map_files)
    app.add_typer(rejects_app, name="rejects")
