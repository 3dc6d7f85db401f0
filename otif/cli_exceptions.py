"""`otif exceptions …`: what needs a person, and what people do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from otif.command import EXIT_FAILED, JsonOption, load_settings

exceptions_app = typer.Typer(help="What needs a person: list, look, take in hand, put aside, resolve, tell.")

IdArgument = Annotated[str, typer.Argument(help="id of the exception, or its beginning", metavar="ID")]
ByOption = Annotated[str, typer.Option(help="who says so")]
NoteOption = Annotated[str, typer.Option(help="in which words")]


@exceptions_app.callback(invoke_without_command=True)
def exceptions(
    context: typer.Context,
    kind: Annotated[list[str] | None, typer.Option(help="kind of exception; may be given several times")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="open, acknowledged, snoozed or resolved; may be given several times (default: the first two)"
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="show only the first")] = None,
    only_new: Annotated[bool, typer.Option("--new", help="only open ones of which nobody was told yet")] = False,
    output: Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")] = "table",
) -> None:
    """List what needs a person, the most money at risk first."""
    if context.invoked_subcommand is not None:
        return
    from otif import render
    from otif.exceptions import listed_exceptions
    from otif.tables import exception_table

    frame = listed_exceptions(load_settings(), kinds=kind or (), statuses=status or (), limit=limit, only_new=only_new)
    if output == "json":
        render.print_json(render.records(frame))
    elif output == "csv":
        render.print_csv(frame)
    elif output == "table":
        render.console.print(exception_table(frame))
    else:
        message = f"--format {output}: expected table, json or csv"
        raise typer.BadParameter(message)


@exceptions_app.command("show")
def exceptions_show(exception: IdArgument, as_json: JsonOption = False) -> None:
    """Show one exception: evidence, the events behind it with their files, and its history."""
    from dataclasses import asdict

    from otif.exceptions import find_exception
    from otif.render import console, money, plain, print_json, table

    row, events, state = find_exception(load_settings(), exception)
    if as_json:
        print_json(
            {
                "exception": {name: plain(value) for name, value in row.items()},
                "events": [{name: plain(value) for name, value in event.items()} for event in events],
                "state": asdict(state) if state else None,
            }
        )
        return
    print(f"{row['title']}\n{row['evidence']}\nTo do: {row['suggested_action']}\n")
    owner = (state.owner if state else None) or row["owner_role"]
    due = f"{row['due_at']:%Y-%m-%d %H:%M} UTC" if row["due_at"] else "no deadline"
    print(f"{row['severity']} · {money(row['money_at_risk'], row['currency'])} at risk · due: {due} · whose: {owner}")
    if state:
        again = f", back for the {state.times_reopened}. time" if state.times_reopened else ""
        print(f"{state.status} since {state.opened_at:%Y-%m-%d %H:%M} UTC, seen by {state.times_seen} builds{again}\n")
    if events:
        print("Events (UTC)")
    for (at, summary), refs in _told(events).items():
        more = f" and {len(refs) - 1} more" if len(refs) > 1 else ""
        print(f"  {at:%Y-%m-%d %H:%M}  {summary}\n{'':20}{refs[0]}{more}")
    if state and state.history:
        print()
        console.print(
            table(
                "History",
                [("when (UTC)", "left"), ("what", "left"), ("who", "left"), ("words", "left")],
                [(f"{note.at:%Y-%m-%d %H:%M}", note.action, note.by, note.text) for note in state.history],
            )
        )


def _told(events: list[dict[str, Any]]) -> dict[tuple[datetime, str], list[str]]:
    """Return what happened when, with every place that tells it: a document tells the same of each of its lines."""
    found: dict[tuple[datetime, str], list[str]] = {}
    for event in events:
        found.setdefault((event["event_at"], event["summary"]), []).append(event["source_ref"])
    return found


@exceptions_app.command("ack")
def exceptions_ack(exception: IdArgument, by: ByOption, note: NoteOption = "") -> None:
    """Take an exception in hand."""
    _step(exception, "acknowledge", by=by, text=note)


@exceptions_app.command("comment")
def exceptions_comment(exception: IdArgument, by: ByOption, text: Annotated[str, typer.Option(help="words")]) -> None:
    """Add words to an exception."""
    _step(exception, "comment", by=by, text=text)


@exceptions_app.command("snooze")
def exceptions_snooze(
    exception: IdArgument,
    by: ByOption,
    days: Annotated[int, typer.Option(min=1, max=365, help="days to put it aside")] = 1,
    note: NoteOption = "",
) -> None:
    """Put an exception aside; a build after that opens it again if it still holds."""
    _step(exception, "snooze", by=by, text=note, until=datetime.now(tz=UTC) + timedelta(days=days))


@exceptions_app.command("resolve")
def exceptions_resolve(exception: IdArgument, by: ByOption, note: NoteOption = "") -> None:
    """Close an exception; it opens again when a later build still shows it."""
    _step(exception, "resolve", by=by, text=note)


def _step(exception: str, step: str, **words: Any) -> None:  # noqa: ANN401 - the step's own words
    from otif.exceptions import work_on_exception

    state = work_on_exception(load_settings(), exception, step, **words)
    print(f"{state.exception_id[:8]} is {state.status}{f', in the hands of {state.owner}' if state.owner else ''}")


@exceptions_app.command("alert")
def exceptions_alert() -> None:
    """Mail everybody the new exceptions of his own; of the same one nobody hears twice."""
    from otif.exceptions import send_alerts

    deliveries = send_alerts(load_settings(), now=datetime.now(tz=UTC))
    if not deliveries:
        print("nothing new to tell")
    for delivery in deliveries:
        print(f"{delivery.status:<13} {delivery.recipient}{': ' + delivery.error if delivery.error else ''}")
    if any(delivery.status == "failed" for delivery in deliveries):
        raise typer.Exit(EXIT_FAILED)
