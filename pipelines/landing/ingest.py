"""From paths to landed batches."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.checks.verdict import Verdict
from pipelines.errors import BatchStoppedError, MappingError, SourceError
from pipelines.landing.commit import Commit
from pipelines.landing.plan import Batch, download_tables, find_files, plan_batches, unrecognised
from pipelines.landing.reports import BatchReport, BatchStatus
from pipelines.landing.staging import Staging, open_staging
from pipelines.landing.tables import prepare_landing
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, reject_frame
from pipelines.sources.registry import READS_DAMAGED, SOURCES
from storage.duck import Connection, open_writer
from storage.settings import Settings

Judge = Callable[[str, str, Staging], Verdict]
"""Judges a staged batch (id, source, rows) before it lands."""


def ingest(
    settings: Settings,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    mapping: Path | None = None,
    judge: Judge | None = None,
    on_batch: Callable[[BatchReport], None] = lambda _: None,
) -> list[BatchReport]:
    """Land everything new under the paths.

    Args:
        settings: Workspace.
        paths: Files or folders. With the inbox, or with a mapping, tables published on the web are fetched too.
        source: Read all files as this source instead of recognising them.
        mapping: Read the files through this mapping file instead.
        judge: Judges a staged batch before it lands; default is the Great Expectations suite of the source.
        on_batch: Called after each batch, for progress output.

    Returns:
        One report per batch, in order.

    Raises:
        SourceError: A file is unknown, or nothing was found.
        BatchStoppedError: The suite failed and the workspace says stop.
    """
    files = find_files(paths)
    failed: list[BatchReport] = []
    if source is None and (mapping is not None or settings.home / "inbox" in paths):
        published, failed = download_tables(settings, mapping)
        files += published
        for report in failed:
            on_batch(report)
    if not files and not failed:
        message = f"no files in {', '.join(map(str, paths))}"
        raise SourceError(message)
    if not files:
        return failed
    return failed + ingest_files(settings, files, source=source, mapping=mapping, judge=judge, on_batch=on_batch)


def ingest_files(
    settings: Settings,
    files: Sequence[SourceFile],
    *,
    source: str | None = None,
    mapping: Path | None = None,
    judge: Judge | None = None,
    on_batch: Callable[[BatchReport], None] = lambda _: None,
    again: bool = False,
) -> list[BatchReport]:
    """Land files under the names they are given. See `ingest`.

    Args:
        settings: Workspace.
        files: Files.
        source: As in `ingest`.
        mapping: As in `ingest`.
        judge: As in `ingest`.
        on_batch: As in `ingest`.
        again: Read the files although they were landed before: what was rejected then may be good now.
    """
    reports = []
    context = AdapterContext.from_settings(settings)
    batches, unknown = plan_batches(settings, files, source=source, mapping=mapping)
    if unknown and not batches:
        raise SourceError(unrecognised(unknown))
    judging = judge or _expectations_judge(settings)
    for batch in batches:
        try:
            report = _land(settings, batch, context, judging, again=again)
        except (SourceError, MappingError) as error:
            if len(batches) == 1:
                raise
            report = BatchReport.of_files(batch.source, "failed", len(batch.files), str(error))
        reports.append(report)
        on_batch(report)
    if unknown:
        report = BatchReport.of_files("?", "unrecognised", len(unknown), unrecognised(unknown))
        reports.append(report)
        on_batch(report)
    if judge is None and any(report.status in ("landed", "warned", "quarantined") for report in reports):
        _write_data_docs(settings, [report.batch_id for report in reports])
    return reports


def _land(settings: Settings, batch: Batch, context: AdapterContext, judge: Judge, *, again: bool) -> BatchReport:
    started = time.perf_counter()
    source, files = batch.source, batch.files
    with open_writer(settings, purpose=f"landing {source}") as connection:
        prepare_landing(connection)
        known = set() if again else landed_digests(connection, source)
    fresh = [file for file in files if file.sha256 not in known]
    # An adapter reads file by file; a mapping joins the files of a folder and needs them all as soon as one is new.
    read = fresh if source in SOURCES and fresh else list(files)
    digest = hashlib.sha256("".join(sorted(file.sha256 for file in read)).encode()).hexdigest()[:16]
    batch_id = f"{source}-{digest}" + (f"-retry-{_retries(settings, source) + 1}" if again else "")
    if not fresh:
        return _unchanged(batch_id, batch, started)
    with open_staging(settings, source=source) as staging:
        staging.add(_damaged(read, source))
        sound = [file for file in read if source in READS_DAMAGED or not file.damage]
        if sound:
            batch.read(sound, context, staging)
        stages = {"read": time.perf_counter() - started}
        verdict = judge(batch_id, source, staging)
        stages["judge"] = time.perf_counter() - started - stages["read"]
        failures = tuple(failure.sentence for failure in verdict.failures)
        status = _status(settings, verdict)
        if status is None:
            message = f"batch {batch_id} ({len(read)} files): " + "; ".join(failures)
            raise BatchStoppedError(message)
        if status == "quarantined":
            _write_quarantine(settings, batch_id, staging)
        families = staging.families
        staging.close()
        with open_writer(settings, purpose=f"landing {source}") as connection:
            if not again and {file.sha256 for file in read} <= landed_digests(connection, source):
                return _unchanged(batch_id, batch, started)  # another process landed them while this one was reading
            commit = Commit(
                connection, batch_id=batch_id, source=source, files=read, rows_in=staging.rows_in, again=again
            )
            commit.attach(staging.path, staging.folder / "spill")
            report = commit.run(families, status=status, failures=failures, started=started, stages=stages)
            return report or _unchanged(batch_id, batch, started)


def landed_digests(connection: Connection, source: str) -> set[str]:
    """Return the digests of the files of a source that landed."""
    rows = connection.execute("select sha256 from landing.files where source = ?", [source]).fetchall()
    return {row[0] for row in rows}


def _retries(settings: Settings, source: str) -> int:
    with open_writer(settings, purpose=f"landing {source}") as connection:
        [(count,)] = connection.execute(
            "select count(*) from landing.batches where source = ? and batch_id like '%-retry-%'", [source]
        ).fetchall()
    return int(count)


def _status(settings: Settings, verdict: Verdict) -> BatchStatus | None:
    """Return what becomes of the batch; None = everything stops."""
    if verdict.passed:
        return "landed"
    if not verdict.is_grave or settings.checks.on_failure == "warn":
        return "warned"
    return "quarantined" if settings.checks.on_failure == "quarantine" else None


def _unchanged(batch_id: str, batch: Batch, started: float) -> BatchReport:
    seconds = time.perf_counter() - started
    return BatchReport(batch_id, batch.source, "unchanged", len(batch.files), 0, 0, 0, 0, seconds)


def _damaged(files: Sequence[SourceFile], source: str) -> ParsedBatch:
    """Return the rejects of the files that cannot be unpacked."""
    damaged = [] if source in READS_DAMAGED else [file for file in files if file.damage]
    rejects = [
        {"source_ref": file.ref(0), "reason": f"damaged file: {file.damage}. Deliver it again.", "raw": ""}
        for file in damaged
    ]
    return ParsedBatch(events={}, rejects=reject_frame(rejects), rows_in={file.name: 1 for file in damaged})


def _write_quarantine(settings: Settings, batch_id: str, staging: Staging) -> None:
    folder = settings.var / "quarantine" / batch_id
    folder.mkdir(parents=True, exist_ok=True)
    for family in staging.families:
        path = str(folder / f"{family}.parquet").replace("'", "''")
        staging.connection.execute(f"copy (select * exclude (file, position) from {family}_rows) to '{path}'")


def _expectations_judge(settings: Settings) -> Judge:
    def judge(batch_id: str, source: str, staging: Staging) -> Verdict:
        from pipelines.checks.expectations import judge_batch  # noqa: PLC0415 - the import takes seconds

        return judge_batch(settings, batch_id, source, staging)

    return judge


def _write_data_docs(settings: Settings, batch_ids: Sequence[str]) -> None:
    from pipelines.checks.expectations import build_data_docs  # noqa: PLC0415 - loaded already where this runs

    del batch_ids
    build_data_docs(settings)
