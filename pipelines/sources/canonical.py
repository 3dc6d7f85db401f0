"""Canonical events that a user writes himself: CSV or JSON lines in the columns of docs/events.md.

    event_type,event_at,order_id,line_id,sku,quantity
    order.captured,2026-03-02T14:00:00Z,A-1,1,MUG-01,2

A file may mix families; a row's family follows from its `event_type`. Instants without offset are UTC.
The rows never pass through Python: DuckDB reads, casts and judges them (`stage`), which makes this the
fastest way into the database.
"""

from __future__ import annotations

import difflib
import gzip
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.errors import SourceError
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches, reject_frame
from pipelines.sources.delimited import (
    CHUNK_ROWS,
    has_blank_lines,
    prepare,
    raw_records,
    repair,
    shown,
)
from storage.contracts import EVENT_TABLES, conform
from storage.duck import Connection, DatabaseError, connect

NAME: Final = "canonical"

TYPES: Final = {column.name: column.type for table in EVENT_TABLES.values() for column in table.columns}
"""Every column of every family; a name has one type everywhere."""

SET_BY_LANDING: Final = frozenset({"event_id", "batch_id", "source_ref"})
"""Columns a file may hold (an export of our own tables does) but that landing fills anew."""

FAMILY_OF: Final = {event_type: table.family for table in EVENT_TABLES.values() for event_type in table.event_types}

_EARLIEST: Final = "timestamp '1900-01-01'"
_LATEST: Final = "timestamp '2200-01-01'"
_EXPECTED: Final = {
    "TIMESTAMP": "a time between 1900 and 2199 (expected e.g. 2026-11-16T14:30:00Z)",
    "DATE": "a date (expected e.g. 2026-11-16)",
    "BOOLEAN": "true or false",
}
_DEFAULTS: Final = {"source": NAME, "time_quality": "instant"}
_JSON_SAMPLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """A record as it was written: its number, raw text and cells (none where it could not be taken apart)."""

    number: int
    raw: str
    cells: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Staged:
    """A file as a table of typed rows.

    Attributes:
        table: The table; row k of it (`rowid`) is record k + `first_number` of the file. It has the file's known
            columns, `family` (null where the event type is unknown) and `is_sound`.
        columns: The contract's columns that the table has.
        first_number: Number of the first record.
        rows: Records that hold something.
        rejects: Rejected records, `REJECT_SCHEMA`, in portions.
    """

    table: str
    columns: tuple[str, ...]
    first_number: int
    rows: int
    rejects: Iterator[pl.DataFrame]


def recognises(file: SourceFile) -> bool:
    """Say whether the file starts like canonical events: a known event type under `event_type`, and `event_at`."""
    try:
        lines = file.head.decode("utf-8-sig", errors="replace").splitlines()
    except ValueError:  # pragma: no cover - decode replaces
        return False
    if not lines:
        return False
    if lines[0].startswith("{"):
        try:
            record = json.loads(lines[0])
        except ValueError:
            return False
        return isinstance(record, dict) and record.get("event_type") in FAMILY_OF and "event_at" in record
    names = [name.strip().strip('"') for name in lines[0].split("\t" if file.kind == ".tsv" else ",")]
    return file.kind in (".csv", ".tsv", ".txt") and {"event_type", "event_at"} <= set(names)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read the files into frames; for small files, landing uses `stage`."""
    del context
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            connection = connect()
            try:
                parts.append(_parse(connection, file, Path(folder) / str(number)))
            finally:
                connection.close()
    return merge_batches(parts)


def stage(connection: Connection, file: SourceFile, *, table: str, folder: Path) -> Staged:
    """Read one file into a new table.

    Args:
        connection: Where the table is made.
        file: CSV, TSV or JSON lines, maybe gzipped, UTF-8.
        table: Name of the table.
        folder: Where copies of the file may be written; the caller removes it.

    Raises:
        SourceError: The file cannot be read, or has columns that are no event columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if file.kind in (".csv", ".tsv", ".txt"):
        return _stage_csv(connection, file, table, folder)
    return _stage_json(connection, file, table, folder)


def _parse(connection: Connection, file: SourceFile, folder: Path) -> ParsedBatch:
    staged = stage(connection, file, table="staged", folder=folder)
    events = {}
    for family in EVENT_TABLES:
        columns = ", ".join(name for name in EVENT_TABLES[family].names if name in staged.columns)
        frame = connection.sql(
            f"select {columns}, '{file.name.replace(chr(39), chr(39) * 2)}#' || (rowid + {staged.first_number}) "
            f"as source_ref from staged where is_sound and family = '{family}' order by rowid"
        ).pl()
        if frame.height:
            events[family] = conform(frame, family)
    rejects = pl.concat([reject_frame(), *staged.rejects])
    return ParsedBatch(events=events, rejects=rejects, rows_in={file.name: staged.rows})


def _stage_csv(connection: Connection, file: SourceFile, table: str, folder: Path) -> Staged:
    prepared = prepare(file, folder)
    _check_names(file, prepared.names)
    positions = {name: f"c{position}" for position, name in enumerate(prepared.names) if name not in SET_BY_LANDING}
    try:
        columns = _create(connection, table, prepared.sql(), positions, first_number=2, skipped=prepared.skipped)
    except DatabaseError:
        if prepared.is_copy:
            raise
        prepared = repair(prepared, folder)
        columns = _create(connection, table, prepared.sql(), positions, first_number=2, skipped=prepared.skipped)

    def read(numbers: Collection[int]) -> Iterator[RawRow]:
        for record in raw_records(prepared, numbers):
            cells = dict(zip(prepared.names, record.cells, strict=False))
            yield RawRow(record.number, record.raw, {name: cells.get(name) or None for name in positions})

    malformed = reject_frame(
        {"source_ref": file.ref(fault.number), "reason": fault.reason, "raw": fault.raw} for fault in prepared.faults
    )
    rejects = _rejects(connection, file, table, read, first_number=2, skipped=prepared.skipped)
    rows = _count(connection, table) - len(prepared.skipped) + len(prepared.faults)
    return Staged(table, columns, 2, rows, chain([malformed], rejects))


def _stage_json(connection: Connection, file: SourceFile, table: str, folder: Path) -> Staged:
    path = file.path
    if path.suffix.lower() == ".gz":
        path = folder / "unpacked.jsonl"
        with gzip.open(file.path, "rb") as packed, path.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
    skipped: set[int] = set()
    if has_blank_lines(path):
        copy = folder / "repaired.jsonl"
        with path.open("rb") as lines, copy.open("wb") as out:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    out.write(line)
                else:
                    out.write(b"{}\n")
                    skipped.add(number)
        path = copy
    quoted = str(path).replace("'", "''")
    try:
        seen = _keys(path)
        _check_names(file, seen)
        positions = {name: f'"{name}"' for name in TYPES if name not in SET_BY_LANDING}
        wanted = ", ".join(f"'{name}': 'VARCHAR'" for name in positions)
        sql = (
            f"read_json('{quoted}', format = 'newline_delimited', ignore_errors = true, "
            f"maximum_object_size = {16 << 20}, columns = {{{wanted}}})"
        )
        expected = {name: cell for name, cell in positions.items() if name in seen}
        others = [name for name in positions if name not in seen]
        columns = _create(connection, table, sql, expected, first_number=1, skipped=skipped, others=others)
        if others and connection.execute(f"select 1 from {table} where has_others limit 1").fetchall():
            columns = _create(connection, table, sql, positions, first_number=1, skipped=skipped)
    except DatabaseError as error:
        message = f"{file.name}: no JSON lines: {error}"
        raise SourceError(message) from error

    def read(numbers: Collection[int]) -> Iterator[RawRow]:
        with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if number in numbers:
                    yield RawRow(number, line.rstrip("\r\n"), _json_cells(line, positions))

    rejects = _rejects(connection, file, table, read, first_number=1, skipped=skipped)
    return Staged(table, columns, 1, _count(connection, table) - len(skipped), rejects)


def _keys(path: Path) -> list[str]:
    """Return the keys of the first records."""
    keys: dict[str, None] = {}
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        for line in islice(lines, _JSON_SAMPLE):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            keys |= dict.fromkeys(record) if isinstance(record, dict) else {}
    return list(keys)


def _json_cells(line: str, names: Collection[str]) -> dict[str, str | None]:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(record, dict):
        return {}
    texts = {name: value if isinstance(value := record.get(name), str) else json.dumps(value) for name in names}
    return {name: None if record.get(name) is None or text == "" else text for name, text in texts.items()}


def _check_names(file: SourceFile, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in TYPES]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in ("event_type", "event_at") if name not in names]
    if not (unknown or twice or missing):
        return
    faults = [f"column {name!r} stands there twice" for name in twice]
    faults += [f"column {name!r} is missing" for name in missing]
    for name in unknown:
        close = difflib.get_close_matches(name, TYPES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "put what has no column into `attributes` (JSON)"
        faults.append(f"{name!r} is no event column (docs/events.md); {hint}")
    message = f"{file.name}: {'; '.join(faults)}. Mend the file, or read it through a mapping (docs/mapping.md)."
    raise SourceError(message)


def _create(
    connection: Connection,
    table: str,
    source: str,
    cells: dict[str, str],
    *,
    first_number: int,
    skipped: Collection[int],
    others: Collection[str] = (),
) -> tuple[str, ...]:
    """Create the table of typed rows and return the contract columns that it has.

    Args:
        connection: Where.
        table: Its name.
        source: Table function with the rows.
        cells: Contract column → its text in the source.
        first_number: Number of the first record.
        skipped: Numbers of records that hold nothing.
        others: Columns of the source that are not expected to be filled; `has_others` says in which rows they are.
    """
    names = tuple(name for name in TYPES if name in cells or name in _DEFAULTS)
    unread = " or ".join(f"(raw_{name} is not null and {name} is null)" for name in _converted(cells)) or "false"
    rules = " ".join(
        f"when '{family}' then {' or '.join(f'coalesce({rule}, false)' for rule, _ in _rules(family, names))}"
        for family in EVENT_TABLES
    )
    watch = ", has_others" if others else ""
    connection.execute(
        f"create or replace table {table} as with {_typed(source, cells, others)} select {', '.join(names)}, family, "
        f"not ({unread} or family is null or case family {rules} end) as is_sound{watch} from typed"
    )
    if skipped:
        connection.register("skipped_numbers", pl.DataFrame({"number": sorted(skipped)}).to_arrow())
        connection.execute(
            f"update {table} set is_sound = false where rowid in (select number - {first_number} from skipped_numbers)"
        )
        connection.unregister("skipped_numbers")
    return names


def _typed(source: str, cells: dict[str, str], others: Collection[str] = ()) -> str:
    """Return the common table expression `typed`: all contract columns, raw texts of converted ones, the family."""
    values = {name: _cast(name, cell) for name, cell in cells.items()}
    for name, default in _DEFAULTS.items():
        values[name] = f"coalesce({values[name]}, '{default}')" if name in values else f"'{default}'"
    for name, kind in TYPES.items():
        values.setdefault(name, f"cast(null as {kind})")
    raw = [f"nullif({cells[name]}, '') as raw_{name}" for name in _converted(cells)]
    if others:
        raw.append(f"coalesce({', '.join(f'cells.{name}' for name in others)}) is not null as has_others")
    families = " ".join(
        f"when event_type in ({', '.join(map(_literal, contract.event_types))}) then '{name}'"
        for name, contract in EVENT_TABLES.items()
    )
    return (
        f"converted as (select {', '.join([*(f'{value} as {name}' for name, value in values.items()), *raw])} "
        f"from {source} as cells), typed as (select *, case {families} end as family from converted)"
    )


def _converted(cells: Collection[str]) -> list[str]:
    return [name for name in cells if TYPES[name] != "VARCHAR"]


def _cast(name: str, cell: str) -> str:
    kind = TYPES[name]
    if kind == "VARCHAR":
        return f"nullif({cell}, '')"
    if kind == "TIMESTAMP":
        # A plain stamp is cast at once; any other through TIMESTAMPTZ, which heeds an offset where TIMESTAMP drops it.
        stamp = (
            f"case when length({cell}) = 19 and {cell}[17] = ':' then try_cast({cell} as timestamp) "
            f"else cast(try_cast({cell} as timestamptz) as timestamp) end"
        )
        return f"if({stamp} between {_EARLIEST} and {_LATEST}, {stamp}, null)"
    return f"try_cast({cell} as {kind})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rules(family: str, names: Collection[str]) -> list[tuple[str, str]]:
    """Return the family's row contract and, for columns of other families, that they are empty."""
    contract = EVENT_TABLES[family]
    rules = [rule for rule in contract.row_rules() if not rule[1].startswith("source_ref ")]  # landing fills it
    foreign = [name for name in names if name not in contract.names]
    return rules + [(f"{name} is not null", f"{name} is no column of {family} events") for name in foreign]


def _count(connection: Connection, table: str) -> int:
    [(count,)] = connection.execute(f"select count(*) from {table}").fetchall()
    return int(count)


def _rejects(
    connection: Connection,
    file: SourceFile,
    table: str,
    read: Callable[[Collection[int]], Iterator[RawRow]],
    *,
    first_number: int,
    skipped: Collection[int],
) -> Iterator[pl.DataFrame]:
    """Yield the rejected records with all that is wrong with each."""
    rows = connection.execute(f"select rowid + {first_number} from {table} where not is_sound").fetchall()
    numbers = {row[0] for row in rows} - set(skipped)
    portion: list[RawRow] = []
    for row in read(numbers) if numbers else ():
        portion.append(row)
        if len(portion) == CHUNK_ROWS:
            yield _judged(connection, file, portion)
            portion = []
    if portion:
        yield _judged(connection, file, portion)


def _judged(connection: Connection, file: SourceFile, rows: Sequence[RawRow]) -> pl.DataFrame:
    names = sorted({name for row in rows for name in row.cells})
    frame = pl.DataFrame(
        [[row.cells.get(name) for row in rows] for name in names] or {"nothing": [None] * len(rows)},
        schema=dict.fromkeys(names or ["nothing"], pl.String()),
    )
    faults = [
        f"case when raw_{name} is not null and {name} is null then {_literal(f'column {name}: ')} || '''' "
        f"|| left(raw_{name}, 60) || ''' is not ' || {_literal(_EXPECTED.get(TYPES[name], 'a number'))} end"
        for name in _converted(names)
    ]
    faults.append(
        "case when event_type is null then 'event_type is missing' "
        "when family is null then 'event_type ''' || event_type || ''' is unknown (docs/events.md)' end"
    )
    for family in EVENT_TABLES:
        for rule, reason in _rules(family, names):
            subject = rule.partition(" is null")[0].split()[-1]
            # What could not be read is said to be so, not to be missing.
            unread = f"and raw_{subject} is null" if " is null" in rule and subject in _converted(names) else ""
            faults.append(f"case when family = '{family}' and ({rule}) {unread} then {_literal(reason)} end")
    connection.register("rejected_cells", frame.to_arrow())
    cells = {name: f'"{name}"' for name in names}
    reasons = connection.sql(
        f"with {_typed('rejected_cells', cells)} select concat_ws('; ', {', '.join(faults)}) as reason from typed"
    ).pl()["reason"]
    connection.unregister("rejected_cells")
    return reject_frame(
        {
            "source_ref": file.ref(row.number),
            "reason": reason if row.cells else "the line is no JSON object",
            "raw": shown(row.raw),
        }
        for row, reason in zip(rows, reasons, strict=True)
    )
