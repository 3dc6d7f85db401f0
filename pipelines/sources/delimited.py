"""Delimited text and spreadsheets → text columns at DuckDB's speed, every row still known by its number.

A file is prepared (unpacked, re-coded, a sheet written as CSV) and read by DuckDB in strict mode. A file that
breaks the strict rules is copied once, record by record: what is no row becomes a reject with its raw text and an
empty row in its place, so that the numbers of all others stay what a spreadsheet shows (the header is row 1).
"""

from __future__ import annotations

import csv
import gzip
import io
import mmap
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.errors import SourceError
from pipelines.sources.base import SourceFile
from storage.duck import DatabaseError, connect

CHUNK_ROWS: Final = 250_000
"""Rows per frame: large enough for columnar speed, small enough for bounded memory."""

RAW_CHARACTERS: Final = 2000
"""How much of a faulty record is kept."""

SPREADSHEETS: Final = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
NUMBER: Final = "\x00number"
"""Hidden column with the record's number."""

_LINE_BYTES: Final = 16 << 20
_FIELD_LIMIT: Final = 1 << 27


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that is no row: its number, what is wrong, its raw text."""

    number: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that DuckDB can read.

    Attributes:
        path: UTF-8 text.
        names: Header cells, blanks around them dropped.
        separator: Cell separator.
        encoding: Encoding of the original, for what is said about undecodable text.
        faults: Records that are no rows.
        skipped: Numbers of the records that hold no row: blank ones and those of `faults`.
        is_copy: The file is ours, well-formed by construction.
        above: Rows above the header that the file had; a copy no longer has them, but its rows keep their numbers.
    """

    path: Path
    names: tuple[str, ...]
    separator: str
    encoding: str = "utf-8"
    faults: tuple[Fault, ...] = ()
    skipped: frozenset[int] = field(default_factory=frozenset)
    is_copy: bool = False
    above: int = 0

    def sql(self) -> str:
        """Return the table function that reads it: all text, columns `c0`, `c1`, … in header order."""
        columns = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(self.names)))
        path, separator = (text.replace("'", "''") for text in (str(self.path), self.separator))
        return (
            f"read_csv('{path}', delim = '{separator}', quote = '\"', escape = '\"', header = true, "
            f"auto_detect = false, strict_mode = true, max_line_size = {_LINE_BYTES}, columns = {{{columns}}})"
        )


def prepare(
    file: SourceFile,
    folder: Path,
    *,
    separator: str | None = None,
    encoding: str = "utf-8",
    sheet: str | None = None,
    header_row: int = 1,
) -> Prepared:
    """Bring a file to plain UTF-8 text and read its header.

    Args:
        file: CSV, TSV or a spreadsheet; text may be gzipped.
        folder: Where copies may be written; the caller removes it.
        separator: Cell separator; by default a tab in `.tsv` files and a comma otherwise.
        encoding: Text encoding.
        sheet: Sheet of a spreadsheet; the first by default.
        header_row: Row that holds the column names; what stands above it is passed over.

    Raises:
        SourceError: The file cannot be read at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = separator or ("\t" if file.kind == ".tsv" else ",")
    copy = folder / f"{len(list(folder.iterdir()))}.csv"
    try:
        if file.kind in SPREADSHEETS:
            mark = ","
            _write_sheet(file, copy, sheet)
            path, is_utf8 = copy, True
        elif file.path.suffix.lower() == ".gz":
            with gzip.open(file.path, "rb") as packed, copy.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            path, is_utf8 = copy, _is_utf8(encoding)
        else:
            path, is_utf8 = file.path, _is_utf8(encoding)
    except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        message = f"the file cannot be read: {error}"
        raise SourceError(message) from error
    shown = encoding if file.kind not in SPREADSHEETS else "utf-8"
    first = next(islice(read_records(path, mark, encoding=shown), header_row - 1, None), None)
    names = tuple(cell.strip() for cell in first.cells) if first else ()
    prepared = Prepared(path, names, mark, encoding=shown, above=header_row - 1)
    faulty = not is_utf8 or header_row > 1 or has_blank_lines(path)
    return repair(prepared, folder) if names and faulty else prepared


def repair(prepared: Prepared, folder: Path) -> Prepared:
    """Copy a file record by record: faults set aside, an empty row where no row was."""
    copy = folder / f"{len(list(folder.iterdir()))}.csv"
    faults, skipped = [], set()
    width = len(prepared.names)
    with copy.open("w", encoding="utf-8", errors="backslashreplace", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n", delimiter=prepared.separator)
        try:
            for record in read_records(prepared.path, prepared.separator, encoding=prepared.encoding):
                if record.number <= prepared.above:
                    continue
                reason = None if record.number == prepared.above + 1 else _fault(record, width, prepared.encoding)
                if reason is None and record.cells:
                    writer.writerow(record.cells)
                    continue
                handle.write(prepared.separator * (width - 1) + "\n" if width > 1 else '""\n')
                skipped.add(record.number)
                if reason:
                    faults.append(Fault(record.number, reason, shown(record.raw)))
        except csv.Error as error:
            faults.append(Fault(record.number + 1, f"the file cannot be read any further: {error}", ""))
    return replace(
        prepared, path=copy, encoding="utf-8", faults=tuple(faults), skipped=frozenset(skipped), is_copy=True
    )


def read_text(prepared: Prepared, columns: Collection[int], folder: Path) -> Iterator[pl.DataFrame | Prepared]:
    """Yield frames of text columns `c<position>` with `NUMBER`, in file order, empty cells as null.

    Where the file turns out to break the strict rules its repaired form is yielded first and then read on.

    Args:
        prepared: The file.
        columns: Positions of the columns wanted.
        folder: Where a copy may be written.
    """
    selected = ", ".join(f"c{position}" for position in sorted(columns)) or "1 as none"
    done = 0
    for attempt in (prepared, None):
        source = attempt or repair(prepared, folder)
        if attempt is None:
            yield source
        connection = connect()
        try:
            rows = connection.sql(f"select {selected} from {source.sql()} offset {done}")
            for batch in rows.to_arrow_reader(CHUNK_ROWS):
                frame = pl.DataFrame(pl.from_arrow(batch))
                first = done + source.above + 2
                frame = frame.with_columns(pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(NUMBER))
                done += frame.height
                yield frame.filter(~pl.col(NUMBER).is_in(source.skipped)) if source.skipped else frame
        except DatabaseError:
            if source.is_copy:
                raise
        except OSError as error:  # Arrow passes the reader's errors on under its own name
            if source.is_copy:
                message = f"the file cannot be read: {error}"
                raise SourceError(message) from error
        else:
            return
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its number, its cells, its raw text."""

    number: int
    cells: list[str]
    raw: str


def read_records(path: Path, separator: str, *, encoding: str = "utf-8") -> Iterator[Record]:
    """Yield every record of a file, the header (number 1) included; slow, for what needs the raw text."""
    consumed: list[str] = []
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as handle:
        if handle.read(1) != "\ufeff":
            handle.seek(0)

        def lines() -> Iterator[str]:
            for line in handle:
                consumed.append(line)
                yield line

        csv.field_size_limit(_FIELD_LIMIT)
        for number, cells in enumerate(csv.reader(lines(), delimiter=separator), start=1):
            yield Record(number, cells, "".join(consumed).rstrip("\r\n"))
            consumed.clear()


def raw_records(prepared: Prepared, numbers: Collection[int]) -> Iterator[Record]:
    """Yield the records with the given numbers."""
    last = max(numbers, default=0)
    for record in _records_fast(prepared):
        number = record.number + (prepared.above if prepared.is_copy else 0)
        if number > last:
            return
        if number in numbers:
            yield replace(record, number=number)


def shown(raw: str) -> str:
    """Return raw text as it is kept: always encodable, never longer than `RAW_CHARACTERS`."""
    return raw.encode("utf-8", errors="backslashreplace").decode("utf-8")[:RAW_CHARACTERS]


def has_blank_lines(path: Path) -> bool:
    """Say whether an empty line stands anywhere but at the end; readers skip those without counting them."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = len(data)
        while end and data[end - 1] in b"\r\n":
            end -= 1
        return data[:1] in (b"\n", b"\r") or any(
            data.find(mark, 0, end) >= 0 for mark in (b"\n\n", b"\n\r\n", b"\r\r", b"\n\r")
        )


def _records_fast(prepared: Prepared) -> Iterator[Record]:
    if _has_quotes(prepared.path):
        yield from read_records(prepared.path, prepared.separator, encoding=prepared.encoding)
        return
    with prepared.path.open(encoding=prepared.encoding, errors="surrogateescape", newline="") as handle:
        for number, line in enumerate(handle, start=1):
            raw = line.rstrip("\r\n")
            yield Record(number, raw.split(prepared.separator), raw)


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(b'"') >= 0


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii")


def _fault(record: Record, width: int, encoding: str) -> str | None:
    if record.cells and len(record.cells) != width:
        lines = record.raw.count("\n") + 1
        quote = f" over {lines} lines (is a quote left open?)" if lines > 1 else ""
        return f"expected {width} cells, found {len(record.cells)}{quote}"
    if not record.raw.isascii() and any("\ud800" <= mark <= "\udfff" for mark in record.raw):
        return f"the text is not {encoding} (set `encoding` of the table, e.g. windows-1252)"
    if len(record.raw) > _LINE_BYTES // 4:
        return f"the record is longer than {_LINE_BYTES // 4:,} characters"
    return None


def _write_sheet(file: SourceFile, copy: Path, sheet: str | None) -> None:
    import fastexcel  # noqa: PLC0415 - only spreadsheets pay for it

    try:
        book = fastexcel.read_excel(file.path)
        if sheet is not None and sheet not in book.sheet_names:
            message = f"the workbook has no sheet {sheet!r}; its sheets: {', '.join(book.sheet_names)}"
            raise SourceError(message)
        loaded = book.load_sheet(
            0 if sheet is None else sheet, header_row=None, dtypes="string", skip_whitespace_tail_rows=True
        )
    except fastexcel.FastExcelError as error:
        message = f"the workbook cannot be read: {error}"
        raise SourceError(message) from error
    frame = loaded.to_polars()
    # A date cell arrives as a stamp at midnight; as text it is a date again.
    frame = frame.with_columns(pl.all().cast(pl.String).str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1"))
    text = io.StringIO()
    frame.write_csv(text, include_header=False)
    copy.write_text(text.getvalue(), encoding="utf-8", newline="")


def sheet_names(file: SourceFile) -> list[str]:
    """Return the sheets of a spreadsheet."""
    import fastexcel  # noqa: PLC0415 - only spreadsheets pay for it

    try:
        return list(fastexcel.read_excel(file.path).sheet_names)
    except fastexcel.FastExcelError as error:
        message = f"{file.name}: the workbook cannot be read: {error}"
        raise SourceError(message) from error
