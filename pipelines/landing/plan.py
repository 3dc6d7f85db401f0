"""Which files make which batch, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.errors import SourceError
from pipelines.landing.reports import BatchReport
from pipelines.landing.staging import Staging
from pipelines.sources import canonical
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.registry import SOURCES, load_source, recognise
from storage.settings import Settings

BATCH_BYTES: Final = 64 << 20
"""A batch is cut when its files exceed this size: what was landed before a failure stays landed."""

Reader = Callable[[Sequence[SourceFile], AdapterContext, Staging], None]
"""Reads files into a staging area."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Files of one source that land together.

    Attributes:
        source: Source or mapping name.
        files: The files.
        read: Who reads them.
    """

    source: str
    files: tuple[SourceFile, ...]
    read: Reader


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


def download_tables(settings: Settings, mapping: Path | None) -> tuple[list[SourceFile], list[BatchReport]]:
    """Fetch the tables that the mapping, or any of the workspace's, says are published on the web.

    Returns:
        The files, and a report per mapping whose tables could not be fetched.

    Raises:
        SourceError: A table of the named mapping cannot be fetched.
        MappingError: A mapping is faulty.
    """
    paths = [mapping] if mapping is not None else sorted((settings.home / "mappings").glob("*.yml"))
    files: list[SourceFile] = []
    failed: list[BatchReport] = []
    if not paths:
        return files, failed
    from pipelines.sources.mapping import load_mapping  # noqa: PLC0415 - only mapped ingests pay for it

    for path in paths:
        claim = load_mapping(path)
        try:
            files += claim.download(settings.var / "downloads")
        except SourceError as error:
            if mapping is not None:
                raise
            failed.append(BatchReport.of_files(claim.name, "failed", 0, str(error)))
    return files, failed


def plan_batches(
    settings: Settings, files: Sequence[SourceFile], *, source: str | None, mapping: Path | None
) -> tuple[list[Batch], list[SourceFile]]:
    """Return the batches (what sources recognise, then what mappings claim) and the files nobody reads.

    Raises:
        SourceError: The source is unknown, or the mapping has no use for a file.
        MappingError: A mapping is faulty.
    """
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
        Batch(name, tuple(chunk), _reader(name))
        for name in sorted(groups, key=list(SOURCES).index)
        for chunk in _chunks(groups[name])
    ]
    return recognised + mapped, unknown


def unrecognised(files: Sequence[SourceFile]) -> str:
    """Say that nobody reads the files, and what to do."""
    return (
        f"no source recognises {_shown(files)}. Name one with --source, or describe the files in a mapping "
        "(`otif map FILE` proposes one)."
    )


def _reader(source: str) -> Reader:
    def read(files: Sequence[SourceFile], context: AdapterContext, staging: Staging) -> None:
        if source == canonical.NAME:
            for file in files:
                staging.add_canonical(file)
            return
        staging.add(load_source(source).parse(files, context))

    return read


def _claimed(mappings: Sequence[Path], files: Sequence[SourceFile]) -> tuple[list[Batch], list[SourceFile]]:
    """Return the batches of the mappings and the files that none of them wants."""
    if not mappings:
        return [], list(files)
    from pipelines.sources.mapping import Mapping, claim_files  # noqa: PLC0415 - only mapped ingests pay for it

    def reader(claim: Mapping) -> Reader:
        def read(files: Sequence[SourceFile], _: AdapterContext, staging: Staging) -> None:
            for part in claim.stream(files, staging.folder / "mapped"):
                staging.add(part)

        return read

    claims, rest = claim_files(mappings, files)
    # The mapping file is part of its batch, so that a corrected mapping makes the batch a new one.
    return [
        Batch(claim.name, (SourceFile(claim.path, f"mappings/{claim.path.name}"), *own), reader(claim))
        for claim, own in claims
    ], rest


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
