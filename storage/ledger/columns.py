"""Column types that mean the same on SQLite and PostgreSQL.

Only value conversion lives here; which table holds what is in `tables`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

from storage.errors import LedgerError


def as_utc(moment: datetime) -> datetime:
    """Return the instant in UTC.

    Raises:
        LedgerError: The stamp carries no offset, so nobody can tell which instant is meant.
    """
    if moment.tzinfo is None:
        message = f"{moment.isoformat()} carries no offset. The ledger takes aware instants only: add a time zone."
        raise LedgerError(message)
    return moment.astimezone(UTC)


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant; SQLite keeps it without offset in UTC, PostgreSQL as timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        del dialect
        return None if value is None else as_utc(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401
        """Read back aware."""
        del dialect
        if value is None:
            return None
        stamp: datetime = value
        return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)


class DecimalText(TypeDecorator[Decimal]):
    """An exact decimal kept as text, because SQLite has no decimal type."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Store the exact digits."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ANN401
        """Read the exact digits back."""
        del dialect
        return None if value is None else Decimal(value)
