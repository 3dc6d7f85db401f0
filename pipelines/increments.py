"""What a build may take over from the one before, and when it must begin from scratch.

A build is incremental when the last one ended well, nothing but events has changed since, and it looks from the same or
a later instant. Whatever is doubtful makes a full build: an interrupted build, other models, macros, seeds, settings or
code, an earlier as-of, landed events that are gone. The state lives in schema `builds` of the database:

    context    one row: the instant the build looks from, and that of the build it stands on (null: from scratch)
    seen       per landing table (an event family, batches, files, rejects) the rows that the build it stands on had
               seen; empty from scratch
    completed  at most one row: the last build that ended well; gone while a build runs
    packing    one row: how many builds go by until one packs the tables out of which rows went (macros/incremental.sql)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from storage.contracts import EVENT_TABLES
from storage.duck import Connection
from storage.settings import PROJECT_ROOT, Settings

_SCHEMA: Final = """
create schema if not exists builds;
create schema if not exists changes;
create table if not exists builds.context (as_of timestamp not null, since_as_of timestamp);
create table if not exists builds.seen (family varchar not null, events bigint not null, as_of timestamp not null);
create table if not exists builds.completed (
    as_of timestamp not null, fingerprint varchar not null, publication varchar not null
);
create table if not exists builds.completed_events (family varchar not null, events bigint not null);
create table if not exists builds.packing (builds_left integer not null);
"""
_CODE: Final = ("models", "macros", "otif", "pipelines", "optimizer", "storage")
_CODE_SUFFIXES: Final = (".sql", ".yml", ".py")
# Models whose answer for one order rests on a fact about all orders: when it changes, every order may have changed.
ENDS_INCREMENT: Final = ("int_carriers_scanned",)
"""They have to be part of every build."""
PACK_AFTER: Final = 7
"""Builds on top of others between two that pack the tables."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a build will go.

    Attributes:
        as_of: Instant it looks from (naive, UTC).
        fingerprint: Hash of everything but events that the result depends on.
        why_full: Why it begins from scratch; empty for an incremental build.
        is_current: The last build saw the same events, from the same instant.
    """

    as_of: datetime
    fingerprint: str
    why_full: str = ""
    is_current: bool = False


def fingerprint(settings: Settings, seeds: Path, select: Sequence[str] = ()) -> str:
    """Hash models, macros, code, settings, seeds and the engine's version.

    Args:
        settings: Workspace.
        seeds: Folder of the seeds that the build reads.
        select: Models that the build is about, if not all.
    """
    engine = [version(name) for name in ("duckdb", "dbt-core", "dbt-duckdb")]
    digest = sha256(" ".join([*engine, *select]).encode())
    code = [path for room in _CODE for path in (PROJECT_ROOT / room).rglob("*") if path.suffix in _CODE_SUFFIXES]
    files = [*code, PROJECT_ROOT / "dbt_project.yml", settings.home / "otif.toml", *seeds.glob("*.csv")]
    for path in sorted(files):
        digest.update(f"\n{path.name}\n".encode())
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def begin(connection: Connection, as_of: datetime, mark: str, *, published: str, full: bool) -> Plan:
    """Decide how to build and write it down for the models; from here on the last build no longer counts.

    Args:
        connection: Writer.
        as_of: Aware instant.
        mark: The build's fingerprint.
        published: Name of the publication that readers see.
        full: Begin from scratch whatever the state is.
    """
    connection.execute(_SCHEMA)
    moment = as_of.replace(tzinfo=None)
    last = connection.execute("select as_of, fingerprint, publication from builds.completed").fetchone()
    seen = dict(connection.execute("select family, events from builds.completed_events").fetchall())
    landed = _landed(connection)
    plan = Plan(moment, mark, _why_full(last, moment, mark, seen, landed, asked=full))
    if last is not None and not plan.why_full and (last[0], last[2], seen) == (moment, published, landed):
        return Plan(moment, mark, is_current=True)
    since = None if last is None or plan.why_full else last[0]
    connection.execute("begin")
    connection.execute("delete from builds.completed")
    connection.execute("delete from builds.completed_events")
    write_context(connection, moment, since)
    if since is not None:
        rows = [(family, events, since) for family, events in seen.items()]
        connection.executemany("insert into builds.seen values (?, ?, ?)", rows)
    connection.execute("commit")
    return plan


def write_context(connection: Connection, as_of: datetime, since: datetime | None = None) -> None:
    """Tell the models where a build looks from (naive, UTC) and which one it stands on."""
    connection.execute(_SCHEMA)
    connection.execute("delete from builds.context")
    connection.execute("delete from builds.seen")
    connection.execute("insert into builds.context values (?, ?)", [as_of, since])


def must_start_over(connection: Connection, plan: Plan) -> bool:
    """Say whether an incremental build found a change that touches every order."""
    if plan.why_full:
        return False
    for model in ENDS_INCREMENT:
        [(changed,)] = connection.execute(f"select count(*) from changes.{model}").fetchall()
        if changed:
            return True
    return False


def complete(connection: Connection, plan: Plan, *, publication: str) -> None:
    """Note that a build ended well and what it published; the next one may stand on it."""
    connection.execute("begin")
    connection.execute("insert into builds.completed values (?, ?, ?)", [plan.as_of, plan.fingerprint, publication])
    connection.executemany("insert into builds.completed_events values (?, ?)", list(_landed(connection).items()))
    [(left,)] = connection.execute("select coalesce(min(builds_left), 0) from builds.packing").fetchall()
    connection.execute("delete from builds.packing")
    connection.execute(
        "insert into builds.packing values (?)", [left - 1 if left and not plan.why_full else PACK_AFTER]
    )
    write_context(connection, plan.as_of)
    connection.execute("commit")


def _landed(connection: Connection) -> dict[str, int]:
    """Count what has landed: events per family, batches, files and rejects (a file may bring nothing else)."""
    tables = {family: table.table for family, table in EVENT_TABLES.items()}
    tables |= {name: f"landing.{name}" for name in ("batches", "files", "rejects")}
    return {
        name: int(connection.execute(f"select count(*) from {table}").fetchall()[0][0])
        for name, table in tables.items()
    }


def _why_full(
    last: tuple[Any, ...] | None,
    moment: datetime,
    mark: str,
    seen: dict[str, int],
    landed: dict[str, int],
    *,
    asked: bool,
) -> str:
    if asked:
        return "asked for"
    if last is None:
        return "no complete build before"
    if last[1] != mark:
        return "models, rules, settings or code changed"
    if moment < last[0]:
        return "looks from an earlier instant than the last build"
    if any(landed.get(family, 0) < events for family, events in seen.items()):
        return "landed rows are gone"
    return ""
