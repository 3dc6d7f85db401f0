"""`otif atp`: what can still be promised, and when short lines will be covered."""

from __future__ import annotations

from typing import Annotated

import typer

from otif.command import load_settings


def atp(
    sku: Annotated[list[str] | None, typer.Option(help="SKU; may be given several times")] = None,
    node: Annotated[list[str] | None, typer.Option(help="node; may be given several times")] = None,
    weeks: Annotated[int, typer.Option(min=1, max=53, help="weeks to look ahead")] = 4,
    backorders: Annotated[
        bool, typer.Option("--backorders", help="instead: short lines and the receipt that will cover each")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="show only the first")] = None,
    output: Annotated[str, typer.Option("--format", help="table, json or csv", metavar="table|json|csv")] = "table",
) -> None:
    """Show units available to promise by SKU, node and week, or how backorders recover."""
    from dashboards.queries.inventory import available_to_promise, backorder_recoveries
    from otif import render
    from otif.tables import atp_table, recovery_table
    from storage.publish import open_published

    with open_published(load_settings()) as connection:
        if backorders:
            frame = backorder_recoveries(connection, skus=sku or (), limit=limit)
        else:
            frame = available_to_promise(connection, skus=sku or (), nodes=node or (), weeks=weeks, limit=limit)
    if output == "json":
        render.print_json(render.records(frame))
    elif output == "csv":
        render.print_csv(frame)
    elif output == "table":
        render.console.print(recovery_table(frame) if backorders else atp_table(frame))
    else:
        message = f"--format {output}: expected table, json or csv"
        raise typer.BadParameter(message)
