"""The durable queue between receiver and landing: an SQLite file in which every accepted message stands once.

A message is answered only after the transaction that holds it has been synced to disk (`synchronous=FULL`). Messages
that arrive together share one transaction, so that a burst costs a few syncs instead of one each.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.webhooks.providers import Message, Refusal
from storage.settings import Settings

_SCHEMA: Final = """
create table if not exists messages (
    seq integer primary key autoincrement,
    provider text not null,
    message_id text not null,
    digest text not null,
    topic text not null,
    received_at text not null,
    body blob,
    landed_at text,
    unique (provider, topic, message_id),
    unique (provider, digest)
);
create index if not exists messages_waiting on messages (provider, topic, seq) where landed_at is null;
create table if not exists refusals (
    provider text not null,
    reason text not null,
    day text not null,
    refused integer not null,
    primary key (provider, reason, day)
);
"""
_BURST: Final = 256


def spool_path(settings: Settings) -> Path:
    """Where the workspace keeps its queue."""
    return settings.var / "webhooks.sqlite"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that has not landed."""

    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    message: Message
    received_at: str
    done: Future[bool]


class Spool:
    """The queue. One writer thread; safe to use from many.

    Args:
        path: The SQLite file; made where it does not exist.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as connection:
            connection.executescript(_SCHEMA)
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="webhook-spool", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Write what is queued and stop."""
        self._entries.put(None)
        self._writer.join()

    def put(self, message: Message, *, received_at: str) -> Future[bool]:
        """Queue a message. The result comes when it is on disk: True if it is new, False if it was known.

        Args:
            message: An authentic message.
            received_at: ISO timestamp, UTC.
        """
        done: Future[bool] = Future()
        self._entries.put(_Entry(message, received_at, done))
        return done

    def count_refusal(self, provider: str, reason: Refusal, *, day: str) -> None:
        """Count a message that was not taken."""
        with self._open() as connection:
            connection.execute(
                "insert into refusals values (?, ?, ?, 1) on conflict do update set refused = refused + 1",
                (provider, reason.value, day),
            )

    def refusals(self) -> list[tuple[str, str, str, int]]:
        """Return (provider, reason, day, count), sorted."""
        with self._open() as connection:
            return connection.execute("select * from refusals order by provider, reason, day").fetchall()

    def kinds_waiting(self) -> list[tuple[str, str]]:
        """Return (provider, topic) of messages that have not landed."""
        with self._open() as connection:
            return connection.execute(
                "select distinct provider, topic from messages where landed_at is null order by 1, 2"
            ).fetchall()

    def waiting(self, provider: str, topic: str, *, limit: int) -> list[Waiting]:
        """Return the oldest messages of a kind that have not landed."""
        with self._open() as connection:
            rows = connection.execute(
                "select seq, body from messages where landed_at is null and provider = ? and topic = ? "
                "order by seq limit ?",
                (provider, topic, limit),
            ).fetchall()
        return [Waiting(seq, body) for seq, body in rows]

    def mark_landed(self, sequence: Sequence[int], *, landed_at: str) -> None:
        """Note that messages are in the database. Their bodies go; ids and digests stay to know repetitions."""
        with self._open() as connection:
            connection.executemany(
                "update messages set landed_at = ?, body = null where seq = ?", [(landed_at, seq) for seq in sequence]
            )

    def count(self) -> int:
        """Return how many messages were ever accepted."""
        with self._open() as connection:
            found: int = connection.execute("select count(*) from messages").fetchone()[0]
        return found

    def count_waiting(self) -> int:
        """Return how many messages have not landed."""
        with self._open() as connection:
            found: int = connection.execute("select count(*) from messages where landed_at is null").fetchone()[0]
        return found

    def _write(self) -> None:
        while (entry := self._entries.get()) is not None:
            burst = [entry]
            while len(burst) < _BURST:
                try:
                    following = self._entries.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._entries.put(None)
                    break
                burst.append(following)
            self._commit(burst)

    def _commit(self, burst: Sequence[_Entry]) -> None:
        try:
            with self._open() as connection:
                fresh = [self._insert(connection, entry) for entry in burst]
        except sqlite3.Error as error:
            for entry in burst:
                entry.done.set_exception(error)
            return
        for entry, is_new in zip(burst, fresh, strict=True):
            entry.done.set_result(is_new)

    @staticmethod
    def _insert(connection: sqlite3.Connection, entry: _Entry) -> bool:
        message = entry.message
        inserted = connection.execute(
            "insert or ignore into messages (provider, message_id, digest, topic, received_at, body) "
            "values (?, ?, ?, ?, ?, ?)",
            (message.provider, message.message_id, message.digest, message.topic, entry.received_at, message.body),
        )
        return inserted.rowcount == 1

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30)
        try:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=full")
            with connection:
                yield connection
        finally:
            connection.close()
