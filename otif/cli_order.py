"""`otif order`: one order, its lines, its verdicts and every event behind it, each with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from otif.command import JsonOption, load_settings

if TYPE_CHECKING:
    import polars as pl

    from dashboards.queries import BuildInfo

_VERDICTS = {True: "OTIF", False: "missed", None: "not due"}


def order(
    number: Annotated[str, typer.Argument(help="order number; wholesale is retailer-PO number, e.g. target-8801215")],
    as_json: JsonOption = False,
) -> None:
    """Show an order: its lines, why they missed, and all its events with the file and place each came from."""
    from dashboards.errors import QuestionError
    from dashboards.queries import build_info, exceptions_list, order_events, order_header, order_lines
    from otif.render import console, print_json, records, table
    from storage.publish import open_published

    asked = number.strip().removeprefix("#")
    with open_published(load_settings()) as connection:
        info = build_info(connection)
        header = order_header(connection, asked)
        lines, events = order_lines(connection, asked), order_events(connection, asked)
        exceptions = exceptions_list(connection)
    if header.is_empty():
        message = (
            f"there is no order {asked} in this publication; numbers carry no '#', wholesale orders are retailer-PO "
            "number; `otif kpis --passport otif` lists those that are judged"
        )
        raise QuestionError(message)
    mine = exceptions.filter(exceptions["order_id"] == asked)
    if as_json:
        document: dict[str, Any] = {"order": records(header)[0]}
        document |= {"lines": records(lines), "events": records(events), "exceptions": records(mine)}
        print_json(document)
        return
    row = header.row(0, named=True)
    told = ("order_status", "channel", "customer_id", "region", "node_id", "carrier")
    print(f"{asked}: {' · '.join(str(row[name]) for name in told if row[name])}")
    for exception in mine.iter_rows(named=True):
        print(f"! {exception['title']}: {exception['suggested_action']}")
    told_of_lines = _left("line", "SKU", "verdict", "cause") + _right("ordered", "shipped", "delivered", "window ends")
    console.print(table("Lines", told_of_lines, _line_rows(lines, info)))
    for line in lines.filter(lines["miss_evidence"].is_not_null()).iter_rows(named=True):
        print(f"line {line['line_id']}: {line['miss_evidence']}")
    console.print(table("Events", _left("at", "what", "from"), _event_rows(events, info)))


def _left(*names: str) -> list[tuple[str, Literal["left", "right"]]]:
    return [(name, "left") for name in names]


def _right(*names: str) -> list[tuple[str, Literal["left", "right"]]]:
    return [(name, "right") for name in names]


def _line_rows(lines: pl.DataFrame, info: BuildInfo) -> list[tuple[object, ...]]:
    from dashboards.formats import instant_text, words

    return [
        (
            row["line_id"],
            row["sku"],
            _VERDICTS[row["is_otif"]],
            words(row["miss_cause"]) if row["miss_cause"] else "",
            *(f"{row[name]:g}" if row[name] is not None else "–" for name in ("base_revised", "quantity_shipped")),
            f"{row['quantity_delivered']:g}" if row["quantity_delivered"] is not None else "–",
            instant_text(row["window_end_at"], info.zone),
        )
        for row in lines.iter_rows(named=True)
    ]


def _event_rows(events: pl.DataFrame, info: BuildInfo) -> list[tuple[object, ...]]:
    from dashboards.formats import event_text, instant_text

    return [
        (
            instant_text(row["event_at"], info.zone),
            event_text(row["event_type"], row["summary"], row["line_id"], row["quantity"]),
            row["source_ref"]
            if row["source_ref"].startswith(row["source"])
            else f"{row['source']} {row['source_ref']}",
        )
        for row in events.iter_rows(named=True)
    ]


def _origin(source: str, source_ref: str) -> str:
    return source_ref if source_ref.startswith(source) else f"{source} {source_ref}"
