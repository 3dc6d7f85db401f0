"""Publications: read-only copies of the marts, swapped in atomically.

`publish()` copies the public schemas into `published/<id>.duckdb` and then moves the pointer file
`published/current` in one rename. Views are published as views, with the tables they read, so that their rows cost no
second copy. A reader resolves the pointer once and keeps its file, so it never
sees half a build and never blocks a writer. The last N publications are kept for rollback.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from storage.duck import Connection, connect
from storage.errors import NotPublishedError, StorageError
from storage.settings import Settings

PUBLIC_SCHEMAS: Final = ("marts", "metrics")
_POINTER: Final = "current"
_NO_VIEWS: Final[Mapping[str, str]] = {}


def publish(settings: Settings, *, publication_id: str, views: Mapping[str, str] = _NO_VIEWS) -> Path:
    """Copy the public schemas into a new file and point readers at it.

    Args:
        settings: Workspace; the caller holds the writer lock.
        publication_id: File-name-safe id, sortable by time.
        views: Queries to publish as views, by qualified name (`metrics.kpi_facts`), each after those it reads. They
            name relations in full and quoted (`"otif"."marts"."fct_orders"`), as dbt compiles them.

    Returns:
        The published file.

    Raises:
        StorageError: There is nothing to publish, or the copy failed.
    """
    settings.published.mkdir(parents=True, exist_ok=True)
    target = settings.published / f"{publication_id}.duckdb"
    partial = settings.published / f".{publication_id}.partial"
    partial.unlink(missing_ok=True)
    connection = connect(partial)
    try:
        connection.execute(f"attach '{settings.database}' as source (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'source' "
            "and schema_name in (select unnest(?)) order by all",
            [list(PUBLIC_SCHEMAS)],
        ).fetchall()
        if not tables:
            message = f"{settings.database} has no marts to publish. Run `otif build` first."
            raise StorageError(message)
        for schema in PUBLIC_SCHEMAS:
            connection.execute(f"create schema {schema}")
        for schema, table in tables:
            connection.execute(f'create table {schema}."{table}" as from source.{schema}."{table}"')
        _publish_views(connection, views, catalog=settings.database.stem)
        connection.execute("detach source")
    finally:
        connection.close()
    _sync(partial)
    partial.rename(target)
    _point_to(settings, target.name)
    _prune(settings)
    return target


def _publish_views(connection: Connection, views: Mapping[str, str], *, catalog: str) -> None:
    """Create the views, and copy what they read and the publication does not hold yet."""
    relation = re.compile(rf'"{re.escape(catalog)}"\."(\w+)"\."(\w+)"')
    for name, query in views.items():
        for schema, table in sorted(set(relation.findall(query))):
            known = connection.execute(
                "select 1 from information_schema.tables where table_catalog = current_database() "
                "and table_schema = ? and table_name = ?",
                [schema, table],
            ).fetchone()
            if known is None:
                connection.execute(f'create schema if not exists "{schema}"')
                connection.execute(f'create table "{schema}"."{table}" as from source."{schema}"."{table}"')
        connection.execute(f"create view {name} as {relation.sub(_without_catalog, query)}")


def _without_catalog(match: re.Match[str]) -> str:
    return f'"{match[1]}"."{match[2]}"'


def current_publication(settings: Settings) -> Path:
    """Return the file that readers should open now.

    Raises:
        NotPublishedError: Nothing has been published.
    """
    pointer = settings.published / _POINTER
    try:
        return settings.published / pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        message = f"nothing is published in {settings.home} yet. Run `otif build`."
        raise NotPublishedError(message) from None


def publications(settings: Settings) -> list[Path]:
    """Return the kept publications, oldest first."""
    return sorted(settings.published.glob("*.duckdb"))


def rollback_publication(settings: Settings) -> Path:
    """Point readers at the publication before the current one.

    Raises:
        StorageError: There is no older publication.
    """
    current = current_publication(settings)
    older = [path for path in publications(settings) if path.name < current.name]
    if not older:
        message = f"{current.name} is the oldest publication kept; nothing to roll back to."
        raise StorageError(message)
    _point_to(settings, older[-1].name)
    return older[-1]


@contextmanager
def open_published(settings: Settings) -> Iterator[Connection]:
    """Open the current publication read-only.

    Raises:
        NotPublishedError: Nothing has been published.
        StorageError: The publication cannot be opened.
    """
    connection = _open_current(settings)
    try:
        yield connection
    finally:
        connection.close()


def _open_current(settings: Settings, attempts: int = 5) -> Connection:
    # A publication may be pruned between reading the pointer and opening it: read the pointer again.
    for attempt in range(attempts):
        path = current_publication(settings)
        try:
            return connect(path, read_only=True)
        except StorageError:
            if attempt + 1 == attempts or path == current_publication(settings):
                raise
    message = "no attempts"
    raise StorageError(message)


def _point_to(settings: Settings, name: str) -> None:
    pointer = settings.published / _POINTER
    scratch = settings.published / f".{_POINTER}.{os.getpid()}"
    scratch.write_text(name + "\n", encoding="utf-8")
    _sync(scratch)
    scratch.replace(pointer)
    _sync(settings.published)


def _prune(settings: Settings) -> None:
    current = current_publication(settings)
    for path in publications(settings)[: -settings.keep_publications]:
        if path != current:
            path.unlink(missing_ok=True)
    for leftover in settings.published.glob(".*.partial"):
        leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
