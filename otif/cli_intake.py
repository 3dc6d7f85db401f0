"""Commands of the intake: `otif receive` takes webhooks, `otif pull` asks APIs, `otif watch` lands what comes in."""

from __future__ import annotations

from typing import Annotated

import typer

from otif.command import EXIT_FAILED, JsonOption, load_settings


def receive(
    port: Annotated[int, typer.Option(help="port to listen on")] = 8502,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
) -> None:
    """Take webhooks: answered once they are on disk, landed by `otif watch`."""
    from otif.intake import receive as run

    settings = load_settings()
    print(
        f"webhooks of {settings.company.name}: http://{host}:{port}/webhooks/<sender>  (stop with Ctrl-C)", flush=True
    )
    run(settings, host=host, port=port)


def pull(
    feeds: Annotated[list[str] | None, typer.Argument(help="feeds of otif.toml (default: all)")] = None,
    definitions: Annotated[
        bool, typer.Option("--definitions", help="list the definitions that come with otif")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the APIs for what is new, from where the last pull ended, and land it."""
    from otif.intake import chosen_feeds, pull_line
    from otif.render import notes, print_json
    from storage.errors import OtifError

    if definitions:
        _show_definitions()
        return
    settings = load_settings()
    chosen = chosen_feeds(settings, feeds or [])
    if not chosen:
        notes.print("no feed is set up: add [feeds.<name>] to otif.toml; `otif pull --definitions` lists what is ready")
        return
    from dataclasses import asdict

    from pipelines.pull.run import pull as run

    reports, failures = [], []
    for feed in chosen:
        try:
            report = run(settings, feed)
        except OtifError as error:
            failures.append({"feed": feed.name, "error": str(error)})
            notes.print(f"{feed.name:<20} failed: {error}", style="red", markup=False)
            continue
        reports.append(report)
        if not as_json:
            print(pull_line(report))
        for batch in report.batches:
            for sentence in batch.failures:
                notes.print(f"  {batch.batch_id or batch.source}: {sentence}", style="yellow", markup=False)
    if as_json:
        print_json({"pulls": [asdict(report) for report in reports], "failures": failures})
    if failures or any(report.status == "held" for report in reports):
        raise typer.Exit(EXIT_FAILED)


def _show_definitions() -> None:
    from pipelines.pull.definition import load_definition
    from pipelines.pull.feeds import READY, ready_definitions

    for name in ready_definitions():
        definition = load_definition(READY / f"{name}.yml")
        needs = ", ".join(definition.parameters)
        print(f"{name:<26} {definition.about}" + (f" Parameters: {needs}." if needs else ""))


def watch(
    once: Annotated[bool, typer.Option("--once", help="take what is there, then stop (for cron)")] = False,
    every: Annotated[int, typer.Option(min=1, help="seconds between two looks")] = 30,
    with_inbox: Annotated[bool, typer.Option("--inbox/--no-inbox", help="take files of the inbox too")] = True,
    with_build: Annotated[bool, typer.Option("--build/--no-build", help="build the models after landing")] = True,
) -> None:
    """Land what comes in by itself: webhooks, complete files of the inbox, feeds that are due; then build."""
    from otif.intake import Watch

    looking = Watch(load_settings(), lambda line: print(line, flush=True), with_inbox=with_inbox, with_build=with_build)
    if not once:
        looking.run(every=every)
    elif not looking.once():
        raise typer.Exit(EXIT_FAILED)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(receive)
    app.command()(pull)
    app.command()(watch)
