"""Files → text tables with a reference per row; rows that are no rows become rejects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.errors import SourceError
from pipelines.sources.base import SourceFile
from pipelines.sources.delimited import NUMBER, Prepared, prepare, raw_records, read_text, shown
from pipelines.sources.mapping.model import Table

REF: Final = "\x00ref"
"""Hidden column with the `source_ref` of the row."""


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
        folder: Where copies may be written.
        empty: Texts that mean nothing.
        rejects: What could not be read so far.
        rows_in: File name → data rows seen so far.
        refused: Why whole files were refused.
    """

    table: Table
    files: Sequence[SourceFile]
    needed: Collection[str]
    folder: Path
    empty: Collection[str] = ()
    rejects: list[dict[str, str]] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _prepared: dict[str, Prepared] = field(default_factory=dict)

    def open(self) -> None:
        """Look at the header of every file; one that cannot be used is refused."""
        for number, file in enumerate(self.files):
            self.rows_in[file.name] = 0
            try:
                prepared = prepare(
                    file,
                    self.folder / str(number),
                    separator=self.table.separator,
                    encoding=self.table.encoding,
                    sheet=self.table.sheet,
                    header_row=self.table.header_row,
                )
            except SourceError as error:
                self._refuse(file, str(error))
                continue
            fault = self._header_fault(prepared.names)
            if fault:
                self._refuse(file, fault)
            else:
                self._prepared[file.name] = prepared

    def portions(self) -> Iterator[pl.DataFrame]:
        """Yield all rows of the files in frames of bounded size: needed columns as text (empty = null) and `REF`."""
        for number, file in enumerate(self.files):
            if file.name in self._prepared:
                yield from self._rows(file, self.folder / str(number))

    def whole(self) -> pl.DataFrame:
        """Return all rows of the files in one frame."""
        schema = dict.fromkeys([*sorted(self.needed), REF], pl.String())
        return pl.concat([pl.DataFrame(schema=schema), *self.portions()])

    def raw_rows(self, refs: Collection[str]) -> dict[str, str]:
        """Return the raw text of rows by reference; reads their files a second time, so that none is kept in memory."""
        wanted: dict[str, set[int]] = {}
        for ref in refs:
            name, _, place = ref.rpartition("#")
            wanted.setdefault(name, set()).add(int(place.rpartition("!")[2]))
        return {
            f"{name}#{self._place}{record.number}": shown(record.raw)
            for name, numbers in wanted.items()
            for record in raw_records(self._prepared[name], numbers)
        }

    def _rows(self, file: SourceFile, folder: Path) -> Iterator[pl.DataFrame]:
        prepared = self._prepared[file.name]
        position = {name: prepared.names.index(name) for name in self.needed if name in prepared.names}
        self._note_faults(file, prepared)
        for part in read_text(prepared, position.values(), folder):
            if isinstance(part, Prepared):
                self._prepared[file.name] = part
                self._note_faults(file, part)
                continue
            self.rows_in[file.name] += part.height
            yield part.select(
                *(
                    self._cleaned(f"c{position[name]}", name)
                    if name in position
                    else pl.lit(None, dtype=pl.String).alias(name)
                    for name in sorted(self.needed)
                ),
                pl.format("{}#{}{}", pl.lit(file.name), pl.lit(self._place), pl.col(NUMBER)).alias(REF),
            )

    def _note_faults(self, file: SourceFile, prepared: Prepared) -> None:
        self.rows_in[file.name] += len(prepared.faults)
        for fault in prepared.faults:
            self._reject(file, fault.number, fault.reason, fault.raw)

    def _cleaned(self, cell: str, name: str) -> pl.Expr:
        text = pl.col(cell).str.strip_chars()
        return pl.when(~text.is_in(["", *self.empty])).then(text).alias(name)

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
        self.rejects.append({"source_ref": file.ref(f"{self._place}{number}"), "reason": reason, "raw": raw})

    @property
    def _place(self) -> str:
        """What stands before a row's number: the sheet, where the table names one."""
        return f"{self.table.sheet}!" if self.table.sheet else ""
