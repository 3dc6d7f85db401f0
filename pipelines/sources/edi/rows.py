"""Collects event rows while documents are read, and turns them into frames column by column.

Rows are plain tuples under a fixed list of column names; numbers stay text until a whole column is cast at
once. A number that is none makes its row a reject instead of a null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import polars as pl

from pipelines.sources.base import REJECT_SCHEMA, ParsedBatch
from storage.contracts import EVENT_TABLES, conform

Row = tuple[object, ...]

SOURCE: Final = "edi"


class EventRows:
    """Events and rejects of one parse."""

    def __init__(self) -> None:
        self.rows_in: dict[str, int] = {}
        self._events: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        self._rejects: list[tuple[str, str, str]] = []

    def sink(self, family: str, columns: tuple[str, ...]) -> list[Row]:
        """Return the list to append rows of these columns to."""
        return self._events.setdefault((family, columns), [])

    def reject(self, source_ref: str, reason: str, raw: str) -> None:
        """Record something that was refused."""
        self._rejects.append((source_ref, reason, raw))

    def build(self) -> ParsedBatch:
        """Return all rows as frames in the families' contracts."""
        parts: dict[str, list[pl.DataFrame]] = {}
        for (family, columns), rows in self._events.items():
            if rows:
                parts.setdefault(family, []).append(self._frame(family, columns, rows))
        events = {family: pl.concat(parts[family]) for family in EVENT_TABLES if family in parts}
        rejects = pl.DataFrame(self._rejects, schema=REJECT_SCHEMA, orient="row")
        return ParsedBatch(events=events, rejects=rejects, rows_in=self.rows_in)

    def _frame(self, family: str, columns: tuple[str, ...], rows: Sequence[Row]) -> pl.DataFrame:
        schema = EVENT_TABLES[family].polars_schema()
        series = [
            _series(name, values, schema[name]) for name, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        text = pl.DataFrame(series)
        decimals = [name for name in columns if isinstance(schema[name], pl.Decimal)]
        frame = text.with_columns(pl.col(name).cast(schema[name], strict=False) for name in decimals)
        for name in decimals:
            broken = text[name].is_not_null() & frame[name].is_null()
            if broken.any():
                self._reject_numbers(name, text.filter(broken))
                text, frame = text.filter(~broken), frame.filter(~broken)
        sourced = frame if "source" in columns else frame.with_columns(source=pl.lit(SOURCE))
        return conform(sourced, family)

    def _reject_numbers(self, name: str, rows: pl.DataFrame) -> None:
        for row in rows.iter_rows(named=True):
            raw = json.dumps({key: str(value) for key, value in row.items() if value is not None})
            self.reject(row["source_ref"], f"{name} {row[name]!r} is not a number that fits", raw)


def _series(name: str, values: Sequence[object], dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Decimal):
        return pl.Series(name, [_plain(value) for value in values], dtype=pl.String)
    if isinstance(dtype, pl.String):
        return pl.Series(name, [value or None for value in values], dtype=pl.String)
    return pl.Series(name, values, dtype=dtype)


def _plain(value: object) -> str | None:
    if value is None or value == "":
        return None
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def attributes(values: Mapping[str, object]) -> str | None:
    """Return the non-empty values as a JSON object, or None."""
    kept = {key: value for key, value in values.items() if value not in ("", None, [], {})}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), default=str) if kept else None
