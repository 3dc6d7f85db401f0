"""Connections to DuckDB: one writer at a time under a lock file, any number of readers of publications."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from storage.errors import StorageBusyError, StorageError
from storage.settings import Settings

Connection = duckdb.DuckDBPyConnection
"""The connection type, for annotations elsewhere (only this package imports duckdb)."""

DatabaseError = duckdb.Error
"""Base of DuckDB's errors, for callers that translate them."""


@contextmanager
def writer_lock(settings: Settings, *, purpose: str, wait_seconds: float = 60.0) -> Iterator[None]:
    """Hold the workspace's only writer lock.

    The kernel releases the lock when the process dies, however it dies, so no stale lock is possible.

    Args:
        settings: Workspace.
        purpose: What the holder is doing; shown to those who wait.
        wait_seconds: How long to wait for another writer.

    Raises:
        StorageBusyError: Another process kept the lock for longer.
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    path = settings.var / "writer.lock"
    with path.open("a+", encoding="utf-8") as handle:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    handle.seek(0)
                    holder = handle.read().strip() or "another process"
                    message = (
                        f"{settings.database} is being written by {holder}; waited {wait_seconds:.0f} s. "
                        "Try again when it has finished."
                    )
                    raise StorageBusyError(message) from None
                time.sleep(0.05)
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} ({purpose})")
        handle.flush()
        try:
            yield
        finally:
            handle.seek(0)
            handle.truncate()
            handle.flush()
            fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def open_writer(settings: Settings, *, purpose: str) -> Iterator[Connection]:
    """Open the workspace's database for writing, under the writer lock.

    Raises:
        StorageBusyError: Another process is writing.
        StorageError: The file cannot be opened.
    """
    with writer_lock(settings, purpose=purpose):
        connection = connect(settings.database)
        try:
            yield connection
        finally:
            connection.close()


def connect(path: Path | None = None, *, read_only: bool = False) -> Connection:
    """Open a DuckDB file, or an in-memory database without a path. Time zone is always UTC; no progress is printed.

    Raises:
        StorageError: The file cannot be opened.
    """
    try:
        connection = duckdb.connect(str(path) if path else ":memory:", read_only=read_only)
    except duckdb.Error as error:
        message = f"cannot open {path}: {error}"
        raise StorageError(message) from error
    connection.execute("set timezone = 'UTC'")
    if path and not read_only:
        # Closing would pack every table of which rows went; builds do that now and then (macros/incremental.sql).
        connection.execute("set max_vacuum_tasks = 0")
    connection.execute("set enable_progress_bar = false")  # it goes to stdout, which is for what a command answers
    return connection


SCRATCH_MEMORY: Final = "2GB"
"""What landing may hold in memory; beyond it DuckDB spills to disk."""


def connect_scratch(path: Path) -> Connection:
    """Open a new scratch database whose memory is bounded.

    Raises:
        StorageError: The file cannot be opened.
    """
    connection = connect(path)
    bound_memory(connection, spill=path.parent / "spill")
    connection.execute("pragma force_compression = 'uncompressed'")  # read once and deleted: not worth the work
    return connection


def bound_memory(connection: Connection, *, spill: Path) -> None:
    """Let a connection's instance spill to a folder beyond `SCRATCH_MEMORY`."""
    connection.execute(f"set memory_limit = '{SCRATCH_MEMORY}'")
    connection.execute("set temp_directory = '" + str(spill).replace("'", "''") + "'")
