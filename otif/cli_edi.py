"""`otif edi …`: show X12 files, answer them with functional acknowledgements."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from otif.command import EXIT_WARNINGS, JsonOption, load_settings

edi_app = typer.Typer(help="EDI (X12): show files, write acknowledgements.", no_args_is_help=True)


@edi_app.command("show")
def edi_show(
    files: Annotated[list[Path], typer.Argument(help="X12 files")],
    segments: Annotated[bool, typer.Option("--segments", help="list the segments with their numbers")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show envelopes, documents, the events they give, and every fault with its segment."""
    from dataclasses import asdict

    from otif.edi import lines_of, show_file
    from otif.render import print_json
    from pipelines.sources.base import AdapterContext
    from storage.errors import ConfigError

    try:
        context = AdapterContext.from_settings(load_settings())
    except ConfigError:
        context = AdapterContext()  # outside a workspace partners are called by their ids
    shown = [show_file(path, context, with_segments=segments) for path in files]
    if as_json:
        for file in shown:
            for interchange in file["interchanges"]:
                for group in interchange["groups"]:
                    group["sets"] = [asdict(own) for own in group["sets"]]
        print_json({"files": shown})
        return
    for file in shown:
        for line in lines_of(file):
            typer.echo(line)


@edi_app.command("ack")
def edi_ack(
    files: Annotated[list[Path], typer.Argument(help="X12 files we received")],
    out: Annotated[Path, typer.Option(help="folder for the 997s")],
    at: Annotated[datetime | None, typer.Option(help="local time of sending (default: now)")] = None,
    control: Annotated[int | None, typer.Option(help="first control number (default: the workspace's next)")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a 997 for every interchange we received: what it accepts is what `otif ingest` lands.

    Exits with 3 where a set was rejected.
    """
    from otif.edi import write_acknowledgements
    from otif.render import print_json

    settings = load_settings()
    sent_at = at or datetime.now(settings.zone).replace(tzinfo=None)
    answers = write_acknowledgements(settings, files, out, sent_at=sent_at, control=control)
    if as_json:
        print_json({
            "answers": [
                {"file": a.file, "control": a.control, "path": str(a.path) if a.path else None, "note": a.note}
                for a in answers
            ]
        })  # fmt: skip
    else:
        for answer in answers:
            typer.echo(f"{answer.file}  ISA13 {answer.control}  {answer.path or '-'}  {answer.note}")
    if not all(answer.is_complete for answer in answers):
        raise typer.Exit(EXIT_WARNINGS)
