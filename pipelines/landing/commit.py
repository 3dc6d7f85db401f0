"""The one transaction in which a batch lands."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.landing.reports import BatchReport, BatchStatus
from pipelines.sources.base import SourceFile
from storage.contracts import EVENT_TABLES, EventTable
from storage.duck import Connection, bound_memory

STAGED: Final = "staged"
"""Name under which the scratch database is attached to the writer."""


class Commit:
    """Lands a staged batch.

    Args:
        connection: The writer, with the scratch database attached as `STAGED`.
        batch_id: Batch.
        source: Its source.
        files: Its files.
        rows_in: File name → records seen.
        again: The files were landed before and are read again for their rejects.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        batch_id: str,
        source: str,
        files: Sequence[SourceFile],
        rows_in: dict[str, int],
        again: bool = False,
    ) -> None:
        self.again = again
        self.connection = connection
        self.batch_id = batch_id
        self.source = source
        self.files = files
        self.rows_in = rows_in
        self.now = datetime.now(tz=UTC).replace(tzinfo=None)
        self.seconds_finding = 0.0

    def attach(self, scratch: Path, spill: Path) -> None:
        """Attach the scratch database and bound the writer's memory."""
        bound_memory(self.connection, spill=spill)
        path = str(scratch).replace("'", "''")
        self.connection.execute(f"attach '{path}' as {STAGED} (read_only)")

    def run(
        self,
        families: Sequence[str],
        *,
        status: BatchStatus,
        failures: tuple[str, ...],
        started: float,
        stages: dict[str, float],
    ) -> BatchReport | None:
        """Write events, rejects and manifest, all or nothing; None = a second reading brought nothing new."""
        begun = time.perf_counter()
        self.connection.execute("begin")
        try:
            report = self._write(families, status, failures, started, stages, begun)
            if self.again and not report.events_landed and not self._resolved():
                self.connection.execute("rollback")
                return None
            self.connection.execute("commit")
        except BaseException:
            self.connection.execute("rollback")
            raise
        return report

    def _write(
        self,
        families: Sequence[str],
        status: BatchStatus,
        failures: tuple[str, ...],
        started: float,
        stages: dict[str, float],
        begun: float,
    ) -> BatchReport:
        landed: dict[str, int] = {}
        duplicate: dict[str, int] = {}
        self.connection.execute("delete from landing.batches where batch_id = ?", [self.batch_id])
        self.connection.execute("delete from landing.rejects where batch_id = ?", [self.batch_id])
        first_at, last_at = self._span(families)
        if status != "quarantined":
            for family in families:
                for file, new, old in self._land_events(EVENT_TABLES[family]):
                    landed[file] = landed.get(file, 0) + new
                    duplicate[file] = duplicate.get(file, 0) + old
        if status != "quarantined":
            self._settle_rejects()
        rejected = self._land_rejects()
        if status != "quarantined":
            self._forget_readings()
            self.connection.execute("delete from landing.files where batch_id = ?", [self.batch_id])
            self.connection.executemany(
                "insert into landing.files (batch_id, source, file, sha256, rows_in, events_landed, events_duplicate, "
                "rows_rejected, path) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        self.batch_id,
                        self.source,
                        file.name,
                        file.sha256,
                        self.rows_in.get(file.name, 0),
                        landed.get(file.name, 0),
                        duplicate.get(file.name, 0),
                        rejected.get(file.name, 0),
                        str(file.path.resolve()),
                    )
                    for file in self.files
                ],
            )
        steps = stages | {"find": self.seconds_finding, "write": time.perf_counter() - begun - self.seconds_finding}
        report = BatchReport(
            batch_id=self.batch_id,
            source=self.source,
            status=status,
            files=len(self.files),
            rows_in=sum(self.rows_in.values()),
            events_landed=sum(landed.values()),
            events_duplicate=sum(duplicate.values()),
            rows_rejected=sum(rejected.values()),
            seconds=time.perf_counter() - started,
            failures=failures,
            stages=tuple(steps.items()),
        )
        self.connection.execute(
            "insert into landing.batches (batch_id, source, status, landed_at, seconds, files, rows_in, events_landed, "
            "events_duplicate, rows_rejected, verdict, first_event_at, last_event_at) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self.batch_id,
                self.source,
                status,
                self.now,
                report.seconds,
                report.files,
                report.rows_in,
                report.events_landed,
                report.events_duplicate,
                report.rows_rejected,
                json.dumps(failures) if failures else None,
                first_at,
                last_at,
            ],
        )
        return report

    def _settle_rejects(self) -> None:
        """Close open rejects of files that are read a second time: resolved, or replaced by what is wrong now."""
        reread = [
            file.name.split("#", 1)[0]
            for file in self.files
            if self.again
            or self.connection.execute(
                "select 1 from landing.files where source = ? and sha256 = ? and batch_id <> ? limit 1",
                [self.source, file.sha256, self.batch_id],
            ).fetchall()
        ]
        self.connection.execute(
            "create or replace temp table reread as select unnest($names::varchar[]) as file", {"names": reread}
        )
        mine = (
            "source = $source and resolved_by is null and split_part(source_ref, '#', 1) in (select file from reread)"
        )
        still = f"source_ref in (select source_ref from {STAGED}.rejects)"
        self.connection.execute(f"delete from landing.rejects where {mine} and {still}", {"source": self.source})
        self.connection.execute(
            f"update landing.rejects set resolved_by = $batch_id where {mine}",
            {"source": self.source, "batch_id": self.batch_id},
        )

    def _resolved(self) -> int:
        [(count,)] = self.connection.execute(
            "select count(*) from landing.rejects where resolved_by = ?", [self.batch_id]
        ).fetchall()
        return int(count)

    def _forget_readings(self) -> None:
        """Take earlier manifest rows of files that are read again out: each file is counted once."""
        if self.again:
            self.connection.executemany(
                "delete from landing.files where source = ? and file = ? and sha256 = ?",
                [(self.source, file.name, file.sha256) for file in self.files],
            )

    def _span(self, families: Sequence[str]) -> tuple[datetime | None, datetime | None]:
        spans = [self._bounds(EVENT_TABLES[family]) for family in families]
        return min((span[0] for span in spans), default=None), max((span[1] for span in spans), default=None)

    def _bounds(self, table: EventTable) -> tuple[datetime, datetime]:
        [(first, last)] = self.connection.execute(
            f"select min(event_at), max(event_at) from {STAGED}.{table.family}_rows"
        ).fetchall()
        return first, last

    def _land_events(self, table: EventTable) -> list[tuple[str, int, int]]:
        """Insert the unknown events of one family and count new and known ones per file."""
        begun = time.perf_counter()
        incoming = f"{STAGED}.{table.family}_rows"
        known = self._find_known(table, incoming)
        self.seconds_finding += time.perf_counter() - begun
        columns = ", ".join(table.names)
        filled = {"observed_at": "coalesce(observed_at, $now)", "batch_id": "$batch_id"}
        values = ", ".join(filled.get(name, name) for name in table.names)
        only_new = "anti join known using (position)" if known else ""
        self.connection.execute(
            f"insert into {table.table} ({columns}) select {values} from {incoming} {only_new}",
            {"now": self.now, "batch_id": self.batch_id},
        )
        again = f"select file, count(*) as again from {incoming} semi join known using (position) group by file"
        return self.connection.execute(
            f"select file, count(*) - coalesce(any_value(again), 0), coalesce(any_value(again), 0) from {incoming} "
            f"left join ({again}) using (file) group by file"
            if known
            else f"select file, count(*), 0 from {incoming} group by file"
        ).fetchall()

    def _find_known(self, table: EventTable, incoming: str) -> bool:
        """Make the table `known` of rows that landed before, or stand further up in the batch; say if there are any.

        The same event has the same event_at, so only landed events of the batch's span of time can be meant.
        """
        first, last = self._bounds(table)
        [(since, until)] = self.connection.execute(
            f"select min(event_at), max(event_at) from {table.table} where event_at between ? and ?", [first, last]
        ).fetchall()
        self.connection.execute(
            f"create or replace temp table known as select position from {incoming} semi join "
            f"(select event_id from {table.table} where event_at between $since and $until) using (event_id) "
            "where event_at between $since and $until",
            {"since": since, "until": until},
        )
        # Repetitions within the batch: a cheap look at digests first, full ids only of rows that may be repeated.
        self.connection.execute(
            "create or replace temp table repeated as "
            f"select digest from {incoming} group by digest having count(*) > 1"
        )
        self.connection.execute(
            f"insert into known with suspects as (select event_id, position from {incoming} "
            "semi join repeated using (digest)), "
            "later as (select position from (select position, "
            "row_number() over (partition by event_id order by position) as place from suspects) where place > 1) "
            "select position from later anti join known using (position)"
        )
        [(count,)] = self.connection.execute("select count(*) from known").fetchall()
        return bool(count)

    def _land_rejects(self) -> dict[str, int]:
        self.connection.execute(
            "insert into landing.rejects (batch_id, source, source_ref, reason, raw, reason_code) "
            f"select ?, ?, source_ref, reason, raw, reason_code from {STAGED}.rejects",
            [self.batch_id, self.source],
        )
        counts = self.connection.execute(
            f"select split_part(source_ref, '#', 1), count(*) from {STAGED}.rejects group by 1"
        ).fetchall()
        return dict(counts)
