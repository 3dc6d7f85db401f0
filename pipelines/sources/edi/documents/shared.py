"""What the readers of several sets share: codes in one spelling, header look-ups, references, moments, totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Final, Literal

from pipelines.sources.edi.clock import Clock
from pipelines.sources.edi.document import Document
from pipelines.sources.edi.lines import decimal_of
from pipelines.sources.edi.rows import EventRows

PURCHASE_ORDER: Final = "PO"
REFERENCE_SEGMENTS: Final = frozenset({"REF", "N9", "L11"})

TimeQuality = Literal["instant", "date", "estimated"]

Found = tuple[int, list[str]]
"""A segment with its offset from the ST."""


def code(segment: list[str], index: int) -> str:
    """Return a coded element in capitals and without blanks: some senders write codes in lower case."""
    return segment[index].strip().upper() if index < len(segment) else ""


def text(segment: list[str], index: int) -> str:
    """Return an element without blanks around it."""
    return segment[index].strip() if index < len(segment) else ""


def first(document: Document, name: str) -> Found:
    """Return the first segment of a name, or an empty one at the ST."""
    return next(((offset, segment) for offset, segment in enumerate(document.segments) if segment[0] == name), (0, []))


def reference(segment: list[str]) -> tuple[str, str]:
    """Return qualifier and value of a REF, N9 or L11; L11 has them the other way round."""
    if segment[0] == "L11":
        return code(segment, 2), text(segment, 1)
    return code(segment, 1), text(segment, 2)


def pick(references: Mapping[str, str], *qualifiers: str) -> str:
    """Return the reference of the first qualifier that is there."""
    return next((references[name] for name in qualifiers if references.get(name)), "")


def loops(document: Document, names: Iterable[str], ends: Iterable[str] = ("CTT", "SE")) -> Iterator[list[Found]]:
    """Cut a set into the segments before the first loop and each loop, which begins with one of the names.

    Yields:
        At least the head, which begins with the ST and may hold nothing else.
    """
    starts, stops = frozenset(names), frozenset(ends)
    current: list[Found] = []
    for offset, segment in enumerate(document.segments):
        if segment[0] in stops:
            break
        if segment[0] in starts:
            yield current
            current = []
        current.append((offset, segment))
    yield current


def find(segments: Iterable[Found], name: str) -> list[str]:
    """Return the first segment of a name among some, or an empty one."""
    return next((segment for _, segment in segments if segment[0] == name), [])


@dataclass(frozen=True, slots=True)
class Moment:
    """When something in the world happened, as a document tells it.

    Attributes:
        at: The instant, UTC.
        quality: instant, or date where only the local day is known; estimated where not even that.
    """

    at: datetime
    quality: TimeQuality


def moment(clock: Clock, date: str, time: str = "", zone: str = "") -> Moment | None:
    """Return the instant a date and time name: with a time the instant, with a date the start of the local day."""
    date, time = date.strip(), time.strip()
    instant = clock.start(date, time, zone.strip().upper())
    if instant is not None:
        return Moment(instant, "instant" if time else "date")
    day = clock.start(date)
    return Moment(day, "date") if day is not None else None


def said(document: Document) -> Moment:
    """Return the moment a document was transmitted."""
    return Moment(document.sent_at, "instant")


def happened(document: Document, found: Moment | None) -> Moment:
    """Return a moment, or where none is known the transmission as an estimate: it happened by then."""
    return found or Moment(document.sent_at, "estimated")


def instant_text(value: datetime | None) -> str | None:
    """Return a UTC instant for the attributes."""
    return f"{value.isoformat()}Z" if value is not None else None


def amount_text(value: Decimal | None) -> str | None:
    """Return a number for the attributes, without an exponent."""
    return f"{value:f}" if value is not None else None


def envelope(document: Document, offset: int, event_type: str, when: Moment | None = None) -> dict[str, object]:
    """Return the columns every event has."""
    known = when or said(document)
    return {
        "event_type": event_type,
        "event_at": known.at,
        "observed_at": document.sent_at,
        "time_quality": known.quality,
        "source_ref": document.ref(offset),
    }


ENVELOPE: Final = ("event_type", "event_at", "observed_at", "time_quality", "source_ref")


def add(rows: EventRows, family: str, columns: tuple[str, ...], values: Mapping[str, object]) -> None:
    """Append a row; columns without a value are null.

    Raises:
        KeyError: A value is given for a column that is not listed.
    """
    if not values.keys() <= _names(columns):
        raise KeyError(*sorted(values.keys() - set(columns)))
    rows.sink(family, columns).append(tuple(map(values.get, columns)))


@cache
def _names(columns: tuple[str, ...]) -> frozenset[str]:
    return frozenset(columns)


def check_total(document: Document, rows: EventRows, name: str, *, lines: int, hash_total: Decimal | None) -> None:
    """Report a CTT (or its like) that contradicts the lines: their number, and where known the sum of quantities."""
    offset, segment = first(document, name)
    if not segment:
        return
    stated, total = decimal_of(text(segment, 1)), decimal_of(text(segment, 2))
    if text(segment, 1) and stated != lines:
        reason = f"{name}01 says {text(segment, 1)} lines, {lines} came; the lines landed"
        rows.reject(document.ref(offset), reason, document.raw(offset))
    if total is not None and hash_total is not None and total != hash_total:
        reason = f"{name}02 says {total:f}, the lines add up to {hash_total:f}; the lines landed"
        rows.reject(document.ref(offset), reason, document.raw(offset))
