"""The reference endpoint's own durable store: one SQLite file, nothing is acknowledged before it is on disk.

Rows only; what the contract makes of them is in `rules_service`. Versions, settled rules and events are
append-only. Every call runs in one transaction that takes the write lock first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from pipelines.outbound.rules_planner import EffectiveRule

Row = dict[str, Any]

_SCHEMA: Final = """
create table if not exists versions (
    rule_set_id text not null, version integer not null, parent_version integer, digest text not null,
    document text not null, state text not null, accepted_at text not null, primary key (rule_set_id, version));
create table if not exists settled_rules (
    rule_set_id text not null, version integer not null, position integer not null, rule_id text not null,
    kind text not null, scope text not null, requested text not null, applied text, observed text,
    status text not null, error text, expires_at text, at text not null,
    primary key (rule_set_id, version, rule_id));
create table if not exists operations (
    operation_id text primary key, rule_set_id text not null, version integer not null, status text not null,
    counts text not null, error text, created_at text not null, finished_at text);
create unique index if not exists one_running_operation_per_rule_set on operations (rule_set_id)
    where status = 'queued';
create table if not exists answers (
    idempotency_key text primary key, method text not null, path text not null, body_digest text not null,
    answer text not null, at text not null);
create table if not exists stock (
    sku text not null, location text not null, quantity integer not null, at text not null,
    primary key (sku, location));
create table if not exists events (
    position integer primary key autoincrement, type text not null, entity text not null,
    entity_version integer, occurred_at text not null, payload text not null);
"""
_JSON_COLUMNS: Final = ("document", "scope", "requested", "applied", "observed", "counts", "answer", "payload")


class RulesStore:
    """Opens the file and hands out transactions."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[StoreTransaction]:
        """Run a block with the write lock; it is on disk when the block ends and gone when it raises."""
        with closing(self._connect()) as connection:
            connection.execute("begin immediate")
            try:
                yield StoreTransaction(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma synchronous = full")
        return connection


class StoreTransaction:
    """Reads and writes rows inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, query: str, *values: object) -> list[Row]:
        """Return rows as dicts, JSON columns decoded."""
        return [_decoded(row) for row in self._connection.execute(query, values)]

    def one(self, query: str, *values: object) -> Row | None:
        """Return the first row, None when there is none."""
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else _decoded(row)

    def insert(self, table: str, row: Mapping[str, Any], *, replace: bool = False) -> None:
        """Insert a row, JSON columns encoded."""
        values = [_encoded(name, value) for name, value in row.items()]
        marks = ", ".join("?" * len(values))
        verb = "insert or replace" if replace else "insert"
        self._connection.execute(f"{verb} into {table} ({', '.join(row)}) values ({marks})", values)

    def execute(self, statement: str, *values: object) -> None:
        """Run a statement."""
        self._connection.execute(statement, values)

    def version(self, rule_set_id: str, version: int) -> Row | None:
        """Return a stored version."""
        return self.one("select * from versions where rule_set_id = ? and version = ?", rule_set_id, version)

    def head(self, rule_set_id: str) -> Row | None:
        """Return the latest applied version."""
        return self.one(
            "select * from versions where rule_set_id = ? and state in ('active', 'partially_active') "
            "order by version desc limit 1",
            rule_set_id,
        )

    def settled(self, rule_set_id: str, version: int) -> list[Row]:
        """Return the settled rules of a version in document order."""
        return self.all(
            "select * from settled_rules where rule_set_id = ? and version = ? order by position", rule_set_id, version
        )

    def stock(self) -> dict[tuple[str, str], int]:
        """Return the stock that was told."""
        return {(row["sku"], row["location"]): row["quantity"] for row in self.all("select * from stock")}

    def add_event(self, kind: str, entity: str, version: int | None, *, at: str, payload: Mapping[str, Any]) -> None:
        """Append to the feed."""
        self.insert(
            "events",
            {
                "type": kind,
                "entity": entity,
                "entity_version": version,
                "occurred_at": at,
                "payload": dict(payload),
            },
        )

    def write_settled(self, rule_set_id: str, version: int, rules: Sequence[EffectiveRule], *, at: str) -> None:
        """Write what the rules of a version come to; writing again changes nothing."""
        for position, rule in enumerate(rules):
            row = {
                "rule_set_id": rule_set_id,
                "version": version,
                "position": position,
                "rule_id": rule.rule_id,
                "kind": rule.kind,
                "scope": rule.scope,
                "requested": rule.requested,
                "applied": rule.value,
                "observed": rule.value,
                "status": rule.status,
                "error": rule.error,
                "expires_at": rule.expires_at,
                "at": at,
            }
            self.insert("settled_rules", row, replace=True)


def effective_rules(rows: Sequence[Row]) -> list[EffectiveRule]:
    """Return settled rows as what is really set now (`observed`)."""
    return [
        EffectiveRule(
            row["rule_id"], row["kind"], row["scope"], row["requested"], row["observed"], row["status"], row["error"],
            row["expires_at"],
        )
        for row in rows
    ]  # fmt: skip


def _encoded(name: str, value: object) -> object:
    return json.dumps(value) if name in _JSON_COLUMNS and value is not None else value


def _decoded(row: sqlite3.Row) -> Row:
    return {
        name: json.loads(row[name]) if name in _JSON_COLUMNS and row[name] is not None else row[name]
        for name in row.keys()  # noqa: SIM118 - iterating a sqlite3.Row gives values
    }
