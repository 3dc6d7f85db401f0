"""Landing: files → canonical events, rejects and manifest, in ONE transaction per batch.

A batch is the new files of one source in one call. Its id is the digest of its files, an event's id the
digest of its content: whatever was landed before is recognised and not landed twice, and a process
killed at any instant leaves either the whole batch or nothing of it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import polars as pl

from pipelines.checks.contracts import apply_row_contracts
from pipelines.checks.verdict import Verdict
from pipelines.errors import BatchStoppedError, MappingError, SourceError
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches, reject_frame
from pipelines.sources.registry import READS_DAMAGED, SOURCES, load_source, recognise
from storage.contracts import EVENT_TABLES, EventTable
from storage.duck import Connection, open_writer
from storage.settings import Settings

BATCH_BYTES: Final = 64 << 20
"""A batch is cut when its files exceed this size, so that memory stays bounded."""

BatchStatus = Literal["landed", "warned", "quarantined", "unchanged", "unrecognised", "failed"]
Judge = Callable[[str, str, "ParsedBatch"], Verdict]
Parser = Callable[[Sequence[SourceFile], AdapterContext], ParsedBatch]

_BOOKKEEPING: Final = (
    """create table if not exists landing.batches (
    batch_id varchar not null, source varchar not null, status varchar not null, landed_at timestamp not null,
    seconds double not null, files integer not null, rows_in bigint not null, events_landed bigint not null,
    events_duplicate bigint not null, rows_rejected bigint not null, verdict varchar)""",
    """create table if not exists landing.files (
    batch_id varchar not null, source varchar not null, file varchar not null, sha256 varchar not null,
    rows_in bigint not null, events_landed bigint not null, events_duplicate bigint not null,
    rows_rejected bigint not null)""",
    """create table if not exists landing.rejects (
    batch_id varchar not null, source varchar not null, source_ref varchar not null, reason varchar not null,
    raw varchar)""",
)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of one batch.

    Attributes:
        batch_id: Id of the batch, `<source>-<digest of its files>`.
        source: Source or mapping name.
        status: landed, warned (suite failed, landed all the same), quarantined (suite failed, nothing
            landed), unchanged (every file was landed before), unrecognised (no source knows the files) or
            failed (the files could not be read as what they were taken for; nothing landed).
        files: Files read.
        rows_in: Source records seen.
        events_landed: New events.
        events_duplicate: Events that were known already.
        rows_rejected: Records and events refused, each with its reason in `landing.rejects`.
        seconds: Wall time.
        failures: What was wrong, in sentences: expectations that failed, files that nobody could read.
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


def prepare_landing(connection: Connection) -> None:
    """Create the landing schema where it does not exist yet."""
    connection.execute("create schema if not exists landing")
    for table in EVENT_TABLES.values():
        connection.execute(table.ddl())
    for statement in _BOOKKEEPING:
        connection.execute(statement)


def find_files(paths: Sequence[Path]) -> list[SourceFile]:
    """List the files under the given paths, sorted, hidden ones left out.

    Raises:
        SourceError: A path does not exist.
    """
    found = []
    for path in paths:
        if path.is_file():
            found.append(SourceFile(path, path.name))
        elif path.is_dir():
            found += [
                SourceFile(file, file.relative_to(path).as_posix())
                for file in sorted(path.rglob("*"))
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
            ]
        else:
            message = f"{path}: no such file or folder"
            raise SourceError(message)
    return found


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
        paths: Files or folders.
        source: Read all files as this source instead of recognising them.
        mapping: Read the folder through this mapping file instead.
        judge: Judges a parsed batch before it lands; default is the Great Expectations suite of the source.
        on_batch: Called after each batch, for progress output.

    Returns:
        One report per batch, in order.

    Raises:
        SourceError: A file is unknown, or nothing was found.
        BatchStoppedError: The suite failed and the workspace says stop.
    """
    reports = []
    context = AdapterContext.from_settings(settings)
    files = find_files(paths)
    if not files:
        message = f"no files in {', '.join(map(str, paths))}"
        raise SourceError(message)
    batches, unknown = _plan(settings, files, source=source, mapping=mapping)
    if unknown and not batches:
        raise SourceError(_unrecognised(unknown))
    judging = judge or _expectations_judge(settings)
    for name, group, parser in batches:
        try:
            report = _land_batch(settings, name, group, parser, context, judging)
        except (SourceError, MappingError) as error:
            if len(batches) == 1:
                raise
            report = BatchReport("", name, "failed", len(group), 0, 0, 0, 0, 0.0, (str(error),))
        reports.append(report)
        on_batch(report)
    if unknown:
        report = BatchReport("", "?", "unrecognised", len(unknown), 0, 0, 0, 0, 0.0, (_unrecognised(unknown),))
        reports.append(report)
        on_batch(report)
    if judge is None and any(report.status in ("landed", "warned", "quarantined") for report in reports):
        _write_data_docs(settings)
    return reports


def _plan(
    settings: Settings, files: Sequence[SourceFile], *, source: str | None, mapping: Path | None
) -> tuple[list[tuple[str, list[SourceFile], Parser]], list[SourceFile]]:
    """Return the batches (what mappings claim first, then what sources read) and the files nobody reads."""
    if mapping is not None:
        mapped, rest = _claimed([mapping], files)
        if rest:
            message = f"{mapping} has no use for {_shown(rest)}. Add them to a table, or to its `ignore` list."
            raise SourceError(message)
        return mapped, []
    if source is not None:
        load_source(source)  # an unknown name is refused before anything is read
        mapped, rest = [], list(files)
    else:
        mapped, rest = _claimed(sorted((settings.home / "mappings").glob("*.yml")), files)
    groups: dict[str, list[SourceFile]] = {}
    unknown = []
    for file in rest:
        name = source or recognise(file)
        if name is None:
            unknown.append(file)
        else:
            groups.setdefault(name, []).append(file)
    # In registry order: the systems that capture orders land before those that refer to them.
    recognised = [
        (name, chunk, load_source(name).parse)
        for name in sorted(groups, key=list(SOURCES).index)
        for chunk in _chunks(groups[name])
    ]
    return recognised + mapped, unknown


def _claimed(
    mappings: Sequence[Path], files: Sequence[SourceFile]
) -> tuple[list[tuple[str, list[SourceFile], Parser]], list[SourceFile]]:
    """Return the batches of the mappings and the files that none of them wants."""
    if not mappings:
        return [], list(files)
    from pipelines.sources.mapping import claim_files  # noqa: PLC0415 - only mapped ingests pay for it

    claims, rest = claim_files(mappings, files)
    # The mapping file is part of its batch, so that a corrected mapping makes the batch a new one.
    return [
        (claim.name, [SourceFile(claim.path, f"mappings/{claim.path.name}"), *own], claim.parse)
        for claim, own in claims
    ], rest


def _unrecognised(files: Sequence[SourceFile]) -> str:
    return (
        f"no source recognises {_shown(files)}. Name one with --source, or describe the files in a mapping (--mapping)."
    )


def _shown(files: Sequence[SourceFile]) -> str:
    names = ", ".join(file.name for file in files[:5])
    return f"{names} and {len(files) - 5} more" if len(files) > 5 else names


def _chunks(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    chunk: list[SourceFile] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file.path.stat().st_size
        if size >= BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _land_batch(
    settings: Settings,
    source: str,
    files: Sequence[SourceFile],
    parser: Parser,
    context: AdapterContext,
    judge: Judge,
) -> BatchReport:
    started = time.perf_counter()
    with open_writer(settings, purpose=f"landing {source}") as connection:
        prepare_landing(connection)
        known = _landed_digests(connection, source)
    fresh = [file for file in files if file.sha256 not in known]
    # An adapter reads file by file; a mapping joins the files of a folder and needs them all as soon as one is new.
    read = fresh if source in SOURCES and fresh else files
    digest = hashlib.sha256("".join(sorted(file.sha256 for file in read)).encode()).hexdigest()[:16]
    batch_id = f"{source}-{digest}"
    unchanged = BatchReport(batch_id, source, "unchanged", len(files), 0, 0, 0, 0, time.perf_counter() - started)
    if not fresh:
        return unchanged
    sound, damaged = _sift(read, source)
    parsed = apply_row_contracts(merge_batches([parser(sound, context), damaged]) if sound else damaged, source=source)
    verdict = judge(batch_id, source, parsed)
    failures = tuple(failure.sentence for failure in verdict.failures)
    if failures and settings.checks.on_failure == "stop":
        message = f"batch {batch_id} ({len(read)} files): " + "; ".join(failures)
        raise BatchStoppedError(message)
    quarantine = bool(failures) and settings.checks.on_failure == "quarantine"
    status: BatchStatus = "quarantined" if quarantine else "warned" if failures else "landed"
    with open_writer(settings, purpose=f"landing {source}") as connection:
        if {file.sha256 for file in read} <= _landed_digests(connection, source):
            return unchanged  # another process landed the same files while this one was reading them
        return _commit(connection, settings, batch_id, source, read, parsed, status, failures, started)


def _sift(files: Sequence[SourceFile], source: str) -> tuple[list[SourceFile], ParsedBatch]:
    """Part the files that can be unpacked from those that cannot, which become rejects."""
    damaged = [] if source in READS_DAMAGED else [file for file in files if file.damage]
    rejects = [
        {"source_ref": file.ref(0), "reason": f"damaged file: {file.damage}. Deliver it again.", "raw": ""}
        for file in damaged
    ]
    refused = ParsedBatch(events={}, rejects=reject_frame(rejects), rows_in={file.name: 1 for file in damaged})
    return [file for file in files if file not in damaged], refused


def _landed_digests(connection: Connection, source: str) -> set[str]:
    rows = connection.execute("select sha256 from landing.files where source = ?", [source]).fetchall()
    return {row[0] for row in rows}


def _commit(
    connection: Connection,
    settings: Settings,
    batch_id: str,
    source: str,
    files: Sequence[SourceFile],
    parsed: ParsedBatch,
    status: BatchStatus,
    failures: tuple[str, ...],
    started: float,
) -> BatchReport:
    now = datetime.now(tz=UTC).replace(tzinfo=None)
    landed: dict[str, int] = {}
    duplicate: dict[str, int] = {}
    connection.execute("begin")
    try:
        connection.execute("delete from landing.batches where batch_id = ?", [batch_id])
        connection.execute("delete from landing.rejects where batch_id = ?", [batch_id])
        if status == "quarantined":
            _write_quarantine(settings, batch_id, parsed)
        else:
            for family, frame in parsed.events.items():
                counts = _land_events(connection, EVENT_TABLES[family], frame, batch_id, now)
                for file, new, old in counts:
                    landed[file] = landed.get(file, 0) + new
                    duplicate[file] = duplicate.get(file, 0) + old
        rejected = _land_rejects(connection, parsed.rejects, batch_id, source)
        if status != "quarantined":
            connection.executemany(
                "insert into landing.files values (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        batch_id,
                        source,
                        file.name,
                        file.sha256,
                        parsed.rows_in.get(file.name, 0),
                        landed.get(file.name, 0),
                        duplicate.get(file.name, 0),
                        rejected.get(file.name, 0),
                    )
                    for file in files
                ],
            )
        report = BatchReport(
            batch_id=batch_id,
            source=source,
            status=status,
            files=len(files),
            rows_in=sum(parsed.rows_in.values()),
            events_landed=sum(landed.values()),
            events_duplicate=sum(duplicate.values()),
            rows_rejected=parsed.rejects.height,
            seconds=time.perf_counter() - started,
            failures=failures,
        )
        connection.execute(
            "insert into landing.batches values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                batch_id,
                source,
                status,
                now,
                report.seconds,
                report.files,
                report.rows_in,
                report.events_landed,
                report.events_duplicate,
                report.rows_rejected,
                json.dumps(failures) if failures else None,
            ],
        )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return report


def event_id_expression(table: EventTable) -> str:
    """Return the SQL expression of an event's id: md5 over its identifying columns."""
    parts = ", ".join(f"coalesce(cast({name} as varchar), chr(0))" for name in table.business_names)
    return f"md5(concat_ws(chr(31), '{table.family}', {parts}))"


def _land_events(
    connection: Connection, table: EventTable, frame: pl.DataFrame, batch_id: str, now: datetime
) -> list[tuple[str, int, int]]:
    """Insert the unknown events of one family and count new and known ones per file."""
    columns = ", ".join(table.names)
    source_columns = ", ".join(
        "coalesce(observed_at, ?) as observed_at" if name == "observed_at" else name
        for name in table.names
        if name not in ("event_id", "batch_id")
    )
    connection.register("adapter_frame", frame.to_arrow())
    connection.execute(
        f"create or replace temp table incoming as "
        f"select {event_id_expression(table)} as event_id, {source_columns}, ? as batch_id, "
        f"row_number() over () as position from adapter_frame",
        [now, batch_id],
    )
    connection.unregister("adapter_frame")
    connection.execute(
        "create or replace temp table fresh as "
        f"select min(position) as position from incoming anti join {table.table} using (event_id) group by event_id"
    )
    connection.execute(
        f"insert into {table.table} ({columns}) select {columns} from incoming semi join fresh using (position)"
    )
    return connection.execute(
        "select split_part(i.source_ref, '#', 1) as file, count(f.position), count(*) - count(f.position) "
        "from incoming i left join fresh f using (position) group by 1"
    ).fetchall()


def _land_rejects(connection: Connection, rejects: pl.DataFrame, batch_id: str, source: str) -> dict[str, int]:
    if rejects.is_empty():
        return {}
    connection.register("reject_frame", rejects.to_arrow())
    connection.execute(
        "insert into landing.rejects select ?, ?, source_ref, reason, raw from reject_frame", [batch_id, source]
    )
    connection.unregister("reject_frame")
    counts = rejects.group_by(pl.col("source_ref").str.split("#").list.first().alias("file")).len()
    return dict(counts.iter_rows())


def _write_quarantine(settings: Settings, batch_id: str, parsed: ParsedBatch) -> None:
    folder = settings.var / "quarantine" / batch_id
    folder.mkdir(parents=True, exist_ok=True)
    for family, frame in parsed.events.items():
        frame.write_parquet(folder / f"{family}.parquet")


def _expectations_judge(settings: Settings) -> Judge:
    def judge(batch_id: str, source: str, parsed: ParsedBatch) -> Verdict:
        from pipelines.checks.expectations import judge_batch  # noqa: PLC0415 - the import takes seconds

        return judge_batch(settings, batch_id, source, parsed)

    return judge


def _write_data_docs(settings: Settings) -> None:
    from pipelines.checks.expectations import build_data_docs  # noqa: PLC0415 - loaded already where this runs

    build_data_docs(settings)
