"""`otif disputes …`: what to dispute first, the evidence for it, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from otif.command import load_settings

disputes_app = typer.Typer(help="Deductions: what to dispute, with which evidence, and how it ended.")

DeductionArgument = Annotated[str, typer.Argument(help="number of the deduction", metavar="DEDUCTION")]
ByOption = Annotated[str, typer.Option(help="who says so")]
NoteOption = Annotated[str, typer.Option(help="in which words")]


@disputes_app.callback(invoke_without_command=True)
def disputes(
    context: typer.Context,
    customer: Annotated[list[str] | None, typer.Option(help="retailer; may be given several times")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="to_file, to_repeat or waiting; may be given several times")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="show only the first")] = None,
    output: Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")] = "table",
) -> None:
    """List the deductions worth working on, the most expected money per hour first."""
    if context.invoked_subcommand is not None:
        return
    from dashboards.queries.disputes import dispute_queue
    from otif import render
    from otif.tables import dispute_table
    from storage.publish import open_published

    with open_published(load_settings()) as connection:
        frame = dispute_queue(connection, customers=customer or (), states=state or (), limit=limit)
    if output == "json":
        render.print_json(render.records(frame))
    elif output == "csv":
        render.print_csv(frame)
    elif output == "table":
        render.console.print(dispute_table(frame))
    else:
        message = f"--format {output}: expected table, json or csv"
        raise typer.BadParameter(message)


@disputes_app.command("pack")
def disputes_pack(
    deduction: DeductionArgument,
    out: Annotated[Path | None, typer.Option(help="folder to write to (default: var/reports/disputes)")] = None,
) -> None:
    """Write the evidence of one deduction: a page to send and the same facts as JSON."""
    from otif.disputes import write_pack

    for path in write_pack(load_settings(), deduction, out=out):
        print(f"wrote {path}")


@disputes_app.command("file")
def disputes_file(
    deduction: DeductionArgument,
    by: ByOption,
    amount: Annotated[str | None, typer.Option(help="money to get back (default: the disputable part)")] = None,
    note: NoteOption = "",
) -> None:
    """Record that a deduction was disputed: one attempt."""
    from otif.disputes import file_dispute

    step = file_dispute(load_settings(), deduction, by=by, amount=_money(amount), note=note, now=_now())
    print(f"filed: {step.amount} of {deduction}, by {step.by}; it counts with the next build")


@disputes_app.command("outcome")
def disputes_outcome(
    deduction: DeductionArgument,
    outcome: Annotated[str, typer.Argument(help="won, lost or partial")],
    by: ByOption,
    recovered: Annotated[str | None, typer.Option(help="money that came back (needed for partial)")] = None,
    note: NoteOption = "",
) -> None:
    """Record how the partner answered."""
    from otif.disputes import settle_dispute

    step = settle_dispute(
        load_settings(),
        deduction,
        outcome=outcome,  # type: ignore[arg-type]
        recovered=_money(recovered),
        by=by,
        note=note,
        now=_now(),
    )
    print(f"{step.action}: {step.amount} of {deduction} came back; it counts with the next build")


@disputes_app.command("accept")
def disputes_accept(deduction: DeductionArgument, by: ByOption, note: NoteOption) -> None:
    """Record that a deduction is accepted, and why."""
    from otif.disputes import note_on_dispute

    note_on_dispute(load_settings(), deduction, text=note, by=by, now=_now(), is_accepted=True)
    print(f"accepted: {deduction}")


@disputes_app.command("note")
def disputes_note(deduction: DeductionArgument, by: ByOption, note: NoteOption) -> None:
    """Add words to a deduction."""
    from otif.disputes import note_on_dispute

    note_on_dispute(load_settings(), deduction, text=note, by=by, now=_now())
    print(f"noted on {deduction}")


def _now() -> datetime:
    return datetime.now(tz=UTC)


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        message = f"{text!r} is no amount, expected e.g. 120.50"
        raise typer.BadParameter(message) from None
