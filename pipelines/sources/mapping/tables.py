"""CSV and TSV files → text tables with a reference per row; rows that are no rows become rejects."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from pipelines.sources.base import SourceFile
from pipelines.sources.mapping.model import Table

REF: Final = "\x00ref"
"""Hidden column with the `source_ref` of the row."""

RAW_CHARACTERS: Final = 2000
_FIELD_LIMIT: Final = 1 << 27


def matches(file: SourceFile, patterns: Collection[str]) -> bool:
    """Say whether a file's name (whole or last part, without `.gz`) matches one of the globs."""
    name = file.name.lower().removesuffix(".gz")
    candidates = (name, name.rsplit("/", 1)[-1])
    wanted = [pattern.lower().removesuffix(".gz") for pattern in patterns]
    return any(fnmatchcase(candidate, pattern) for candidate in candidates for pattern in wanted)


@dataclass(slots=True)
class TableReader:
    """Reads the files of one table.

    Attributes:
        table: How the files are written.
        files: The files.
        needed: Columns that the mapping uses.
        empty: Texts that mean nothing.
        rejects: What could not be read.
        rows_in: File name → data rows seen.
        refused: Why whole files were refused.
    """

    table: Table
    files: Sequence[SourceFile]
    needed: Collection[str]
    empty: Collection[str] = ()
    rejects: list[dict[str, str]] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def read(self) -> pl.DataFrame:
        """Return all rows of the files, the needed columns only, as stripped text (empty = null) with `REF`."""
        names = sorted(self.needed)
        schema = dict.fromkeys([*names, REF], pl.String())
        frames = [pl.DataFrame(schema=schema)]
        frames += [
            pl.DataFrame(columns, schema=schema) for file in self.files if (columns := self._columns(file, names))
        ]
        return pl.concat(frames).with_columns(self._cleaned(name) for name in names)

    def raw_rows(self, refs: Collection[str]) -> dict[str, str]:
        """Return the raw text of rows by reference; reads their files a second time, so that none is kept in memory."""
        wanted = {ref.rsplit("#", 1)[0] for ref in refs}
        return {
            file.ref(record.number): record.raw[:RAW_CHARACTERS]
            for file in self.files
            if file.name in wanted
            for record in self._records(file)
            if file.ref(record.number) in refs
        }

    def _records(self, file: SourceFile) -> Iterator[_Record]:
        text = file.read_bytes().decode(self.table.encoding, errors="surrogateescape").removeprefix("\ufeff")
        return _records(text, self.table.separator or ("\t" if file.kind == ".tsv" else ","))

    def _cleaned(self, name: str) -> pl.Expr:
        text = pl.col(name).str.strip_chars()
        return pl.when(~text.is_in(["", *self.empty])).then(text).alias(name)

    def _columns(self, file: SourceFile, names: Sequence[str]) -> dict[str, list[str | None]] | None:
        self.rows_in[file.name] = 0
        try:
            records = self._records(file)
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            self._refuse(file, f"the file cannot be read: {error}")
            return None
        header = [cell.strip() for cell in next(records, _Record(1, [], "")).cells]
        fault = self._header_fault(header)
        if fault:
            self._refuse(file, fault)
            return None
        rows, refs = self._rows(file, records, width=len(header))
        by_name = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else {}
        none: list[str | None] = [None] * len(refs)
        columns = {name: list(by_name[name]) if name in by_name else none for name in names}
        return columns | {REF: refs}

    def _rows(
        self, file: SourceFile, records: Iterator[_Record], *, width: int
    ) -> tuple[list[list[str]], list[str | None]]:
        rows: list[list[str]] = []
        refs: list[str | None] = []
        for record in records:
            if not record.cells:
                continue
            self.rows_in[file.name] += 1
            fault = _row_fault(record, width, self.table.encoding)
            if fault:
                self._reject(file, record.number, fault, record.raw)
            else:
                rows.append(record.cells)
                refs.append(file.ref(record.number))
        return rows, refs

    def _header_fault(self, header: Sequence[str]) -> str | None:
        if not any(header):
            return "the file has no header row"
        missing = sorted(set(self.needed) - set(header) - set(self.table.optional_columns))
        if missing:
            return f"column {', '.join(missing)} is missing; the header has {', '.join(header)[:400]}"
        twice = sorted(name for name in self.needed if header.count(name) > 1)
        return f"column {', '.join(twice)} stands in the header twice" if twice else None

    def _refuse(self, file: SourceFile, reason: str) -> None:
        self.refused.append(f"{file.name}: {reason}")
        self._reject(file, 1, reason, "")

    def _reject(self, file: SourceFile, number: int, reason: str, raw: str) -> None:
        shown = raw.encode("utf-8", errors="backslashreplace").decode("utf-8")[:RAW_CHARACTERS]
        self.rejects.append({"source_ref": file.ref(number), "reason": reason, "raw": shown})


@dataclass(slots=True)
class _Record:
    number: int
    cells: list[str]
    raw: str


def _records(text: str, separator: str) -> Iterator[_Record]:
    """Yield records with their number as a spreadsheet shows it (the header is row 1)."""
    consumed: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            consumed.append(line)
            yield line

    csv.field_size_limit(_FIELD_LIMIT)
    for number, cells in enumerate(csv.reader(lines(), delimiter=separator), start=1):
        yield _Record(number, cells, "".join(consumed).rstrip("\r\n"))
        consumed.clear()


def _row_fault(record: _Record, width: int, encoding: str) -> str | None:
    if len(record.cells) != width:
        lines = record.raw.count("\n") + 1
        quote = f" over {lines} lines (is a quote left open?)" if lines > 1 else ""
        return f"expected {width} cells, found {len(record.cells)}{quote}"
    if not record.raw.isascii() and any("\ud800" <= mark <= "\udfff" for mark in record.raw):
        return f"the text is not {encoding} (set `encoding` of the table, e.g. windows-1252)"
    return None
