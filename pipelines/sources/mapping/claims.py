"""A mapping file as a source: which files it wants, and what it makes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import SourceError
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches, reject_frame
from pipelines.sources.mapping.events import stream_tables
from pipelines.sources.mapping.load import FAMILY_OF, load_spec
from pipelines.sources.mapping.model import MappingSpec
from pipelines.sources.mapping.tables import matches
from pipelines.sources.mapping.web import fetch_table
from storage.contracts import empty_frame


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping file, ready to read data.

    Attributes:
        path: The YAML file.
        spec: What it says.
    """

    path: Path
    spec: MappingSpec

    @property
    def name(self) -> str:
        """Name of the mapping, which is its events' `source`."""
        return self.spec.name

    def matches(self, file: SourceFile) -> bool:
        """Say whether the mapping has a use for the file, or knows that it is to be ignored."""
        return (
            self._is_own(file)
            or any(matches(file, self._globs(name)) for name in self.spec.tables)
            or (matches(file, self.spec.ignore))
        )

    def parse(self, files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
        """Read the files into canonical events, all at once.

        Args:
            files: Files of the data set, and possibly the mapping file itself, which is passed over.
            context: Not used: a mapping names zone and currency itself, so that it means the same everywhere.

        Raises:
            SourceError: Files of a required table are missing, or a file matches two tables.
            MappingError: No file of a table has the columns that the mapping names.
        """
        del context
        with tempfile.TemporaryDirectory() as folder:
            none = {FAMILY_OF[rule.type]: empty_frame(FAMILY_OF[rule.type]) for rule in self.spec.events}
            parts = self.stream(files, Path(folder))
            return merge_batches([ParsedBatch(events=none, rejects=reject_frame(), rows_in={}), *parts])

    def stream(self, files: Sequence[SourceFile], folder: Path) -> Iterator[ParsedBatch]:
        """Read the files into canonical events, in portions of bounded size.

        Args:
            files: As in `parse`.
            folder: Where unpacked copies may be written; the caller removes it.

        Raises:
            SourceError: As in `parse`.
            MappingError: As in `parse`.
        """
        groups = self._grouped([file for file in files if not self._is_own(file)])
        # Ignored files and the mapping itself belong to the manifest, with no rows.
        yield ParsedBatch(events={}, rejects=reject_frame(), rows_in={file.name: 0 for file in files})
        yield from stream_tables(self.spec, groups, folder, origin=str(self.path))

    def download(self, folder: Path) -> list[SourceFile]:
        """Fetch the tables that are published on the web.

        Args:
            folder: Where to keep them.

        Raises:
            SourceError: A table cannot be fetched.
        """
        files = []
        for name, table in self.spec.tables.items():
            if table.url is not None:
                path = folder / self.name / f"{name}.csv"
                fetch_table(table.url, path)
                files.append(SourceFile(path, f"{self.name}/{name}.csv"))
        return files

    def _globs(self, name: str) -> tuple[str, ...]:
        """Return the globs of a table's files; the download of a published table has a name of its own."""
        table = self.spec.tables[name]
        return (*table.files, *([f"{self.name}/{name}.csv"] if table.url else []))

    def _is_own(self, file: SourceFile) -> bool:
        return file.path.resolve() == self.path.resolve()

    def _grouped(self, files: Sequence[SourceFile]) -> dict[str, list[SourceFile]]:
        groups: dict[str, list[SourceFile]] = {name: [] for name in self.spec.tables}
        for file in sorted(files, key=lambda file: file.name):
            homes = [name for name in self.spec.tables if matches(file, self._globs(name))]
            sheets = {self.spec.tables[name].sheet for name in homes} - {None}
            if len(homes) > 1 and len(sheets) < len(homes):
                message = (
                    f"{self.path}: {file.name} is a file of tables {', '.join(homes)}; make the globs narrower, "
                    "or name the sheet of each"
                )
                raise SourceError(message)
            for name in homes:
                groups[name].append(file)
        for name, table in self.spec.tables.items():
            if table.required and not groups[name]:
                given = ", ".join(file.name for file in files[:8]) or "none"
                message = (
                    f"{self.path}: table {name} needs a file like {' or '.join(self._globs(name))}; "
                    f"files given: {given}. Give the folder that holds it, or set `required: false` on the table."
                )
                raise SourceError(message)
        return groups


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MappingError: Something in it cannot be; the message names file, key and what was expected.
    """
    return Mapping(path, load_spec(path))


def claim_files(
    paths: Sequence[Path], files: Sequence[SourceFile]
) -> tuple[list[tuple[Mapping, list[SourceFile]]], list[SourceFile]]:
    """Offer files to mappings.

    Returns:
        The mappings that want some of the files, each with its files; and the files that none wants.

    Raises:
        MappingError: A mapping is faulty.
        SourceError: Two mappings want the same file.
    """
    mappings = [load_mapping(path) for path in paths]
    claims: dict[int, list[SourceFile]] = {}
    rest = []
    for file in files:
        takers = [position for position, mapping in enumerate(mappings) if mapping.matches(file)]
        if len(takers) > 1:
            names = ", ".join(str(mappings[position].path) for position in takers)
            message = f"{file.name} is claimed by several mappings: {names}. Make their `files` globs narrower."
            raise SourceError(message)
        if takers:
            claims.setdefault(takers[0], []).append(file)
        else:
            rest.append(file)
    return [(mappings[position], claims[position]) for position in sorted(claims)], rest
