"""The watched inbox: complete files are taken, landed, and archived or put aside, each with a line in a manifest.

A file is complete when two looks, `settle_seconds` apart, find the same size and time of change; hidden names and the
usual names of uploads in progress are left alone. A taken file waits in `inbox/.taking`, so a process killed at any
instant takes it again, and landing knows what it has landed.

    archive/<day>/<time>-<digest>-<name>          landed, or known from before
    failed/<day>/<time>-<digest>-<name>           nothing of it landed; `<…>.reason.txt` beside it says why
    archive/manifest.jsonl                        one line per file taken
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pipelines.errors import PipelineError
from pipelines.landing import BatchReport, find_files, ingest, prepare_landing
from pipelines.sources.base import SourceFile
from pipelines.sources.registry import recognise
from storage.duck import open_writer
from storage.settings import Settings

UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp", "~")
"""Ends of names under which programs write files that are not complete."""

_TAKING: Final = ".taking"
_REASONS_SHOWN: Final = 20

Look = Mapping[Path, tuple[int, int]]
"""File → size in bytes and time of change in ns."""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file of the inbox: a line of the manifest.

    Attributes:
        taken_at: ISO instant.
        file: Path within the inbox.
        sha256: Digest of its bytes.
        size: Bytes.
        outcome: landed, known (the same bytes landed before) or failed.
        source: Source or mapping that read it; empty if none did.
        batch_id: Batch in which it landed.
        rows: Records read.
        events: New events.
        duplicates: Events that were known.
        rejected: Records and events refused.
        moved_to: Where it lies now, relative to the workspace.
        reason: Why it failed.
    """

    taken_at: str
    file: str
    sha256: str
    size: int
    outcome: str
    source: str
    batch_id: str
    rows: int
    events: int
    duplicates: int
    rejected: int
    moved_to: str
    reason: str


def look(settings: Settings) -> Look:
    """Return what lies in the inbox now."""
    found: dict[Path, tuple[int, int]] = {}
    inbox = settings.home / "inbox"
    for file in find_files([inbox]) if inbox.is_dir() else []:
        if file.path.name.lower().endswith(UNFINISHED):
            continue
        try:
            status = file.path.stat()
        except FileNotFoundError:
            continue  # taken away while we looked
        found[file.path] = (status.st_size, status.st_mtime_ns)
    return found


def complete(before: Look, now: Look) -> list[Path]:
    """Return the files that two looks found unchanged, sorted."""
    return sorted(path for path, seen in now.items() if before.get(path) == seen)


def take_in(
    settings: Settings,
    paths: Sequence[Path],
    *,
    now: datetime,
    on_batch: Callable[[BatchReport], None] = lambda _: None,
) -> list[FileOutcome]:
    """Land complete files of the inbox, and what an earlier process took but did not finish.

    Args:
        settings: Workspace.
        paths: Complete files in the inbox.
        now: When they are taken.
        on_batch: Called after each batch.

    Returns:
        One outcome per file, by name.

    Raises:
        StorageError: The database is busy or broken. The files stay taken, and the next call goes on with them.
    """
    inbox = settings.home / "inbox"
    taking = inbox / _TAKING
    for path in paths:
        target = taking / path.relative_to(inbox)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    files = find_files([taking]) if taking.is_dir() else []
    if not files:
        return []
    known = _landed(settings, files)
    reports: list[BatchReport] = []
    failure = ""

    def note(report: BatchReport) -> None:
        reports.append(report)
        on_batch(report)

    try:
        ingest(settings, [taking], on_batch=note)
    except PipelineError as error:
        failure = str(error)
    landed = _landed(settings, files)
    outcomes = []
    for file in files:
        outcome = _judge(settings, file, landed, reports, failure, is_known=file.sha256 in known, now=now)
        _put_away(settings, file, outcome)
        outcomes.append(outcome)
    shutil.rmtree(taking)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Landed:
    source: str
    batch_id: str
    rows: int
    events: int
    duplicates: int
    rejected: int


def _landed(settings: Settings, files: Sequence[SourceFile]) -> dict[str, _Landed]:
    """Return digest → what landed of it; the newest batch counts."""
    with open_writer(settings, purpose="the inbox") as connection:
        prepare_landing(connection)
        rows = connection.execute(
            """
            select f.sha256, f.source, f.batch_id, f.rows_in, f.events_landed, f.events_duplicate, f.rows_rejected
            from landing.files as f inner join landing.batches as b on f.batch_id = b.batch_id
            where list_contains(?, f.sha256) order by b.landed_at
            """,
            [[file.sha256 for file in files]],
        ).fetchall()
    return {sha: _Landed(*rest) for sha, *rest in rows}


def _judge(
    settings: Settings,
    file: SourceFile,
    landed: Mapping[str, _Landed],
    reports: Sequence[BatchReport],
    failure: str,
    *,
    is_known: bool,
    now: datetime,
) -> FileOutcome:
    found = landed.get(file.sha256)
    reason = ""
    if found is None:
        reason = failure or _failures(file, reports)
        found = _Landed("", "", 0, 0, 0, 0)
    elif found.rejected and not found.events + found.duplicates:
        reason = _rejects(settings, found.batch_id, file)
    outcome = "failed" if reason else "known" if is_known else "landed"
    folder = "failed" if reason else "archive"
    name = file.name.replace("/", "_")
    return FileOutcome(
        taken_at=now.isoformat(timespec="seconds"),
        file=file.name,
        sha256=file.sha256,
        size=file.path.stat().st_size,
        outcome=outcome,
        moved_to=f"{folder}/{now:%Y-%m-%d}/{now:%H%M%S}-{file.sha256[:8]}-{name}",
        reason=reason,
        **asdict(found),
    )


def _failures(file: SourceFile, reports: Sequence[BatchReport]) -> str:
    """Return what landing said about the batch of a file that did not land."""
    failing = [report for report in reports if report.status in ("quarantined", "failed", "unrecognised")]
    source = recognise(file) or "?"
    own = [report for report in failing if report.source == source] or failing
    told = [f"{report.status}: {sentence}" for report in own for sentence in report.failures]
    return "\n".join(told) or "it was read, but nothing of it landed"


def _rejects(settings: Settings, batch_id: str, file: SourceFile) -> str:
    with open_writer(settings, purpose="the inbox") as connection:
        rows = connection.execute(
            """
            select source_ref, reason from landing.rejects
            where batch_id = ? and starts_with(source_ref, ?) order by source_ref limit ?
            """,
            [batch_id, f"{file.name}#", _REASONS_SHOWN],
        ).fetchall()
    lines = [f"{ref}: {reason}" for ref, reason in rows]
    return "\n".join(["every record was rejected (`otif rejects list` shows all):", *lines])


def _put_away(settings: Settings, file: SourceFile, outcome: FileOutcome) -> None:
    """Write the manifest line, then move: a kill between the two takes the file again and adds a line."""
    target = settings.home / outcome.moved_to
    target.parent.mkdir(parents=True, exist_ok=True)
    manifest = settings.home / "archive" / "manifest.jsonl"
    manifest.parent.mkdir(exist_ok=True)
    with manifest.open("ab") as handle:
        handle.write(json.dumps(asdict(outcome)).encode() + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    if outcome.reason:
        reason_file = target.with_name(f"{target.name}.reason.txt")
        reason_file.write_text(f"{outcome.file}\n{outcome.taken_at}\n\n{outcome.reason}\n", encoding="utf-8")
    shutil.move(file.path, target)
