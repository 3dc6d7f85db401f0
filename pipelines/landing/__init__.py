"""Landing: files → canonical events, rejects and manifest, in ONE transaction per batch.

A batch is the new files of one source in one call. Its id is the digest of its files, an event's id the
digest of its content: whatever was landed before is recognised and not landed twice, and a process
killed at any instant leaves either the whole batch or nothing of it.

    plan      which files make which batch, and who reads them
    staging   the rows on their way in, in a scratch database: memory stays bounded
    ingest    from paths to landed batches
    commit    the one transaction
    tables    the landing schema
    rejects   list, export and retry what was refused

Only `ingest` and what is re-exported here is meant for other packages.
"""

from __future__ import annotations

from pipelines.landing.ingest import Judge, ingest
from pipelines.landing.plan import BATCH_BYTES, find_files
from pipelines.landing.rejects import RetryOutcome, list_rejects, retry_rejects
from pipelines.landing.reports import BatchReport, BatchStatus
from pipelines.landing.staging import Staging
from pipelines.landing.tables import prepare_landing

__all__ = [
    "BATCH_BYTES",
    "BatchReport",
    "BatchStatus",
    "Judge",
    "RetryOutcome",
    "Staging",
    "find_files",
    "ingest",
    "list_rejects",
    "prepare_landing",
    "retry_rejects",
]
