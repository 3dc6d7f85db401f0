"""Job runs: what ran when, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from storage.errors import LedgerError
from storage.ledger.records import JobRun, JobStatus
from storage.ledger.room import LedgerRoom
from storage.ledger.tables import JobRunRow


class JobPart(LedgerRoom):
    """Verbs on job runs."""

    def start_job(self, job: str, *, now: datetime, detail: Mapping[str, Any] | None = None) -> JobRun:
        """Note that a job starts."""
        row = JobRunRow(job=job, status="running", started_at=now, detail=dict(detail or {}))
        with self._write() as session:
            session.add(row)
            session.flush()
            return _record(row)

    def finish_job(
        self,
        run_id: int,
        *,
        now: datetime,
        status: JobStatus = "done",
        detail: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> JobRun:
        """Note how a run ended; `detail` is added to what its start said.

        Raises:
            LedgerError: There is no such run, or it ended before.
        """
        with self._write() as session:
            row = session.get(JobRunRow, run_id, with_for_update=True)
            if row is None or row.status != "running":
                found = "unknown" if row is None else row.status
                message = f"job run {run_id} is {found}, expected running."
                raise LedgerError(message)
            row.status, row.finished_at, row.error = status, now, error
            row.detail = row.detail | dict(detail or {})
            session.flush()
            return _record(row)

    def list_job_runs(self, job: str | None = None, *, limit: int = 50) -> list[JobRun]:
        """Return runs, newest first."""
        query = select(JobRunRow).order_by(JobRunRow.run_id.desc()).limit(limit)
        if job is not None:
            query = query.where(JobRunRow.job == job)
        with self._read() as session:
            return [_record(row) for row in session.scalars(query)]


def _record(row: JobRunRow) -> JobRun:
    return JobRun(
        run_id=row.run_id,
        job=row.job,
        status=row.status,  # type: ignore[arg-type]
        started_at=row.started_at,
        finished_at=row.finished_at,
        detail=row.detail,
        error=row.error,
    )
