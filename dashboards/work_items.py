"""Exceptions as people's work: what the data shows now, joined with what people did about it in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from storage.ledger import Ledger

STATUSES: Final = ("open", "acknowledged", "snoozed", "resolved")
TO_DO: Final = STATUSES[:2]
"""What is listed unless somebody asks for more."""


def with_states(exceptions: pl.DataFrame, book: Ledger) -> pl.DataFrame:
    """Add `status` and `in_hands_of` to exceptions; those that the ledger has not met are open and nobody's."""
    states = book.exception_states(exceptions["exception_id"].to_list())
    known = [states.get(exception_id) for exception_id in exceptions["exception_id"]]
    return exceptions.with_columns(
        status=pl.Series([state.status if state else "open" for state in known], dtype=pl.String),
        in_hands_of=pl.Series([state.owner if state else None for state in known], dtype=pl.String),
    )


def acknowledge(
    book: Ledger, exception_id: str, *, by: str, note: str, now: datetime, shown: Sequence[str], as_of: datetime
) -> None:
    """Take an exception in hand.

    Raises:
        LedgerError: Nobody is named, or it is resolved.
    """
    _meet(book, exception_id, shown, as_of)
    book.acknowledge_exception(exception_id, by=by, now=now, text=note)


def snooze(
    book: Ledger, exception_id: str, *, by: str, note: str, now: datetime, shown: Sequence[str], as_of: datetime
) -> None:
    """Put an exception aside for a day.

    Raises:
        LedgerError: Nobody is named, or it is resolved.
    """
    _meet(book, exception_id, shown, as_of)
    book.snooze_exception(exception_id, by=by, until=now + timedelta(days=1), now=now, text=note)


def resolve(
    book: Ledger, exception_id: str, *, by: str, note: str, now: datetime, shown: Sequence[str], as_of: datetime
) -> None:
    """Close an exception; it opens again when a later build still shows it.

    Raises:
        LedgerError: Nobody is named, or it is resolved already.
    """
    _meet(book, exception_id, shown, as_of)
    book.resolve_exception(exception_id, by=by, now=now, text=note)


def _meet(book: Ledger, exception_id: str, shown: Sequence[str], as_of: datetime) -> None:
    # A publication that arrived without its build job (a copy, an older one) is not in the ledger yet.
    if not book.exception_states([exception_id]):
        book.mark_exceptions_seen(shown, now=as_of)
