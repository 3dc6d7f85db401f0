"""What landing tells its callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BatchStatus = Literal["landed", "warned", "quarantined", "unchanged", "unrecognised", "failed"]


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of one batch.

    Attributes:
        batch_id: Id of the batch, `<source>-<digest of its files>`.
        source: Source or mapping name.
        status: landed, warned (an expectation failed, landed all the same), quarantined (suite failed, nothing
            landed), unchanged (every file was landed before), unrecognised (no source knows the files) or
            failed (the files could not be read as what they were taken for; nothing landed).
        files: Files read.
        rows_in: Source records seen.
        events_landed: New events.
        events_duplicate: Events that were known already.
        rows_rejected: Records and events refused, each with its reason in `landing.rejects`.
        seconds: Wall time.
        failures: What was wrong, in sentences: expectations that failed, files that nobody could read.
        stages: Wall seconds of each step (read, judge, find, write), for those who ask where the time goes.
    """

    batch_id: str
    source: str
    status: BatchStatus
    files: int
    rows_in: int
    events_landed: int
    events_duplicate: int
    rows_rejected: int
    seconds: float
    failures: tuple[str, ...] = ()
    stages: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of_files(cls, source: str, status: BatchStatus, files: int, *failures: str) -> BatchReport:
        """Return the report of files of which nothing was landed."""
        return cls("", source, status, files, 0, 0, 0, 0, 0.0, failures)
