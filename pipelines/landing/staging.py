"""A batch on its way in: rows of all its files in a scratch database, judged and counted before anything lands.

The scratch database lies in the workspace and is deleted with its batch; one that a killed process left
behind is swept by the next. Memory stays bounded whatever the batch holds.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.checks.contracts import apply_row_contracts
from pipelines.checks.reasons import reason_code
from pipelines.sources import canonical
from pipelines.sources.base import ParsedBatch, SourceFile
from storage.contracts import EVENT_TABLES, EventTable
from storage.duck import Connection, connect_scratch
from storage.settings import Settings

_PIECE: Final = 1 << 40
"""Position of a staged row: piece · 2^40 + row, so that earlier files and rows come first."""

_REJECTS: Final = "create table rejects (source_ref varchar, reason varchar, raw varchar, reason_code varchar)"


class Staging:
    """The rows of one batch, by family.

    Attributes:
        source: Source of the batch.
        connection: Scratch database, with a view `<family>_rows` per family (see `rows`) and the table `rejects`.
        folder: For files of the reader's own.
        rows_in: File name → source records seen.
    """

    def __init__(self, folder: Path, *, source: str) -> None:
        self.source = source
        self.folder = folder
        self.path = folder / "scratch.duckdb"
        self.connection: Connection = connect_scratch(self.path)
        self.connection.execute(_REJECTS)
        self.rows_in: dict[str, int] = {}
        self._pieces: dict[str, list[str]] = {}
        self._tables: set[str] = set()

    @property
    def families(self) -> tuple[str, ...]:
        """Families that have rows, in the order of the contracts."""
        return tuple(family for family in EVENT_TABLES if family in self._pieces and self.count(family))

    def add(self, parsed: ParsedBatch) -> None:
        """Add what an adapter parsed; rows that break the contract become rejects."""
        judged = apply_row_contracts(parsed, source=self.source)
        for family, frame in judged.events.items():
            if frame.height:
                self._append(EVENT_TABLES[family], frame)
        self._reject(judged.rejects)
        for name, rows in judged.rows_in.items():
            self.rows_in[name] = self.rows_in.get(name, 0) + rows

    def add_canonical(self, file: SourceFile) -> None:
        """Add a file of canonical events, which never passes through Python.

        Raises:
            SourceError: The file cannot be read.
        """
        table = f"file_{len(self._tables)}"
        self._tables.add(table)
        staged = canonical.stage(self.connection, file, table=table, folder=self.folder / table)
        for portion in staged.rejects:
            self._reject(portion)
        self.rows_in[file.name] = staged.rows
        found = self.connection.execute(f"select distinct family from {table} where is_sound").fetchall()
        name = file.name.replace("'", "''")
        for (family,) in found:
            columns = [
                column.name if column.name in staged.columns else f"cast(null as {column.type}) as {column.name}"
                for column in EVENT_TABLES[family].columns
                if column.name not in ("event_id", "batch_id", "source_ref")
            ]
            self._pieces.setdefault(family, []).append(
                f"select {', '.join(columns)}, '{name}#' || (rowid + {staged.first_number}) as source_ref, "
                f"'{name}' as file, rowid as row_number from {table} where is_sound and family = '{family}'"
            )
        self._make_views()

    def count(self, family: str) -> int:
        """Count the rows of one family."""
        return int(self.value(f"select count(*) from {family}_rows"))

    def value(self, sql: str) -> int | float:
        """Return the one figure of a query over the staged rows; null counts as 0."""
        [(figure,)] = self.connection.execute(sql).fetchall()
        return figure or 0

    def frame(self, sql: str) -> pl.DataFrame:
        """Return the result of a query over the staged rows."""
        return pl.DataFrame(pl.from_arrow(self.connection.sql(sql).to_arrow_table()))

    @property
    def rejected(self) -> int:
        """Rejects so far."""
        return int(self.value("select count(*) from rejects"))

    def close(self) -> None:
        """Close the scratch database, so that the writer can attach it."""
        self.connection.close()

    def _append(self, table: EventTable, frame: pl.DataFrame) -> None:
        name = f"{table.family}_frames"
        columns = ", ".join(frame.columns)
        rows = f"select {columns} from adapter_frame"
        self.connection.register("adapter_frame", frame.to_arrow())
        if name in self._tables:
            self.connection.execute(f"insert into {name} by name {rows}")
        else:
            self.connection.execute(f"create table {name} as {rows}")
            self._tables.add(name)
            self._pieces.setdefault(table.family, []).append(
                f"select {columns}, split_part(source_ref, '#', 1) as file, rowid as row_number from {name}"
            )
            self._make_views()
        self.connection.unregister("adapter_frame")

    def _reject(self, rejects: pl.DataFrame) -> None:
        if rejects.is_empty():
            return
        coded = rejects.with_columns(reason_code(pl.col("reason")).alias("reason_code"))
        self.connection.register("reject_frame", coded.to_arrow())
        self.connection.execute("insert into rejects by name select * from reject_frame")
        self.connection.unregister("reject_frame")

    def _make_views(self) -> None:
        """Make `<family>_rows`: the contract's columns, the id, and whence the row is.

        `file` is the file's name; `position` is smaller for earlier rows; `digest` is equal where ids are (and,
        rarely, elsewhere) and much cheaper than they are.
        """
        for family, pieces in self._pieces.items():
            table = EVENT_TABLES[family]
            union = " union all by name ".join(
                f"select * exclude (row_number), {number * _PIECE} + row_number as position from ({piece})"
                for number, piece in enumerate(pieces)
            )
            self.connection.execute(
                f"create or replace view {family}_rows as select *, {table.id_expression()} as event_id, "
                f"hash({', '.join(table.business_names)}) as digest from ({union})"
            )


@contextmanager
def open_staging(settings: Settings, *, source: str) -> Iterator[Staging]:
    """Open an empty staging area; it is gone afterwards, whatever happens."""
    root = settings.var / "staging"
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    folder = Path(tempfile.mkdtemp(dir=root))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        staging = Staging(folder, source=source)
        try:
            yield staging
        finally:
            staging.close()
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what killed processes left behind: folders whose lock nobody holds."""
    for folder in root.iterdir():
        try:
            with (folder / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, or just being made
            continue
