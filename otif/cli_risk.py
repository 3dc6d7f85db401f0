"""`otif at-risk`: open lines that may miss their window, what it may cost, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from otif.command import EXIT_BAD_INPUT, load_settings

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType


def at_risk(
    lens: Annotated[str, typer.Option(help="headline or a service profile")] = "headline",
    by: Annotated[str, typer.Option(help="add up by: channel, customer_id, node_id, carrier, stage, …")] = "",
    limit: Annotated[int, typer.Option(min=1, help="most lines to show")] = 20,
    output: Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")] = "table",
    scores: Annotated[bool, typer.Option("--scores", help="show how the predictions did on held-out weeks")] = False,
) -> None:
    """List open lines by expected loss: probability of a miss, reason, next step and what it is worth."""
    from dashboards.queries import line_risks, risk_groups, risk_scores, risks_missing
    from otif.render import console, notes, print_csv, print_json, records
    from storage.publish import open_published

    if output not in ("table", "json", "csv"):
        notes.print(f"--format {output}: choose table, json or csv")
        raise typer.Exit(EXIT_BAD_INPUT)
    with open_published(load_settings()) as connection:
        missing = risks_missing(connection)
        if missing:
            notes.print(missing)
            raise typer.Exit(1)
        judged = risk_scores(connection, lens="" if lens == "headline" else lens)
        if scores:
            frame = judged
        elif by:
            frame = risk_groups(connection, by=by, lens=lens)
        else:
            frame = line_risks(connection, lens=lens, limit=limit)
    if output == "json":
        print_json({"rows": records(frame), "judged": records(judged.head(1))})
    elif output == "csv":
        print_csv(frame)
    else:
        console.print(_scores(frame) if scores else _groups(frame, by) if by else _lines(frame))
        console.print(how_good(judged))


def how_good(judged: pl.DataFrame) -> str:
    """Say in a sentence how far the probabilities can be trusted."""
    if judged.is_empty():
        return "No held-out weeks judge this lens yet."
    row = judged.row(0, named=True)
    if row["unavailable_reason"]:
        return f"Not judged: {row['unavailable_reason']}."
    better = (
        f"{row['skill']:.0%} less error than always saying the usual share"
        if row["skill"] > 0
        else "no better than always saying the usual share: rank by it with care"
    )
    return (
        f"Judged on {row['weeks']} held-out weeks ({row['rows']:,} line-days): {better}; "
        f"said and happened differ by {row['calibration_error'] * 100:.1f} points on average."
    )


def _chance(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _lines(frame: pl.DataFrame) -> RenderableType:
    from otif.render import money, table

    rows = [
        (
            _chance(row["probability"]),
            money(row["expected_loss_amount"]),
            f"{row['order_id']} {row['line_id']}",
            row["window_end_at"].strftime("%m-%d %H:%M"),
            row["unavailable_reason"] or f"{row['reason']} {_next(row)}",
        )
        for row in frame.iter_rows(named=True)
    ]
    names = ("miss", "loss", "order and line", "due (UTC)")
    return table("", [*((name, "right") for name in names), ("why, and the next step", "left")], rows)


def _next(row: dict[str, Any]) -> str:
    from otif.render import money

    if row["probability_after"] is None:
        weighed = f" {row['action_note']}." if row["action_note"] else ""
        return f"→ {row['action']}.{weighed}{_other(row)}"
    cost = "" if not row["action_cost_amount"] else f", {money(row['action_cost_amount'])} more freight"
    worth = "" if row["action_value_amount"] is None else f", worth {money(row['action_value_amount'])}"
    return f"→ {row['action']}: then {_chance(row['probability_after'])}{cost}{worth}.{_other(row)}"


def _other(row: dict[str, Any]) -> str:
    """Say what the best other service would do, where it is not the next step but would leave a smaller chance."""
    from dashboards.formats import other_service

    chance, after = row["other_probability"], row["probability_after"]
    if row["other_note"] is None or chance is None or (after is not None and chance >= after):
        return ""
    return f" Or by {other_service(row, row['currency'] or '')}"


def _groups(frame: pl.DataFrame, by: str) -> RenderableType:
    from otif.render import money, table

    rows = [
        (
            row[by],
            row["lines"],
            "–" if row["expected_misses"] is None else f"{row['expected_misses']:.1f}",
            money(row["expected_loss_amount"]),
            money(row["action_value_amount"]),
        )
        for row in frame.iter_rows(named=True)
    ]
    names = ("open lines", "misses expected", "expected loss", "worth of next steps")
    return table("", [(by, "left"), *((name, "right") for name in names)], rows)


def _scores(frame: pl.DataFrame) -> RenderableType:
    from otif.render import table

    rows = [
        (
            row["horizon"] or "all",
            row["rows"],
            row["misses"],
            *(
                "–" if row[name] is None else f"{row[name]:.3f}"
                for name in ("brier", "brier_base", "brier_channel", "calibration_error")
            ),
            "–" if row["skill"] is None else f"{row['skill']:.0%}",
        )
        for row in frame.iter_rows(named=True)
    ]
    names = ("line-days", "misses", "Brier", "usual share", "per channel", "calibration error", "better by")
    return table("", [("days to the deadline", "left"), *((name, "right") for name in names)], rows)
