"""CSV and TSV exports whose columns go by several names, read column by column.

The rows of all files become one frame of texts with our names; values are read as types by polars expressions
(`mapping.values`), each with its fault. Columns that an adapter does not know are kept, as JSON.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from pipelines.sources.base import ParsedBatch, SourceFile, reject_frame
from pipelines.sources.mapping.values import Value

REF: Final = "\x00ref"
"""Hidden column: `source_ref` of the row."""

ROW: Final = "\x00row"
"""Hidden column: number of the row in its file as a spreadsheet shows it (the header is row 1)."""

OTHER: Final = "\x00other"
"""Hidden column: the cells of unknown columns as a JSON object, null without any."""

FILE: Final = "\x00file"
"""Hidden column: position of the row's file."""

RAW_CHARACTERS: Final = 2000
_FIELD_LIMIT: Final = 1 << 27
_PLAIN: Final = re.compile(r"[^a-z0-9]+")


def plain(name: str) -> str:
    """Return a column name without case, spaces and punctuation.

    >>> plain("Order ID#"), plain("amazon-order-id"), plain("*")
    ('orderid', 'amazonorderid', '*')
    """
    return _PLAIN.sub("", name.lower()) or name


def separator_of(file: SourceFile, usual: str) -> str:
    """Return the separator of a file: the one that parts its first line most; the usual one in doubt."""
    first = file.head.partition(b"\n")[0]
    return max((usual, ",", ";", "\t"), key=lambda mark: first.count(mark.encode()))


def header_of(file: SourceFile, usual: str = ",") -> list[str]:
    """Return the column names of a file as they are written, stripped; empty where there is none."""
    separator = separator_of(file, usual)
    line = io.StringIO(file.head.decode("utf-8", errors="replace").removeprefix("\ufeff"), newline="")
    try:
        return [cell.strip() for cell in next(csv.reader(line, delimiter=separator), [])]
    except csv.Error:
        return []


def plain_header(file: SourceFile, usual: str = ",") -> frozenset[str]:
    """Return the `plain` column names of a CSV, TSV or text file; empty for any other."""
    return frozenset(map(plain, header_of(file, usual))) if file.kind in (".csv", ".tsv", ".txt") else frozenset()


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file of one kind looks like.

    Attributes:
        columns: Our name → names under which the column is known (`plain` spelling).
        required: Our names without which a file is refused.
        ignored: Columns (`plain` spelling) that are known and not kept: names, mail, phone numbers of people.
        separator: Usual cell separator; a file that is parted by another one is read by that.
    """

    columns: Mapping[str, Sequence[str]]
    required: Collection[str]
    ignored: Collection[str] = ()
    separator: str = ","

    def names_in(self, header: Sequence[str]) -> dict[str, str]:
        """Return column as written → our name; where two columns have one meaning, the first name listed counts."""
        spelled: dict[str, str] = {}
        for cell in header:
            spelled.setdefault(plain(cell), cell)
        found: dict[str, str] = {}
        for ours, names in self.columns.items():
            written = next((spelled[name] for name in names if name in spelled and spelled[name] not in found), None)
            if written is not None:
                found[written] = ours
        return found


@dataclass(slots=True)
class Sheets:
    """The rows of files of one layout, and what became of them.

    Attributes:
        layout: How the files are written.
        rows: One row per record: our columns as text (empty = null), `REF`, `OTHER`, `FILE`, `ROW`.
        rejects: What was refused so far.
        rows_in: File name → records seen.
    """

    layout: Layout
    rows: pl.DataFrame
    rejects: list[dict[str, str]] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)
    _cells: dict[int, dict[int, list[str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, files: Sequence[SourceFile], layout: Layout) -> Sheets:
        """Read files; a file without a required column is refused whole."""
        texts = dict.fromkeys([*layout.columns, OTHER, REF], pl.String())
        sheets = cls(layout, pl.DataFrame(schema=texts | {FILE: pl.Int64(), ROW: pl.Int64()}))
        frames = [sheets.rows]
        for position, file in enumerate(files):
            rows = sheets._read_file(file, position)
            if rows is not None:
                frames.append(rows.select(sheets.rows.columns))
        sheets.rows = pl.concat(frames)
        return sheets

    def _read_file(self, file: SourceFile, position: int) -> pl.DataFrame | None:
        self.rows_in[file.name] = 0
        try:
            text = _text(file)
        except (OSError, EOFError, zlib.error) as error:
            self._refuse_file(file, f"the file cannot be read: {error}")
            return None
        csv.field_size_limit(_FIELD_LIMIT)
        separator = separator_of(file, self.layout.separator)
        records = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            header = [cell.strip() for cell in next(records, [])]
            cells = list(records)
        except csv.Error as error:
            self._refuse_file(file, f"the file cannot be read as a table: {error}")
            return None
        found = self.layout.names_in(header)
        missing = sorted(set(self.layout.required) - set(found.values()))
        if missing:
            wanted = "; ".join(f"{name} ({' or '.join(self.layout.columns[name][:3])})" for name in missing)
            self._refuse_file(file, f"column missing: {wanted}; the header has {', '.join(header)[:400] or 'nothing'}")
            return None
        return self._frame(file, position, header, found, cells)

    def _frame(
        self, file: SourceFile, position: int, header: list[str], found: dict[str, str], cells: list[list[str]]
    ) -> pl.DataFrame:
        width = len(header)
        numbers = range(2, len(cells) + 2)
        if set(map(len, cells)) - {width}:
            kept = []
            for number, row in zip(numbers, cells, strict=True):
                if len(row) == width:
                    kept.append(number)
                elif row:
                    self._note(file.ref(number), f"expected {width} cells, found {len(row)}", row)
                    self.rows_in[file.name] += 1
            cells = [cells[number - 2] for number in kept]
        else:
            kept = list(numbers)
        self.rows_in[file.name] += len(cells)
        known = {name for names in self.layout.columns.values() for name in names} | set(self.layout.ignored)
        others = [cell for cell in dict.fromkeys(header) if cell and plain(cell) not in known]
        columns = list(zip(*cells, strict=True)) or [()] * width
        # Columns go by position: a name such as `*` or `^x$` would be a pattern to polars.
        place = {cell: f"c{header.index(cell)}" for cell in [*found, *others]}
        texts = pl.DataFrame(
            {name: columns[header.index(cell)] for cell, name in place.items()},
            schema=dict.fromkeys(place.values(), pl.String()),
        )
        stripped = pl.all().str.strip_chars()
        texts = texts.with_columns(pl.when(stripped != "").then(stripped).name.keep())
        ours = set(found.values())
        self._cells[position] = dict(zip(kept, cells, strict=True))
        return texts.select(
            *(pl.col(place[written]).alias(name) for written, name in found.items()),
            *(pl.lit(None, dtype=pl.String).alias(name) for name in self.layout.columns if name not in ours),
            _json({cell: place[cell] for cell in others}).alias(OTHER),
        ).with_columns(
            pl.lit(position, dtype=pl.Int64).alias(FILE),
            pl.Series(ROW, kept, dtype=pl.Int64),
            pl.format("{}#{}", pl.lit(file.name), pl.Series(kept, dtype=pl.Int64)).alias(REF),
        )

    def _refuse_file(self, file: SourceFile, reason: str) -> None:
        self.rejects.append({"source_ref": file.ref(1), "reason": reason, "raw": ""})

    def _note(self, ref: str, reason: str, cells: Sequence[str]) -> None:
        text = io.StringIO()
        csv.writer(text, delimiter=self.layout.separator, lineterminator="").writerow(cells)
        self.rejects.append({"source_ref": ref, "reason": reason, "raw": text.getvalue()[:RAW_CHARACTERS]})

    def judge(self, values: Mapping[str, Value]) -> None:
        """Replace texts by values (or add them); rows with a fault become rejects."""
        faults = [value.fault for value in values.values()]
        reason = pl.concat_list(faults).list.drop_nulls().list.unique(maintain_order=True).list.join("; ")
        judged = self.rows.with_columns(
            reason.alias("\x00reason"), *(value.value.alias(name) for name, value in values.items())
        )
        self.refuse(judged.filter(pl.col("\x00reason") != "").select(REF, "\x00reason", FILE, ROW))
        self.rows = judged.filter(pl.col("\x00reason") == "").drop("\x00reason")

    def refuse(self, faulty: pl.DataFrame) -> None:
        """Reject rows, given as (reference, reason, `FILE`, `ROW`)."""
        for ref, reason, position, row in faulty.iter_rows():
            self._note(ref, reason, self._cells[position].get(row, []))

    def batch(self, events: Mapping[str, Sequence[pl.DataFrame]]) -> ParsedBatch:
        """Return the result: frames per family, rows without anything left out."""
        joined = {family: pl.concat(frames, how="diagonal_relaxed") for family, frames in events.items() if frames}
        return ParsedBatch(
            events={family: frame for family, frame in joined.items() if not frame.is_empty()},
            rejects=reject_frame(self.rejects),
            rows_in=self.rows_in,
        )


def _text(file: SourceFile) -> str:
    """Return the text: UTF-8, or Windows-1252 what is not; spreadsheet programs and marketplaces write both."""
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("windows-1252", errors="replace")


def _json(columns: Mapping[str, str]) -> pl.Expr:
    """Return the filled cells of columns (name as written → column) as a JSON object; null without any."""
    if not columns:
        return pl.lit(None, dtype=pl.String)
    members = [
        pl.format('"{}":"{}"', pl.lit(name.replace("\\", "\\\\").replace('"', '\\"')), _escaped(pl.col(column)))
        for name, column in columns.items()
    ]
    body = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.when(body != "").then(pl.concat_str([pl.lit("{"), body, pl.lit("}")]))


def attributes(**members: pl.Expr) -> pl.Expr:
    """Return named texts and the row's unknown cells as one JSON object; null without any."""
    return json_object(members, pl.col(OTHER).str.slice(1, pl.col(OTHER).str.len_chars() - 2))


def json_object(members: Mapping[str, pl.Expr], *written: pl.Expr) -> pl.Expr:
    """Return named texts, without the null ones, and members already written as one JSON object; null without any."""
    named = [pl.format('"{}":"{}"', pl.lit(name), _escaped(text)) for name, text in members.items()]
    body = pl.concat_str([*named, *written], separator=",", ignore_nulls=True)
    return pl.when(body != "").then(pl.concat_str([pl.lit("{"), body, pl.lit("}")]))


def _escaped(text: pl.Expr) -> pl.Expr:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return text.cast(pl.String).str.replace_many(list(escapes), list(escapes.values())).str.replace_all(r"\p{Cc}", " ")
