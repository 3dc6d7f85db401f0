"""The command line. Commands parse, call one job and print; everything heavy is imported inside them."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optimizer.errors import OptimizerError
from otif import __version__
from otif.cli_allocate import allocate
from otif.cli_atp import atp
from otif.cli_buffers import buffers
from otif.cli_disputes import disputes_app
from otif.cli_edi import edi_app
from otif.cli_exceptions import exceptions_app
from otif.cli_intake import register as register_intake
from otif.cli_order import order
from otif.cli_risk import at_risk
from otif.cli_rules import rules_app
from otif.cli_scorecard import scorecard
from otif.cli_sources import register as register_sources
from otif.cli_why import why
from otif.command import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_WARNINGS, CommandState, JsonOption, load_settings
from storage.errors import OtifError

if TYPE_CHECKING:
    from pipelines.landing import BatchReport

app = typer.Typer(
    name="otif",
    help="Order-management control tower: measure, explain, decide, write back, prove.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
report_app = typer.Typer(help="Reports: render and send.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.command()(allocate)
app.command("at-risk")(at_risk)
app.command()(atp)
app.command()(buffers)
app.command()(scorecard)
app.command()(why)
app.command()(order)
app.add_typer(report_app, name="report")
register_sources(app)
register_intake(app)
app.add_typer(edi_app, name="edi")
app.add_typer(disputes_app, name="disputes")
app.add_typer(exceptions_app, name="exceptions")

OLD_DATA_DAYS = 45
"""Data that ends so long before the as-of is probably history: nearly everything in it is overdue then."""

FormatOption = Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"otif {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    home: Annotated[
        Path | None, typer.Option("--home", help="workspace folder (default: OTIF_HOME, then the current folder)")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Options for every command."""
    CommandState.home = home


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option("--dir", help="workspace of the demonstration (default: --home, then demo)")
    ] = None,
) -> None:
    """Run the whole loop on the sample company, in a workspace of its own."""
    from otif.demo import run_demo

    run_demo(folder or CommandState.home or Path("demo"))


@app.command()
def init(
    folder: Annotated[
        Path | None, typer.Argument(help="new workspace (default: --home, then OTIF_HOME or the current folder)")
    ] = None,
) -> None:
    """Make a new workspace: settings, seeds, mappings, inbox."""
    from otif.workspace import create_workspace

    folder = folder or CommandState.home or Path(os.environ.get("OTIF_HOME", "."))
    for path in create_workspace(folder):
        print(f"wrote {path}")
    print(f"next: drop files into {folder / 'inbox'}, then: otif --home {folder} ingest")


@app.command()
def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or folders (default: the inbox)")] = None,
    source: Annotated[str | None, typer.Option(help="read all files as this source")] = None,
    mapping: Annotated[Path | None, typer.Option(help="read the files through this mapping (YAML)")] = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option(help="exit with 3 when rows were rejected or a suite failed")] = False,
) -> None:
    """Land new files: idempotent, one transaction per batch."""
    from otif.jobs import run_ingest
    from otif.render import notes, print_json

    settings = load_settings()
    reports = run_ingest(
        settings,
        paths or [settings.home / "inbox"],
        source=source,
        mapping=mapping,
        on_batch=lambda report: None if as_json else notes.print(_batch_line(report)),
    )
    if as_json:
        from dataclasses import asdict

        print_json({"batches": [asdict(report) for report in reports]})
    for report in reports:
        for failure in report.failures:
            notes.print(f"  {report.batch_id or 'files'}: {failure}", style="yellow")
    if any(report.status == "quarantined" for report in reports):
        notes.print(
            f"quarantined batches did not land; see {settings.var / 'data_docs' / 'index.html'}", style="yellow"
        )
    if any(report.status == "failed" for report in reports):
        raise typer.Exit(EXIT_FAILED)
    doubtful = any(report.failures or report.rows_rejected for report in reports)
    if strict and doubtful:
        raise typer.Exit(EXIT_WARNINGS)


def _batch_line(report: BatchReport) -> str:
    if report.status == "unchanged":
        return f"{report.source:<10} unchanged: {report.files} files were landed before"
    if report.status in ("unrecognised", "failed"):
        return f"{report.source:<10} {report.status}: {report.files} files were left alone"
    return (
        f"{report.source:<10} {report.status}: {report.files} files, {report.rows_in:,} rows → "
        f"{report.events_landed:,} events, {report.events_duplicate:,} duplicate, {report.rows_rejected:,} rejected "
        f"({report.seconds:.1f} s)"
    )


@app.command()
def build(
    as_of: Annotated[
        str | None, typer.Option(help="date or ISO timestamp to look from (default: otif.toml, then now)")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", "--full-refresh", help="build from scratch, not on top of the last build"),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build all models as of an instant and publish them."""
    from otif.jobs import run_build
    from otif.render import print_json

    settings = load_settings()
    report = run_build(settings, settings.resolve_as_of(as_of), full=full)
    if as_json:
        print_json(
            {
                "publication": str(report.publication),
                "as_of": report.as_of,
                "models": report.models,
                "tests": report.tests,
                "warnings": report.warnings,
                "seconds": report.seconds,
                "restated": report.restated,
                "kind": report.kind,
                "why_full": report.why_full,
            }
        )
        return
    if report.kind == "current":
        print(f"nothing changed since the last build; {report.publication.name} stands")
        return
    print(
        f"built {report.models} models, {report.tests} tests passed, as of {report.as_of:%Y-%m-%d %H:%M} UTC "
        f"({report.seconds:.1f} s); published {report.publication.name}"
    )
    if report.restated:
        print(f"  restated: {report.restated} published figures of past weeks (otif kpis --restatements)")
    for warning in report.warnings:
        print(f"  warning: {warning}")
    if report.last_event_at is not None and (report.as_of - report.last_event_at).days > OLD_DATA_DAYS:
        after = report.last_event_at.date() + timedelta(days=1)
        print(f"  no event is younger than {report.last_event_at:%Y-%m-%d}: --as-of {after} looks from there")


@app.command()
def kpis(
    by: Annotated[str, typer.Option(help="dimensions and grain, e.g. channel,week or state")] = "",
    kpi: Annotated[list[str] | None, typer.Option("--kpi", help="KPI id; may be given several times")] = None,
    date_from: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="first day")] = None,
    date_to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="last day")] = None,
    grain: Annotated[
        str | None, typer.Option(help="day, week, month, fiscal_month, fiscal_quarter or fiscal_year")
    ] = None,
    yoy: Annotated[bool, typer.Option("--yoy", help="beside it the comparable figure of the year before")] = False,
    lens: Annotated[str, typer.Option(help="headline or a service profile")] = "headline",
    bridge: Annotated[
        str | None, typer.Option(help="bridge of seed lens_bridges: why two lenses differ, step by step")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="with --bridge: only this customer")] = None,
    passport: Annotated[
        str | None, typer.Option(help="KPI whose number to take apart: rows, exclusions, files, SQL, recount")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="with --passport: dimension=value; may be given several times")
    ] = None,
    week: Annotated[str, typer.Option(help="with --passport: week, e.g. 2026-W46")] = "",
    limit: Annotated[
        int | None, typer.Option(min=0, help="with --passport and --restatements: most rows to print")
    ] = None,
    restated: Annotated[
        bool, typer.Option("--restatements", help="published figures of past weeks that changed since, and why")
    ] = False,
    output: FormatOption = "table",
) -> None:
    """Show KPIs against target; what cannot be computed is unavailable with its reason."""
    from dashboards.queries import GRAINS, check_calendar, kpi_table, lens_bridge, with_period_names, year_on_year
    from storage.publish import open_published

    if restated:
        from dashboards.queries import restatements

        with open_published(load_settings()) as connection:
            log = restatements(connection, kpis=kpi or (), limit=limit)
        _print_frame(log, output, ["cause"])
        return
    if passport is not None:
        from otif.cli_passport import place_of, show_passport

        show_passport(
            passport,
            where=place_of(where or ()),
            week=week,
            days=(date_from.date() if date_from else None, date_to.date() if date_to else None),
            lens=lens,
            limit=limit,
            output=output,
        )
        return
    if bridge is not None:
        days = (date_from.date() if date_from else None, date_to.date() if date_to else None)
        with open_published(load_settings()) as connection:
            steps = lens_bridge(connection, bridge, customer=customer, date_from=days[0], date_to=days[1])
        _print_frame(steps, output, ["step"])
        return
    words = [word.strip() for word in by.split(",") if word.strip()]
    chosen = grain or next((word for word in words if word in GRAINS), None)
    with open_published(load_settings()) as connection:
        check_calendar(connection, chosen)
        frame = (year_on_year if yoy else kpi_table)(
            connection,
            kpis=kpi or (),
            by=words,
            grain=grain,
            date_from=date_from.date() if date_from else None,
            date_to=date_to.date() if date_to else None,
            lens=lens,
        )
        frame = with_period_names(connection, frame, chosen)
    _print_frame(frame, output, _kpi_columns(by, grain))


def _kpi_columns(by: str, grain: str | None) -> list[str]:
    from dashboards.queries import GRAINS

    words = [word.strip() for word in by.split(",") if word.strip()]
    period = ["period"] if grain or any(word in GRAINS for word in words) else []
    return ["kpi_name", *period, "*", "value", "n", "target", "remark"]


def _print_frame(frame: Any, output: str, columns: list[str]) -> None:  # noqa: ANN401 - polars is imported lazily
    from otif import render

    if output == "json":
        render.print_json(render.records(frame))
    elif output == "csv":
        render.print_csv(frame)
    elif output == "table":
        from otif.tables import bridge_table, kpi_terminal_table, restatement_table

        tables = {"kpi_name": kpi_terminal_table, "cause": restatement_table}
        shown = next((table for key, table in tables.items() if key in columns), bridge_table)
        render.console.print(shown(frame))
    else:
        message = f"--format {output}: expected table, json or csv"
        raise typer.BadParameter(message)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="folder to write")],
    orders: Annotated[int, typer.Option(min=100, max=5_000_000, help="number of orders")] = 5000,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 7,
    weeks: Annotated[int, typer.Option(min=2, max=104, help="weeks of history")] = 26,
) -> None:
    """Write the source files of a simulated omni-channel brand."""
    from otif.render import notes
    from pipelines.simulator.run import simulate as run

    with notes.status("simulating") as progress:
        report = run(out, orders=orders, seed=seed, weeks=weeks, on_week=lambda week: progress.update(f"week {week}"))
    print(
        f"wrote {report.files} files ({report.bytes / 1e6:.1f} MB) to {out}: {report.orders:,} orders, "
        f"{report.lines:,} lines over {report.weeks} weeks"
    )
    print(f"next: otif --home {out} ingest && otif --home {out} build && otif --home {out} kpis")


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="port of the dashboards")] = 8501,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    webhook_port: Annotated[int, typer.Option(help="port of the webhook receiver")] = 8502,
    with_build: Annotated[bool, typer.Option("--build/--no-build", help="build the models after landing")] = True,
) -> None:
    """Open the dashboards; take webhooks, pull feeds and watch the inbox, as far as they are set up."""
    from otif.intake import intake_processes
    from otif.jobs import serve_dashboards

    settings = load_settings()
    print(f"dashboards of {settings.company.name}: http://{host}:{port}  (stop with Ctrl-C)", flush=True)
    beside = intake_processes(
        settings, host=host, port=webhook_port, with_build=with_build, say=lambda line: print(line, flush=True)
    )
    with beside:
        code = serve_dashboards(settings, host=host, port=port)
    raise typer.Exit(code)


@app.command()
def replay(
    rules: Annotated[int, typer.Option(help="version to compare with")],
    against: Annotated[int, typer.Option(help="version to judge")],
    weeks: Annotated[int, typer.Option(min=1, max=104, help="weeks of history")] = 13,
) -> None:
    """Run the last weeks again under two rule-set versions, same orders and stock: is B more than luck?"""
    from otif.replaying import replay_versions

    result = replay_versions(load_settings(), version_a=rules, version_b=against, weeks=weeks)
    for sentence in result.words():
        print(sentence)
    for note in result.notes:
        print(f"note: {note}")


@app.command("rules-endpoint")
def rules_endpoint(
    port: Annotated[int, typer.Option(help="port to listen on")] = 8600,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
) -> None:
    """Serve the reference rule endpoint, for those without an OMS API."""
    from otif.endpoint import serve_endpoint

    print(f"rule endpoint: http://{host}:{port}  (stop with Ctrl-C)", flush=True)
    serve_endpoint(load_settings(), host=host, port=port)


@report_app.command("weekly")
def report_weekly(
    week: Annotated[str, typer.Option(help="week, e.g. 2026-W46 (default: the last complete one)")] = "",
    out: Annotated[Path | None, typer.Option(help="HTML file to write")] = None,
    send: Annotated[bool, typer.Option("--send", help="mail it to the weekly recipients")] = False,
) -> None:
    """Render the weekly snapshot as one self-contained page; with --send also as mail."""
    from datetime import UTC

    from otif.reporting import send_weekly, write_weekly

    settings = load_settings()
    written = write_weekly(settings, week=week, out=out)
    print(f"wrote {written.path}")
    if not send:
        return
    deliveries = send_weekly(settings, written.report, now=datetime.now(tz=UTC))
    for delivery in deliveries:
        print(f"{delivery.status:<13} {delivery.recipient}{': ' + delivery.error if delivery.error else ''}")
    if any(delivery.status == "failed" for delivery in deliveries):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check machine, settings, storage, freshness and connections; say how to mend what is wrong."""
    from dataclasses import asdict

    from otif.doctor import examine
    from otif.render import print_json

    findings = examine(CommandState.home)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.level:<5} {finding.subject:<12} {finding.detail}")
            if finding.mend:
                print(f"{'':<18} → {finding.mend}")
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def main() -> None:
    """Entry point: errors a user can mend become one clear sentence and exit code 1 or 2."""
    try:
        app()
    except (OtifError, OptimizerError) as error:
        print(f"otif: {error}", file=sys.stderr)
        sys.exit(_exit_code(error))


def _exit_code(error: Exception) -> int:
    bad_input = {"SourceError", "MappingError", "ConfigError", "QuestionError", "InvalidDataError", "InvalidRulesError"}
    return EXIT_BAD_INPUT if type(error).__name__ in bad_input else EXIT_FAILED


if __name__ == "__main__":
    main()
