"""What was refused: list it, and read it again after a fix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.landing.ingest import Judge, ingest_files
from pipelines.landing.reports import BatchReport
from pipelines.landing.tables import prepare_landing
from pipelines.sources.base import SourceFile
from pipelines.sources.registry import SOURCES
from storage.duck import Connection, open_writer
from storage.settings import Settings


@dataclass(frozen=True, slots=True)
class RetryOutcome:
    """What a retry achieved.

    Attributes:
        open_before: Rejected records that were open.
        resolved: Of those, records that were read without fault this time.
        still_open: Records that are rejected now.
        events_landed: New events.
        reports: What became of each batch.
        not_found: Files that could not be read again, in sentences.
    """

    open_before: int
    resolved: int
    still_open: int
    events_landed: int
    reports: tuple[BatchReport, ...]
    not_found: tuple[str, ...]


def list_rejects(
    settings: Settings, *, source: str | None = None, code: str | None = None, resolved: bool = False
) -> pl.DataFrame:
    """Return rejected records, the latest batch first.

    Args:
        settings: Workspace.
        source: Only of this source.
        code: Only with this reason code.
        resolved: Also those that landed later.

    Returns:
        Columns: source, source_ref (file and position), reason_code, reason, raw, batch_id, landed_at (UTC),
        resolved_by (batch that landed the record, or null).
    """
    with open_writer(settings, purpose="listing rejects") as connection:
        prepare_landing(connection)
        rows = connection.sql(
            "select r.source, r.source_ref, coalesce(r.reason_code, 'other') as reason_code, r.reason, r.raw, "
            "r.batch_id, b.landed_at, r.resolved_by from landing.rejects r "
            "left join landing.batches b using (batch_id) "
            "where ($source is null or r.source = $source) and ($code is null or r.reason_code = $code) "
            "and ($resolved or r.resolved_by is null) order by b.landed_at desc, r.source, r.source_ref",
            params={"source": source, "code": code, "resolved": resolved},
        ).to_arrow_table()
    return pl.DataFrame(pl.from_arrow(rows))


def retry_rejects(
    settings: Settings, *, source: str | None = None, folder: Path | None = None, judge: Judge | None = None
) -> RetryOutcome:
    """Read the files of open rejects again, after the file, the mapping or the product was mended.

    What is good now lands, what landed before is recognised, a reject that no longer arises is marked as resolved.
    Doing it twice changes nothing.

    Args:
        settings: Workspace.
        source: Only of this source.
        folder: Where to look for the files by name; by default where they were.
        judge: As in `ingest`.
    """
    with open_writer(settings, purpose="retrying rejects") as connection:
        prepare_landing(connection)
        before = _count_open(connection, source)
        groups = _files_of_rejects(connection, source)
    reports: list[BatchReport] = []
    missing: list[str] = []
    for name, files in groups:
        found, absent = _locate(files, folder)
        missing += absent
        if name in SOURCES:
            if found:
                reports += ingest_files(settings, found, source=name, judge=judge, again=True)
            continue
        mapping = next((file.path for file in found if file.name.startswith("mappings/")), None)
        if mapping is None or absent:
            missing.append(f"{name}: its mapping and all its files are needed, as tables look into each other")
            continue
        data = [file for file in found if not file.name.startswith("mappings/")]
        reports += ingest_files(settings, data, mapping=mapping, judge=judge, again=True)
    with open_writer(settings, purpose="retrying rejects") as connection:
        after = _count_open(connection, source)
        [(resolved,)] = connection.execute(
            "select count(*) from landing.rejects where list_contains($batches::varchar[], resolved_by)",
            {"batches": [report.batch_id for report in reports if report.status != "unchanged"]},
        ).fetchall()
    return RetryOutcome(
        open_before=before,
        resolved=int(resolved),
        still_open=after,
        events_landed=sum(report.events_landed for report in reports),
        reports=tuple(reports),
        not_found=tuple(dict.fromkeys(missing)),
    )


def _count_open(connection: Connection, source: str | None) -> int:
    [(count,)] = connection.execute(
        "select count(*) from landing.rejects where resolved_by is null and ($source is null or source = $source)",
        {"source": source},
    ).fetchall()
    return int(count)


def _files_of_rejects(connection: Connection, source: str | None) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """Return per source the files to read again: those with rejects; of a mapping, all files of their batches."""
    rows = connection.execute(
        "with open as (select distinct source, batch_id, split_part(source_ref, '#', 1) as file from landing.rejects "
        "where resolved_by is null and ($source is null or source = $source)) "
        "select f.source, f.batch_id, f.file, max(f.path), bool_or(o.file = f.file) from landing.files f "
        "join open o on f.source = o.source and (f.batch_id = o.batch_id or f.file = o.file) "
        "group by all order by all",
        {"source": source},
    ).fetchall()
    groups: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for name, batch_id, file, path, has_rejects in rows:
        if name in SOURCES and not has_rejects:
            continue
        groups.setdefault((name, "" if name in SOURCES else batch_id), []).append((file, path))
    return [(name, list(dict.fromkeys(files))) for (name, _), files in groups.items()]


def _locate(files: Sequence[tuple[str, str | None]], folder: Path | None) -> tuple[list[SourceFile], list[str]]:
    found: list[SourceFile] = []
    absent: list[str] = []
    for name, path in files:
        places = [Path(path)] if path else []
        if folder is not None and not name.startswith("mappings/"):
            places = [folder / name, folder / Path(name).name, *places]
        place = next((place for place in places if place.is_file()), None)
        if place is None:
            where = places[0] if places else "any known place"
            absent.append(f"{name}: not found at {where}; name its folder with --from")
        else:
            found.append(SourceFile(place, name))
    return found, absent
