"""The landing schema: event tables, manifest and rejects."""

from __future__ import annotations

from typing import Final

from storage.contracts import EVENT_TABLES
from storage.duck import Connection

_FORMAT: Final = 2
"""Version of what is stored; 2 = ids over name and value of the columns that have one."""

_BOOKKEEPING: Final = (
    """create table if not exists landing.batches (
    batch_id varchar not null, source varchar not null, status varchar not null, landed_at timestamp not null,
    seconds double not null, files integer not null, rows_in bigint not null, events_landed bigint not null,
    events_duplicate bigint not null, rows_rejected bigint not null, verdict varchar)""",
    "alter table landing.batches add column if not exists first_event_at timestamp",
    "alter table landing.batches add column if not exists last_event_at timestamp",
    """create table if not exists landing.files (
    batch_id varchar not null, source varchar not null, file varchar not null, sha256 varchar not null,
    rows_in bigint not null, events_landed bigint not null, events_duplicate bigint not null,
    rows_rejected bigint not null)""",
    "alter table landing.files add column if not exists path varchar",
    """create table if not exists landing.rejects (
    batch_id varchar not null, source varchar not null, source_ref varchar not null, reason varchar not null,
    raw varchar)""",
    "alter table landing.rejects add column if not exists reason_code varchar",
    "alter table landing.rejects add column if not exists resolved_by varchar",
)


def prepare_landing(connection: Connection) -> None:
    """Create the landing schema where it does not exist yet, and bring an older one up to date."""
    connection.execute("create schema if not exists landing")
    connection.execute("create table if not exists landing.format (version integer not null)")
    versions = connection.execute("select version from landing.format").fetchall()
    for table in EVENT_TABLES.values():
        connection.execute(table.ddl())
        for statement in table.upgrades():
            connection.execute(statement)
        if not versions:
            connection.execute(f"update {table.table} set event_id = {table.id_expression()}")
    if not versions:
        connection.execute("insert into landing.format values (?)", [_FORMAT])
    for statement in _BOOKKEEPING:
        connection.execute(statement)
