"""Collects event rows while documents are read, and turns them into frames column by column.

Rows are plain tuples under a fixed list of column names; numbers stay text until a whole column is cast at
once. A number that is none makes its row a reject instead of a null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from pipelines.sources.base import REJECT_SCHEMA, ParsedBatch
from storage.contracts import EVENT_TABLES, conform

Row = tuple[object, ...]

SOURCE: Final = "edi"
PLACE: Final = "place"
"""Column that orders rows as their documents stand in the files; it never leaves this package."""

_NO_FRAMES: Final[Mapping[str, Sequence[pl.DataFrame]]] = {}

_MOST_PIECES: Final = 256
"""Up to so many pieces, joining them in another order is quicker than sorting their rows."""


class EventRows:
    """Events and rejects of one parse."""

    def __init__(self) -> None:
        self.rows_in: dict[str, int] = {}
        self._events: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        self._places: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._rejects: list[tuple[str, str, str]] = []
        self._reject_places: list[int] = []

    def sink(self, family: str, columns: tuple[str, ...]) -> list[Row]:
        """Return the list to append rows of these columns to."""
        self._places.setdefault((family, columns), [])
        return self._events.setdefault((family, columns), [])

    def settle(self, place: int) -> None:
        """Give all rows and rejects since the last call their place in the order of the result."""
        for key, rows in self._events.items():
            _extend(self._places[key], len(rows), place)
        _extend(self._reject_places, len(self._rejects), place)

    def reject(self, source_ref: str, reason: str, raw: str) -> None:
        """Record something that was refused."""
        self._rejects.append((source_ref, reason, raw))

    def build(self, others: Mapping[str, Sequence[pl.DataFrame]] = _NO_FRAMES) -> ParsedBatch:
        """Return all rows as frames in the families' contracts, in the order of their places. All must be settled.

        Args:
            others: Family → frames of further rows in its contract with `PLACE`.
        """
        parts = {family: [*frames] for family, frames in others.items()}
        # Sorted, so that the order of a document's rows never depends on what was read before it.
        for (family, columns), rows in sorted(self._events.items()):
            if rows:
                parts.setdefault(family, []).append(self._frame(family, columns, rows))
        events = {family: _in_order(parts[family]) for family in EVENT_TABLES if family in parts}
        rejects = pl.DataFrame(self._rejects, schema=REJECT_SCHEMA, orient="row")
        places = pl.Series(PLACE, self._reject_places, dtype=pl.Int64)
        return ParsedBatch(events, _in_order([rejects.with_columns(places)]), self.rows_in)

    def _frame(self, family: str, columns: tuple[str, ...], rows: Sequence[Row]) -> pl.DataFrame:
        schema = EVENT_TABLES[family].polars_schema()
        series = [
            _series(name, values, schema[name]) for name, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        text, places = pl.DataFrame(series), pl.Series(PLACE, self._places[family, columns], dtype=pl.Int64)
        decimals = [name for name in columns if isinstance(schema[name], pl.Decimal)]
        frame = text.with_columns(text[name].cast(schema[name], strict=False) for name in decimals)
        for name in decimals:
            broken = text[name].is_not_null() & frame[name].is_null()
            if broken.any():
                self._reject_numbers(name, text.filter(broken), places.filter(broken))
                text, frame, places = text.filter(~broken), frame.filter(~broken), places.filter(~broken)
        if "source" not in columns:
            frame = frame.hstack([pl.Series("source", [SOURCE] * frame.height, dtype=pl.String)])
        return conform(frame, family).hstack([places])

    def _reject_numbers(self, name: str, rows: pl.DataFrame, places: pl.Series) -> None:
        for row, place in zip(rows.iter_rows(named=True), places, strict=True):
            raw = json.dumps({key: str(value) for key, value in row.items() if value is not None})
            self.reject(row["source_ref"], f"{name} {row[name]!r} is not a number that fits", raw)
            self._reject_places.append(place)


def _extend(places: list[int], count: int, place: int) -> None:
    places += [place] * (count - len(places))


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(frames)
    if not frame[PLACE].is_sorted():
        order = np.argsort(frame[PLACE].to_numpy(), kind="stable")
        cuts = [0, *(np.flatnonzero(np.diff(order) != 1) + 1), frame.height]
        if len(cuts) <= _MOST_PIECES:
            pieces = [frame.slice(order[start], end - start) for start, end in pairwise(cuts)]
            frame = pl.concat(pieces)  # in pieces: whoever needs them in one copies them then
        else:
            frame = frame[order]
    return frame.drop(PLACE)


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


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


def attributes(values: Mapping[str, object]) -> str | None:
    """Return the non-empty values as a JSON object, or None."""
    kept = {key: value for key, value in values.items() if value not in ("", None, [], {})}
    return _ENCODER.encode(kept) if kept else None
