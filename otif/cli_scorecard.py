"""`otif scorecard`: how 3PLs and carriers kept their clocks, raw and with excuses, with proof and credits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from otif.command import EXIT_BAD_INPUT, load_settings

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType


def scorecard(
    whose: Annotated[str, typer.Argument(help="3pl or carrier", metavar="3pl|carrier")],
    node: Annotated[str, typer.Option(help="one node")] = "",
    carrier: Annotated[str, typer.Option(help="one carrier")] = "",
    week: Annotated[str, typer.Option(help="week, e.g. 2026-W46 (default: all of history)")] = "",
    cases: Annotated[
        bool, typer.Option("--cases", help="list the missed cases with the proof of their clocks")
    ] = False,
    claims: Annotated[bool, typer.Option("--claims", help="list the credits to claim by the agreed terms")] = False,
    output: Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")] = "table",
) -> None:
    """Show what a 3PL or carrier kept, what excuses it, each clock's proof, and what may be claimed."""
    from dashboards.queries import build_info, credit_claims, sla_cases, week_named
    from dashboards.queries import scorecard as ask
    from otif.render import console, notes, print_csv, print_json, records
    from storage.publish import open_published

    if output not in ("table", "json", "csv"):
        notes.print(f"--format {output}: choose table, json or csv")
        raise typer.Exit(EXIT_BAD_INPUT)
    question = credit_claims if claims else sla_cases if cases else ask
    with open_published(load_settings()) as connection:
        asked = week_named(week, week_start=build_info(connection).week_start) if week else None
        frame = question(
            connection,
            whose,
            party=node if whose == "3pl" else carrier,
            date_from=asked.start if asked else None,
            date_to=asked.end if asked else None,
        )
    if output == "json":
        print_json({"rows": records(frame)})
    elif output == "csv":
        print_csv(frame)
    elif frame.is_empty():
        print("Nothing to claim: no week below an agreed target (seed sla_terms)." if claims else "No case.")
    else:
        console.print(_claims(frame) if claims else _cases(frame) if cases else _card(frame, whose))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _card(frame: pl.DataFrame, whose: str) -> RenderableType:
    from otif.render import table

    excused = whose == "3pl"
    rows = []
    for row in frame.iter_rows(named=True):
        excuses = (row["stock_out"], row["volume_above_cap"], row["carrier_no_show"]) if excused else ()
        claim = "–" if row["credit_amount"] is None else f"{row['currency'] or ''} {row['credit_amount']:,.2f}".strip()
        adjusted = (_share(row["adjusted"]),) if excused else ()
        rows.append((row["party_id"], row["cases"], _share(row["raw"]), *excuses, *adjusted, row["missed"], claim))
    names = ["cases", "kept", "misses", "claim"]
    if excused:
        names = ["cases", "raw", "stock", "volume", "no-show", "adjusted", "left", "claim"]
    return table("", [("node" if excused else "carrier", "left"), *((name, "right") for name in names)], rows)


def _cases(frame: pl.DataFrame) -> RenderableType:
    from otif.render import table

    rows = [
        (
            row["order_id"],
            row["party_id"],
            f"{row['started_at']:%m-%d %H:%M}" if row["started_at"] else "",
            f"{row['cut_off_time']} {row['clock_zone']}" if row["cut_off_time"] else "",
            f"{row['due_at']:%m-%d %H:%M}",
            "" if row["pause_hours"] is None else f"{row['pause_hours']:.1f} h",
            f"{row['stopped_at']:%m-%d %H:%M}" if row["stopped_at"] else "open",
            row["excuse"] or "counts",
        )
        for row in frame.iter_rows(named=True)
    ]
    names = ("order", "whose", "clock began", "cut-off", "due", "on hold", "stopped", "verdict")
    return table("Missed cases (UTC)", [(name, "left") for name in names], rows)


def _claims(frame: pl.DataFrame) -> RenderableType:
    from otif.render import table

    rows = [
        (
            row["order_id"],
            row["party_id"],
            f"{row['due_week']:%Y-%m-%d}",
            f"{row['kept']} of {row['cases']} ({row['basis']}, agreed {row['target']:.1%})",
            f"{row['currency'] or ''} {row['credit_amount']:,.2f}".strip(),
        )
        for row in frame.iter_rows(named=True)
    ]
    names = ("order", "whose", "week from", "kept in the week")
    return table("Credits to claim", [*((name, "left") for name in names), ("credit", "right")], rows)
