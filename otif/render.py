"""Turns results into what a terminal shows: tables, JSON, CSV and short summaries."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import polars as pl

Format = Literal["table", "json", "csv"]

_WIDTH_OF_A_PIPE: Final = 200

console: Final = Console(
    highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_A_PIPE
)
"""Where results go."""

notes: Final = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where progress and remarks go, so that stdout stays clean for `--json`."""


def plain(value: object) -> Any:  # noqa: ANN401 - JSON is untyped
    """Return a value that JSON can carry: exact decimals as numbers, instants as ISO text with a Z."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value


def records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as JSON-ready dictionaries."""
    return [{key: plain(value) for key, value in row.items()} for row in frame.iter_rows(named=True)]


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    console.out(json.dumps(document, default=plain, ensure_ascii=False, indent=2))


def print_csv(frame: pl.DataFrame) -> None:
    """Print a frame as CSV on stdout."""
    console.out(frame.write_csv(), end="")


def table(
    title: str, columns: Sequence[tuple[str, Literal["left", "right"]]], rows: Iterable[Sequence[object]]
) -> RenderableType:
    """Build a calm table under a bold heading: dim column names, no lines."""
    built = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in columns:
        # A word too long for its column goes on below: nothing is cut off.
        built.add_column(name, justify=justify, header_style="dim", no_wrap=justify == "right", overflow="fold")
    for row in rows:
        built.add_row(*("" if cell is None else str(cell) for cell in row))
    return Group(Text(title, style="bold"), built) if title else built


def figure(value: float | None, unit: str | None, currency: str | None = None) -> str:
    """Write a KPI value for people: 94.1 %, 31.2 h, 1,234, $ 1,234; an amount of no known currency has no sign."""
    if value is None:
        return "–"
    match unit:
        case "ratio" | "index":
            return f"{value * 100:.1f} %"
        case "hours":
            return f"{value:,.1f} h"
        case "days":
            return f"{value:,.1f} d"
        case "money":
            return money(value, currency) if currency else f"{value:,.0f}"
        case _:
            return f"{value:,.0f}"


def money(value: object, currency: str = "USD") -> str:
    """Write an amount without cents, or a dash when it is not known."""
    symbol = "$" if currency == "USD" else currency
    return "–" if value is None else f"{symbol} {float(str(value)):,.0f}"


def exact_money(value: object) -> str:
    """Write an amount with cents, or a dash when it is not known."""
    return "–" if value is None else f"$ {float(str(value)):,.2f}"


def cents(value: int) -> str:
    """Write integer cents as dollars."""
    return f"$ {value / 100:,.0f}"


def exact_cents(value: int) -> str:
    """Write integer cents as dollars and cents."""
    return f"$ {value / 100:,.2f}"
