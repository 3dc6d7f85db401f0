"""Opening the ledger's database: SQLite with sane pragmas or PostgreSQL, schema brought up to date.

The schema is at a numbered step; opening takes the missing steps in order, in one transaction, under a
lock, so that several processes may open a new workspace at once. A database from a newer program is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from storage.errors import LedgerError
from storage.ledger.tables import Base, DisputeStepRow, ExceptionAlertRow, ExceptionRow, SchemaVersionRow

BUSY_SECONDS: Final = 15
_MIGRATION_LOCK: Final = 7_206_841_119
"""Key of the PostgreSQL advisory lock; any number that no other program uses."""

_WRITE: Final = "otif_write"


def open_engine(url: str) -> Engine:
    """Connect and bring the schema up to date.

    Raises:
        LedgerError: The address is malformed, the server does not answer, or the schema is newer than the program.
    """
    address = _address(url)
    try:
        engine = _sqlite(address) if address.get_backend_name() == "sqlite" else create_engine(address)
    except (ImportError, NoSuchModuleError) as error:
        message = f"ledger.url {_shown(address)}: no driver for it ({error}). `pip install 'psycopg[binary]'`."
        raise LedgerError(message) from error
    try:
        with writing(engine).begin() as connection:
            migrate(connection)
    except LedgerError:
        engine.dispose()
        raise
    except OperationalError as error:
        engine.dispose()
        message = f"the ledger at {_shown(address)} cannot be opened: {str(error.orig).strip()}. Check ledger.url."
        raise LedgerError(message) from error
    except DBAPIError as error:
        engine.dispose()
        message = f"{_shown(address)} is not a ledger: {str(error.orig).strip()}. Point ledger.url elsewhere."
        raise LedgerError(message) from error
    return engine


def writing(engine: Engine) -> Engine:
    """Return the engine whose transactions take the write lock at once, so that they queue instead of failing late."""
    return engine.execution_options(**{_WRITE: True})


def migrate(connection: Connection) -> None:
    """Take the steps that the database has not taken yet.

    Raises:
        LedgerError: The database has taken steps that this program does not know.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    taken: set[int] = set()
    if inspect(connection).has_table(SchemaVersionRow.__tablename__):
        taken = set(connection.scalars(select(SchemaVersionRow.version)))
    unknown = taken - MIGRATIONS.keys()
    if unknown:
        message = (
            f"the ledger is at schema {max(unknown)}, this program knows {max(MIGRATIONS)}: "
            "it was written by a newer otif. Update this installation."
        )
        raise LedgerError(message)
    for number in sorted(MIGRATIONS.keys() - taken):
        MIGRATIONS[number](connection)
        connection.execute(insert(SchemaVersionRow).values(version=number))


def _create_tables(connection: Connection) -> None:
    Base.metadata.create_all(connection)


def _add_disputes(connection: Connection) -> None:
    Base.metadata.tables[DisputeStepRow.__tablename__].create(connection, checkfirst=True)


def _add_alerts(connection: Connection) -> None:
    Base.metadata.tables[ExceptionAlertRow.__tablename__].create(connection, checkfirst=True)
    states = Base.metadata.tables[ExceptionRow.__tablename__]
    if "snoozed_until" not in {column["name"] for column in inspect(connection).get_columns(states.name)}:
        kind = states.c.snoozed_until.type.compile(connection.dialect)
        connection.execute(text(f"alter table {states.name} add column snoozed_until {kind}"))


MIGRATIONS: Final[dict[int, Callable[[Connection], None]]] = {1: _create_tables, 2: _add_disputes, 3: _add_alerts}
"""Step number → what it does. A released step is never edited; a change of tables is a new step."""


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        message = f"ledger.url {url!r} is no database address, expected e.g. postgresql://user@host/otif."
        raise LedgerError(message) from error
    if address.drivername in ("postgres", "postgresql"):
        address = address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        message = f"ledger.url names {address.get_backend_name()!r}, expected sqlite or postgresql."
        raise LedgerError(message)
    return address


def _shown(address: URL) -> str:
    return address.render_as_string(hide_password=True)


def _sqlite(address: URL) -> Engine:
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # The driver's own transaction handling opens transactions late; ours starts them explicitly (see _begin_sqlite).
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = wal",
        "synchronous = full",
        "foreign_keys = on",
    ):
        connection.execute(f"pragma {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    mode = "begin immediate" if connection.get_execution_options().get(_WRITE) else "begin"
    connection.exec_driver_sql(mode)
