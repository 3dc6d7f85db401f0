"""What the parts of the ledger share: sessions, row-to-record conversion and a few checks.

Reading and writing sessions are apart because SQLite must take its write lock at the start of a writing
transaction; otherwise two writers that have read the same state would both go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, inspect
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.orm import Session, sessionmaker

from storage.errors import LedgerError
from storage.ledger.engine import writing
from storage.ledger.tables import Base


class LedgerRoom:
    """Base of the ledger's parts: owns the sessions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = sessionmaker(engine)
        self._writers = sessionmaker(writing(engine))

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with _clear_errors(), self._readers() as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with _clear_errors(), self._writers.begin() as session:
            yield session


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        message = f"the ledger does not answer: {str(error.orig).strip()}. Try again; if it stays so run `otif doctor`."
        raise LedgerError(message) from error
    except StatementError as error:
        if isinstance(error.orig, LedgerError):
            raise error.orig from error
        message = f"the ledger refused the entry: {str(error.orig).strip()}."
        raise LedgerError(message) from error


def insert_if_absent(session: Session, table: type[Base], values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is taken; tell whether it was inserted."""
    insert = insert_postgresql if session.get_bind().dialect.name == "postgresql" else insert_sqlite
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(*inspect(table).primary_key)
    return session.execute(statement).first() is not None


def require_person(name: str, *, what: str) -> str:
    """Return the name without surrounding blanks.

    Raises:
        LedgerError: Nobody is named.
    """
    person = name.strip()
    if not person:
        message = f"{what} needs a named person: say who decides (on the command line: --by maria)."
        raise LedgerError(message)
    return person
