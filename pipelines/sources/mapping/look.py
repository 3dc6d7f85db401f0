"""A look at unknown tables: how they are written, what their columns hold."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.errors import SourceError
from pipelines.sources.base import SourceFile
from pipelines.sources.delimited import (
    CHUNK_ROWS,
    NUMBER,
    SPREADSHEETS,
    Prepared,
    prepare,
    read_records,
    read_text,
    sheet_names,
)
from pipelines.sources.mapping.model import DEFAULT_DATES, NUMBERED_DATES
from pipelines.sources.mapping.values import SIGNS, SPECIAL_DATES, bare_number

_ISO_DAYS: Final = ("%Y-%m-%d",)
_DAYS: Final = (
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%d-%b-%y",
)
_TIMES: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", " %H:%M:%S %z")
_NULLS: Final = ("null", "n/a", "na", "none", "-", "0000-00-00", "#n/a")
_SAMPLES: Final = 3
_IS_ASCII: Final = pl.all_horizontal((pl.all().str.len_bytes() == pl.all().str.len_chars()).all())
_HEAD_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class ColumnLook:
    """What a column holds.

    Attributes:
        name: As in the header.
        filled: Share of the rows that have a value.
        distinct: Different values.
        samples: A few values.
        kind: date, number, flag or text.
        formats: Date formats that fit every value; `None` = the default ISO formats do.
        has_time: Some date bears a time of day.
        has_offset: Every date bears an offset from UTC.
        numbers: Number styles that fit every value.
        money_sign: The currency that every number bears; a sign may be several currencies'.
        has_negatives: Some number is below zero.
        group: Heading above the column's own, where the table has groups of columns.
        values: All different values, where there are few.
    """

    name: str
    filled: float
    distinct: int
    samples: tuple[str, ...]
    kind: str
    formats: tuple[str | None, ...] = ()
    has_time: bool = False
    has_offset: bool = False
    numbers: tuple[str, ...] = ()
    money_sign: str = ""
    has_negatives: bool = False
    values: tuple[str, ...] = ()
    group: str = ""

    @property
    def is_ambiguous(self) -> bool:
        """Whether the dates could be read in more than one way."""
        return len(self.formats) > 1


@dataclass(frozen=True, slots=True)
class TableLook:
    """How a table is written.

    Attributes:
        files: Its files: several if they are written alike and have the same columns.
        sheet: Sheet of a spreadsheet that has several.
        separator: Cell separator.
        encoding: Text encoding.
        header_row: Row of the column names.
        rows: Rows looked at.
        is_whole: All rows were.
        columns: Its columns.
        empty: Texts that seem to mean nothing.
        frame: The rows as text.
    """

    files: tuple[SourceFile, ...]
    sheet: str | None
    separator: str
    encoding: str
    header_row: int
    rows: int
    is_whole: bool
    columns: tuple[ColumnLook, ...]
    empty: tuple[str, ...]
    frame: pl.DataFrame

    @property
    def file(self) -> SourceFile:
        """The first of its files."""
        return self.files[0]

    @property
    def told(self) -> str:
        """Its files in words."""
        others = len(self.files) - 1
        return self.file.name + (f" and {others} more {'file' if others == 1 else 'files'}" if others else "")


@dataclass(frozen=True, slots=True)
class _Part:
    """One file or sheet of a table, its cells as text."""

    file: SourceFile
    sheet: str | None
    separator: str
    encoding: str
    header_row: int
    frame: pl.DataFrame
    groups: dict[str, str]

    @property
    def manner(self) -> tuple[object, ...]:
        """What the parts of one table share, besides their encoding."""
        return self.file.kind, self.sheet, self.separator, self.header_row, frozenset(self.frame.columns)


def look_at(files: Sequence[SourceFile], folder: Path, *, alone: Collection[str] = ()) -> list[TableLook]:
    """Look at files; a spreadsheet gives a table per sheet that has rows, files of the same columns are one table.

    Args:
        files: CSV, TSV or spreadsheets.
        folder: Where copies may be written; the caller removes it.
        alone: Names of files that are tables of their own, whatever their columns: a mapping names one address a table.

    Raises:
        SourceError: A file is no table.
    """
    tables: dict[tuple[object, ...], list[_Part]] = {}
    for number, file in enumerate(files):
        sheets: list[str | None] = list(sheet_names(file)) if file.kind in SPREADSHEETS else [None]
        for position, sheet in enumerate(sheets):
            part = _read(file, sheet if len(sheets) > 1 else None, folder / f"{number}-{position}")
            if part is not None:
                own = file.name if file.name in alone else ""
                known = tables.setdefault((own, *part.manner), [])
                seen = sum(other.frame.height for other in known)
                known.append(replace(part, frame=part.frame.head(max(CHUNK_ROWS - seen, 0))))
    if not tables:
        message = f"{', '.join(file.name for file in files)}: no table with a header and rows was found"
        raise SourceError(message)
    return [_look(parts) for known in tables.values() for parts in _by_encoding(known)]


def _by_encoding(parts: list[_Part]) -> list[list[_Part]]:
    """Return the parts that one encoding reads; a file of plain ASCII goes with the others."""
    found: dict[str, list[_Part]] = {}
    several = len({part.encoding for part in parts}) > 1
    for part in parts:
        is_plain = several and part.encoding == "utf-8" and part.frame.select(_IS_ASCII).row(0)[0]
        found.setdefault("ascii" if is_plain else part.encoding, []).append(part)
    plain = found.pop("ascii", [])
    first, *rest = found.values()
    return [[*first, *plain], *rest]


def _read(file: SourceFile, sheet: str | None, folder: Path) -> _Part | None:
    encoding = "utf-8" if file.kind in SPREADSHEETS else _encoding(file)
    separator = "," if file.kind in SPREADSHEETS else _separator(file, encoding)
    plain = prepare(file, folder / "plain", separator=separator, encoding=encoding, sheet=sheet)
    header_row = _header_row(plain)
    prepared = prepare(
        file, folder / "table", separator=separator, encoding=encoding, sheet=sheet, header_row=header_row
    )
    names = prepared.names
    if not any(names):
        return None
    wanted = [position for position, name in enumerate(names) if name and names.count(name) == 1]
    portions = (part for part in read_text(prepared, wanted, folder / "table") if isinstance(part, pl.DataFrame))
    frame = next(portions, None)
    if frame is None or not wanted or frame.is_empty():
        return None
    frame = frame.drop(NUMBER).rename({f"c{position}": names[position] for position in wanted})
    frame = frame.with_columns(pl.all().str.strip_chars())
    return _Part(file, sheet, separator, encoding, header_row, frame, _groups(plain, header_row, names))


def _look(parts: Sequence[_Part]) -> TableLook:
    first = parts[0]
    frame = pl.concat([part.frame.select(first.frame.columns) for part in parts])
    empty = tuple(
        sorted({value for name in frame.columns for value in frame[name].drop_nulls() if value.lower() in _NULLS})
    )
    frame = frame.with_columns(
        pl.when(~pl.col(name).is_in(["", *empty])).then(pl.col(name)).alias(name) for name in frame.columns
    )
    columns = tuple(replace(look_at_column(frame[name]), group=first.groups.get(name, "")) for name in frame.columns)
    return TableLook(
        files=tuple(part.file for part in parts),
        sheet=first.sheet,
        separator=first.separator,
        encoding=first.encoding,
        header_row=first.header_row,
        rows=frame.height,
        is_whole=frame.height < CHUNK_ROWS,
        columns=columns,
        empty=empty,
        frame=frame,
    )


def look_at_column(column: pl.Series) -> ColumnLook:
    """Look at one column of texts (empty = null)."""
    filled = column.drop_nulls()
    distinct = filled.unique(maintain_order=True)
    share = filled.len() / max(column.len(), 1)
    samples = tuple(distinct.head(_SAMPLES).to_list())
    values = tuple(sorted(distinct.to_list())) if distinct.len() <= 30 else ()
    count = distinct.len()
    if not count:
        return ColumnLook(column.name, 0.0, 0, (), "text")
    formats = _formats(distinct)
    if formats:
        texts = distinct.to_list()
        has_time = any(
            re.search(r"\d:\d\d", text) and not re.search(r"[ T]0?0:00(:00(\.0+)?)?$", text) for text in texts
        )
        has_offset = all(re.search(r"(Z|[+-]\d\d:?\d\d)$", text) and ":" in text for text in texts)
        return ColumnLook(column.name, share, count, samples, "date", formats, has_time, has_offset, values=values)
    styles = _number_styles(distinct)
    if styles:
        return ColumnLook(
            column.name,
            share,
            count,
            samples,
            "number",
            _numbered_formats(distinct),
            has_time=bool(distinct.str.contains(r"^\d+\.\d+$|^\d{9,}$").any()),
            has_offset=bool(distinct.str.contains(r"^\d{9,}").all()),
            numbers=styles,
            money_sign=_money_sign(distinct),
            has_negatives=bool(distinct.str.contains("^-|-\\d").any()),
            values=values,
        )
    lower = {text.lower() for text in values}
    kind = "flag" if lower and lower <= {"true", "false", "yes", "no", "y", "n", "t", "f"} else "text"
    return ColumnLook(column.name, share, count, samples, kind, values=values)


def _formats(distinct: pl.Series) -> tuple[str | None, ...]:
    probe = distinct.head(2000)
    if not probe.str.contains(r"^\D{0,9}\d{1,4}[-/. ]\D{0,9}\d{1,2}|^\d{1,2}[- ][A-Za-z]{3}|^[A-Za-z]{3,9} \d").all():
        return ()
    iso = pl.coalesce(*(_parsed(form) for form in DEFAULT_DATES))
    if probe.to_frame("x").select(iso.is_not_null().all()).item():
        return (None,)
    fits = [
        day + time
        for day in _DAYS
        for time in _TIMES
        if distinct.to_frame("x").select(_parsed(day + time).is_not_null().all()).item()
    ]
    # A two-digit year read as a four-digit one is no second way of reading it.
    return tuple(fits)


def _parsed(form: str) -> pl.Expr:
    aware = "%z" in form or "%#z" in form
    stamp = pl.col("x").str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC" if aware else None)
    return pl.when(stamp.dt.year().is_between(1950, 2100)).then(stamp.dt.replace_time_zone(None))


_GROUPS: Final = (
    ("1234.5", r"^[+-]?(\d+\.?\d*|\.\d+)$"),
    ("1,234.5", r"^[+-]?(\d{1,3}(,\d{2,3})*,\d{3}|\d+)(\.\d*)?$"),
    ("1.234,5", r"^[+-]?(\d{1,3}(\.\d{2,3})*\.\d{3}|\d+)(,\d*)?$"),
)


def _number_styles(distinct: pl.Series) -> tuple[str, ...]:
    """Return the styles that fit every value: `1,500` alone fits two of them, `1500` all three."""
    bare = distinct.to_frame("x").select(bare_number(pl.col("x")))["x"]
    fits = tuple(style for style, looks in _GROUPS if bare.str.contains(looks).all())
    # Only the styles that take off what stands around a number can read it.
    return fits if (bare == distinct).all() else tuple(style for style in fits if style != "1234.5")


def _money_sign(distinct: pl.Series) -> str:
    """Return the one currency code or sign that the numbers bear."""
    signs = distinct.str.extract(rf"({SIGNS})", 1)
    return str(signs[0]) if signs.null_count() == 0 and signs.n_unique() == 1 else ""


_SERIAL_DAYS: Final = (20_000, 80_000)
_SERIAL_SECONDS: Final = (500_000_000, 5_000_000_000)


def _numbered_formats(distinct: pl.Series) -> tuple[str | None, ...]:
    """Return the one way in which numbers may be dates: what lies between 1954 and 2119."""
    for form in NUMBERED_DATES:
        low, high = _SERIAL_DAYS if form == "excel" else _SERIAL_SECONDS
        factor = 1000 if form == "unix_ms" else 1
        if distinct.str.contains(SPECIAL_DATES[form]).all():
            numbers = distinct.cast(pl.Float64, strict=False)
            if numbers.is_between(low * factor, high * factor).all():
                return (form,)
    return ()


def _groups(plain: Prepared, header_row: int, names: Sequence[str]) -> dict[str, str]:
    """Return column → the heading of its group: the row above the header, if several of its cells are filled."""
    if header_row == 1:
        return {}
    rows = read_records(plain.path, plain.separator, encoding=plain.encoding)
    above = next((record.cells for record in rows if record.number == header_row - 1), [])
    if sum(1 for cell in above if cell.strip()) < 2:  # a title
        return {}
    groups: dict[str, str] = {}
    current = ""
    for name, cell in zip(names, [*above, *[""] * len(names)], strict=False):
        current = cell.strip() or current
        groups[name] = current
    return groups


def _encoding(file: SourceFile) -> str:
    head = file.head
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the head may end within a character
    except UnicodeDecodeError:
        return "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "windows-1252"
    return "utf-8"


def _separator(file: SourceFile, encoding: str) -> str:
    lines = file.head.decode(encoding, errors="replace").splitlines()[:_HEAD_ROWS]
    scores = {}
    for mark in (",", ";", "\t", "|"):
        widths = Counter(len(cells) for cells in csv.reader(lines, delimiter=mark) if cells)
        width, rows = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        scores[mark] = (width > 1, rows, width)
    return max(scores, key=lambda mark: scores[mark])


def _header_row(prepared: Prepared) -> int:
    """Return the first row that is as wide as most and whose cells are all filled."""
    head = []
    for record in read_records(prepared.path, prepared.separator, encoding=prepared.encoding):
        head.append(record)
        if len(head) == _HEAD_ROWS:
            break
    filled = [(record.number, sum(1 for cell in record.cells if cell.strip())) for record in head]
    usual = max((count for _, count in filled), default=0)
    return next((number for number, count in filled if usual and count >= 0.8 * usual), 1)
