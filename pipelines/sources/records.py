"""Reading JSON records: documents, lists and JSON lines → dicts, and typed getters that say what is wrong.

Shared by the adapters whose sources send JSON. An adapter turns one record into a `Parsed` result or raises
`RecordFault`; `collect` sees to references, rejects and counts.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pipelines.sources.base import BatchBuilder, ParsedBatch, SourceFile

Record = Mapping[str, Any]
"""One decoded JSON object."""

EARLIEST_YEAR: Final = 1900
LATEST_YEAR: Final = 2199
RAW_CHARACTERS: Final = 2000

_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}\[\]:,])|[^\s{}\[\]:,"]+')
_QUANTITY_STEP: Final = Decimal("0.001")
_MONEY_STEP: Final = Decimal("0.0001")


class RecordFault(Exception):  # noqa: N818 - never reaches a user: it becomes the reason of a reject
    """A record cannot be read; the message says which field and what was expected."""


@dataclass(slots=True)
class Parsed:
    """What one record became.

    Attributes:
        events: (family, columns) in order, without source_ref.
        faults: Parts that could not be read while the rest could.
        refused: (pointer within the record, reason, part) of parts with a position of their own.
    """

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, object]] = field(default_factory=list)

    def add(self, family: str, **columns: object) -> None:
        """Add one event."""
        self.events.append((family, columns))


Positioned = tuple[object, object]
"""A decoded record with its position: a line number in JSON lines, a JSON pointer in documents."""


def collect(
    files: Sequence[SourceFile],
    *,
    wrappers: Sequence[str],
    convert: Callable[[Record], Parsed],
    is_record: Callable[[Record], bool] = lambda _: False,
    assemble: Callable[[Iterator[Positioned]], Iterator[Positioned]] = lambda records: records,
) -> ParsedBatch:
    """Convert every record of the files.

    Args:
        files: JSON or JSON-lines files, gzipped or not.
        wrappers: Keys under which a document holds records: one, a list, or further wrappers.
        convert: Turns a record into events.
        is_record: Says that an object is a record although it has a key that is a wrapper elsewhere.
        assemble: Joins the rows of a file to records, where one record is spread over several.
    """
    builder = BatchBuilder()
    for file in files:
        builder.rows_in[file.name] = 0
        for position, record in assemble(_records(file, builder, wrappers, is_record)):
            builder.rows_in[file.name] += 1
            ref = file.ref(position)
            try:
                if not isinstance(record, dict):
                    message = f"expected a JSON object, found {type(record).__name__}"
                    raise RecordFault(message)  # noqa: TRY301 - one place turns faults into rejects
                parsed = convert(record)
            except RecordFault as fault:
                builder.reject(ref, str(fault), _raw(record))
                continue
            for family, columns in parsed.events:
                builder.add(family, source_ref=ref, **columns)
            for fault_text in parsed.faults:
                builder.reject(ref, fault_text, _raw(record))
            for pointer, reason, part in parsed.refused:
                builder.reject(ref.removesuffix("/") + pointer, reason, _raw(part))
    return builder.build()


def outline(head: bytes) -> frozenset[str]:
    """Return the key paths seen in the first bytes of a JSON text, list levels left out.

    >>> sorted(outline(b'{"orders": [{"id": 1, "customer": {"id": 2'))
    ['orders', 'orders.customer', 'orders.customer.id', 'orders.id']
    """
    paths: set[str] = set()
    stack: list[str | None] = []
    pending: str | None = None
    for token in _TOKEN.finditer(head.decode("utf-8", errors="replace").removeprefix("\ufeff")):
        mark = token.group(2)
        if token.group(1) is not None:
            pending = token.group(1)
        elif mark == ":" and pending is not None and stack:
            stack[-1] = pending
            paths.add(".".join(key for key in stack if key is not None))
        elif mark in ("{", "["):
            stack.append(None)
        elif mark in ("}", "]") and stack:
            stack.pop()
        elif mark == "," and stack:
            stack[-1] = None
    return frozenset(paths)


def text(record: Record, key: str) -> str | None:
    """Return a text (numbers as their digits), stripped; missing, null and empty are None."""
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise RecordFault(_expected(key, value, "a text"))
    shown = str(value).strip()
    if not shown.isascii() and any("\ud800" <= mark <= "\udfff" for mark in shown):
        raise RecordFault(_expected(key, ascii(value), "valid Unicode"))
    return shown or None


def needed_text(record: Record, key: str) -> str:
    """Return a text that must be there."""
    value = text(record, key)
    if value is None:
        message = f"{key} is missing"
        raise RecordFault(message)
    return value


def by_number(record: Record) -> tuple[int, str]:
    """Return the sort key of a record by its id: 9 before 10, texts after their length."""
    identifier = needed_text(record, "id")
    return (len(identifier), identifier)


def quantity(record: Record, key: str) -> Decimal | None:
    """Return a quantity, three decimals."""
    return _number(record, key, _QUANTITY_STEP)


def money(record: Record, key: str) -> Decimal | None:
    """Return an amount of money, four decimals."""
    return _number(record, key, _MONEY_STEP)


def stamp(record: Record, key: str, *, zone: tzinfo = UTC) -> datetime | None:
    """Return an instant as naive UTC; a stamp without offset is in `zone`."""
    value = text(record, key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise RecordFault(_expected(key, value, "an ISO time such as 2026-11-16T08:30:00-05:00")) from error
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise RecordFault(_expected(key, value, f"a time between {EARLIEST_YEAR} and {LATEST_YEAR}"))
    return moment


def needed_stamp(record: Record, key: str) -> datetime:
    """Return an instant that must be there."""
    moment = stamp(record, key)
    if moment is None:
        message = f"{key} is missing"
        raise RecordFault(message)
    return moment


def end_of_day(value: str, key: str, zone: tzinfo) -> datetime:
    """Return the exclusive end of a local day as naive UTC."""
    try:
        day = date.fromisoformat(value[:10])
        after = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
        end = after.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise RecordFault(_expected(key, value, "a date such as 2026-11-16")) from error
    if not EARLIEST_YEAR <= end.year <= LATEST_YEAR:
        raise RecordFault(_expected(key, value, f"a date between {EARLIEST_YEAR} and {LATEST_YEAR}"))
    return end


def children(record: Record, key: str) -> list[Record]:
    """Return a list of objects; missing and null are empty."""
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RecordFault(_expected(key, value, "a list of objects"))
    return value


def child(record: Record, key: str) -> Record:
    """Return an object; missing and null are empty."""
    value = record.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordFault(_expected(key, value, "an object"))
    return value


def to_json(values: Mapping[str, object]) -> str | None:
    """Return the values that are not None as a JSON object, or None without any."""
    kept = {key: value for key, value in values.items() if value is not None}
    return json.dumps(kept, default=str, sort_keys=True) if kept else None


def _number(record: Record, key: str, step: Decimal) -> Decimal | None:
    value = record.get(key)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidOperation  # noqa: TRY301 - the same answer as for a text that is no number
        number = Decimal(value.strip() if isinstance(value, str) else value)
        if not number.is_finite() or abs(number) >= Decimal(10) ** 14:
            raise InvalidOperation  # noqa: TRY301
        return number.quantize(step)
    except InvalidOperation as error:
        raise RecordFault(_expected(key, value, "a number")) from error


def _expected(key: str, value: object, expected: str) -> str:
    return f"{key}: {str(value)[:60]!r} is not {expected}"


def _raw(record: object) -> str:
    return json.dumps(record, default=str)[:RAW_CHARACTERS]


def _records(
    file: SourceFile, builder: BatchBuilder, wrappers: Sequence[str], is_record: Callable[[Record], bool]
) -> Iterator[Positioned]:
    """Yield (position, record): a line number in JSON lines, a JSON pointer in documents."""
    try:
        content = file.read_bytes().decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        builder.reject(file.ref(0), f"the file cannot be read: {error}", "")
        return
    if file.kind not in (".jsonl", ".ndjson"):
        try:
            document = _decode(content)
        except ValueError as error:
            if not str(error).startswith("Extra data"):
                builder.reject(file.ref(0), f"not valid JSON: {error}", content[:RAW_CHARACTERS])
                return
        else:
            yield from _unwrapped(document, "", wrappers, is_record)
            return
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                record = _decode(line)
            except ValueError as error:
                builder.rows_in[file.name] += 1
                builder.reject(file.ref(number), f"not valid JSON: {error}", line[:RAW_CHARACTERS])
            else:
                yield from ((number, inner) for _, inner in _unwrapped(record, "", wrappers, is_record))


def _unwrapped(
    document: object, pointer: str, wrappers: Sequence[str], is_record: Callable[[Record], bool]
) -> Iterator[tuple[str, object]]:
    if isinstance(document, list):
        for index, item in enumerate(document):
            yield from _unwrapped(item, f"{pointer}/{index}", wrappers, is_record)
        return
    if isinstance(document, dict) and not is_record(document):
        inside = [key for key in wrappers if isinstance(document.get(key), dict | list)]
        for key in inside:
            yield from _unwrapped(document[key], f"{pointer}/{key}", wrappers, is_record)
        if inside:
            return
    yield pointer or "/", document


def _decode(content: str) -> object:
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error


def _no_constant(name: str) -> object:
    message = f"{name} is not a JSON value"
    raise ValueError(message)
