"""An allocation problem as tables anyone can write: INSTANCE.md in code.

A problem is a set of named tables and a document (name, as_of, options). Here tables become a problem and a problem
becomes tables; reading and writing files is otif/problems.py. Tables may come as text (CSV): every value is then read
by the kind of its column, and what cannot be read is a fault that says where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import (
    EXTRA_SPECS,
    INSTANT,
    INVENTORY,
    LANES,
    NODES,
    OPEN_LINES,
    RECEIPTS,
    RESERVATIONS,
    FrameSpec,
)
from optimizer.allocation.options import AllocationOptions
from optimizer.errors import InvalidDataError

TABLES: Final[Mapping[str, FrameSpec]] = {
    "open_lines": OPEN_LINES,
    "inventory": INVENTORY,
    "receipts": RECEIPTS,
    "reservations": RESERVATIONS,
    "nodes": NODES,
    "lanes": LANES,
    **{spec.name: spec for spec in EXTRA_SPECS},
}
"""Table name → spec. The first six are those of every problem, the others switch a feature on."""

REQUIRED: Final = ("open_lines", "inventory", "nodes")
"""Tables that must be there; all others count as empty."""

_TRUE: Final = ("true", "t", "yes", "y", "1")
_FALSE: Final = ("false", "f", "no", "n", "0")


def problem_from_tables(tables: Mapping[str, pl.DataFrame], document: Mapping[str, Any]) -> AllocationData:
    """Return the problem of tables (see TABLES) and a document with `as_of` and, if wanted, `name` and `options`.

    Raises:
        InvalidDataError: A table, column, value or option is missing, unknown or unreadable; all faults are listed.
    """
    faults = [*_document_faults(document), *_table_faults(tables)]
    if faults:
        raise InvalidDataError(faults)
    found: list[str] = []
    read = {name: _read_table(name, table, found) for name, table in tables.items()}
    if found:
        raise InvalidDataError(found)
    options = AllocationOptions.from_document(document.get("options") or {}, as_of=_moment(document["as_of"]))
    for name in TABLES:
        if name not in read and TABLES[name] not in EXTRA_SPECS:
            read[name] = _nothing(TABLES[name])
    return AllocationData.from_frames(
        read["open_lines"],
        read["inventory"],
        inbound_receipts=read["receipts"],
        channel_reservations=read["reservations"],
        nodes=read["nodes"],
        lanes=read["lanes"],
        options=options,
        extras={spec.name: read[spec.name] for spec in EXTRA_SPECS if spec.name in read},
    )


def tables_of(data: AllocationData) -> dict[str, pl.DataFrame]:
    """Return the problem's tables as they came, without columns that no spec knows and without empty extras."""
    raw = dict(zip(list(TABLES)[:6], data.sources, strict=True)) | dict(data.extra_sources)
    kept = {
        name: frame.select([column for column in TABLES[name].columns if column in frame.columns])
        for name, frame in raw.items()
    }
    return {name: frame for name, frame in kept.items() if frame.height or name in REQUIRED}


def document_of(data: AllocationData, *, name: str = "") -> dict[str, Any]:
    """Return the document that belongs to `tables_of`: name, as_of and the options that differ from their defaults."""
    options = data.options
    usual = AllocationOptions(as_of=options.as_of)
    chosen = {
        item.name: _plain(getattr(options, item.name))
        for item in fields(options)
        if item.name != "as_of" and getattr(options, item.name) != getattr(usual, item.name)
    }
    return {"name": name, "as_of": options.moment.isoformat(), "options": chosen}


def _plain(value: object) -> Any:  # noqa: ANN401 - what a YAML document holds
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: item for name, item in asdict(value).items() if item is not None}  # type: ignore[call-overload]
    return value


def _document_faults(document: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted(set(document) - {"name", "as_of", "options"})
    if unknown:
        yield f"instance.yaml: unknown {', '.join(unknown)}; expected name, as_of and options"
    if _moment(document.get("as_of")) is None:
        yield f"instance.yaml: as_of is {document.get('as_of')!r}; expected an instant such as 2026-11-16T05:00:00Z"


def _moment(value: object) -> Any:  # noqa: ANN401 - None is reported before
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _table_faults(tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    for name in REQUIRED:
        if name not in tables:
            yield f"table {name} is missing"
    for name in sorted(set(tables) - set(TABLES)):
        yield f"table {name} is unknown{_hint(name, TABLES)}"
    for name in sorted(set(tables) & set(TABLES)):
        columns = TABLES[name].columns
        yield from (
            f"{name}: column {column} is unknown{_hint(column, columns)}"
            for column in tables[name].columns
            if column not in columns
        )


def _hint(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _nothing(spec: FrameSpec) -> pl.DataFrame:
    return pl.DataFrame(schema={name: pl.String() for name in spec.required})


def _read_table(name: str, table: pl.DataFrame, faults: list[str]) -> pl.DataFrame:
    """Return the table with text columns read by kind; report what cannot be read."""
    columns = []
    for column, kind in TABLES[name].columns.items():
        if column not in table.columns:
            continue
        given = table[column]
        if given.dtype == pl.String and kind != "text":
            given = given.str.strip_chars().replace("", None)
            made = _read_text(given, kind)
            wrong = (given.is_not_null() & made.is_null()).arg_true()
            if wrong.len():
                first = int(wrong[0])
                faults.append(
                    f"{name}.{column}: {wrong.len()} values are no {_WORDS[kind]}, the first in row {first + 1}: "
                    f"{given[first]!r}; expected {_EXAMPLES[kind]}"
                )
            given = made
        columns.append(given.cast(pl.String) if kind == "text" and given.dtype != pl.String else given)
    return pl.DataFrame(columns)


_WORDS: Final = {
    "whole": "numbers",
    "cents": "amounts",
    "signed": "amounts",
    "rate": "fractions",
    "flag": "truth values",
    "instant": "instants",
    "date": "dates",
}
_EXAMPLES: Final = {
    "whole": "a whole number such as 12",
    "cents": "an amount such as 19.95",
    "signed": "an amount such as -2.50",
    "rate": "a fraction such as 0.03",
    "flag": "true or false",
    "instant": "an instant such as 2026-11-20T15:00:00Z",
    "date": "a date such as 2026-11-20",
}


def _read_text(column: pl.Series, kind: str) -> pl.Series:
    text = pl.col(column.name)
    low = text.str.to_lowercase()
    readers = {
        "flag": pl.when(low.is_in(_TRUE)).then(statement=True).when(low.is_in(_FALSE)).then(statement=False),
        "date": text.str.to_date("%Y-%m-%d", strict=False),
        "instant": _instant(text),
    }
    number = text.cast(pl.Float64, strict=False)
    # Decimals keep every digit of what a spreadsheet wrote; the check for whole numbers is the frame's.
    amount = pl.when(number.is_finite()).then(text.cast(pl.Decimal(38, 6), strict=False))
    return column.to_frame().select(readers.get(kind, amount).alias(column.name)).to_series()


def _instant(text: pl.Expr) -> pl.Expr:
    """Return an instant in UTC: with an offset or Z as it says, without one as UTC, a date as its first moment."""
    zoned = text.str.replace(r"[zZ]$", "+00:00").str.replace(" ", "T", literal=True)
    bare = zoned.str.contains(r"[+-]\d{2}:?\d{2}$", strict=False)
    formats = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")
    plain = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
    with_offset = pl.coalesce(
        zoned.str.to_datetime(form, strict=False, time_unit="us").dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        for form in formats
    )
    without = pl.coalesce(
        *(zoned.str.to_datetime(form, strict=False, time_unit="us") for form in plain),
        zoned.str.to_date("%Y-%m-%d", strict=False).cast(INSTANT),
    )
    return pl.when(bare & zoned.str.contains("T", literal=True)).then(with_offset).otherwise(without)
