"""Disputes as people's decisions: filed, answered, given up. Steps are only ever added.

A dispute is about a deduction document; every filing is an attempt. What was decided here lands as events with the next
build (`otif.disputes`), so that the models count it like a dispute that a partner's file tells of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.errors import LedgerError
from storage.ledger.records import DisputeAction, DisputeOutcome, DisputeStep
from storage.ledger.room import LedgerRoom, require_person
from storage.ledger.tables import DisputeStepRow

OUTCOMES: Final = ("won", "lost", "partial")
"""How an attempt can end."""


class DisputePart(LedgerRoom):
    """Verbs on disputes of deductions."""

    def file_dispute(
        self, document_id: str, *, customer_id: str, amount: Decimal, by: str, now: datetime, text: str = ""
    ) -> DisputeStep:
        """Note that a deduction was disputed: one attempt.

        Raises:
            LedgerError: Nobody is named, the amount is not positive, or an attempt waits for its answer.
        """
        if amount <= 0:
            message = f"a dispute of {amount} asks for nothing. Name the money to get back with --amount."
            raise LedgerError(message)
        with self._write() as session:
            if _is_open(_rows(session, document_id)):
                message = f"the dispute of {document_id} waits for its answer. Enter it with `otif disputes outcome`."
                raise LedgerError(message)
            return _add(session, document_id, customer_id, "filed", by=by, now=now, amount=amount, text=text)

    def settle_dispute(
        self,
        document_id: str,
        *,
        customer_id: str,
        outcome: DisputeOutcome,
        recovered: Decimal,
        by: str,
        now: datetime,
        text: str = "",
    ) -> DisputeStep:
        """Note how a partner answered.

        Raises:
            LedgerError: Nobody is named, or the outcome and the money contradict each other.
        """
        if outcome not in OUTCOMES:
            message = f"outcome {outcome!r}: expected won, lost or partial."
            raise LedgerError(message)
        if (outcome == "lost") != (recovered == 0) or recovered < 0:
            message = f"{outcome} with {recovered} recovered: a lost dispute recovers 0, any other more than 0."
            raise LedgerError(message)
        with self._write() as session:
            return _add(session, document_id, customer_id, outcome, by=by, now=now, amount=recovered, text=text)

    def note_on_dispute(
        self, document_id: str, *, customer_id: str, text: str, by: str, now: datetime, is_accepted: bool = False
    ) -> DisputeStep:
        """Add words to a deduction, or give it up with the reason.

        Raises:
            LedgerError: Nobody is named or nothing is said.
        """
        if not text.strip():
            message = "the note is empty. Say something with --note."
            raise LedgerError(message)
        action: DisputeAction = "accepted" if is_accepted else "noted"
        with self._write() as session:
            return _add(session, document_id, customer_id, action, by=by, now=now, amount=None, text=text.strip())

    def dispute_steps(self, document_ids: Sequence[str] | None = None) -> list[DisputeStep]:
        """Return the steps of the named deductions, or of all, oldest first."""
        query = select(DisputeStepRow).order_by(DisputeStepRow.step_id)
        if document_ids is not None:
            query = query.where(DisputeStepRow.document_id.in_(list(document_ids)))
        with self._read() as session:
            return [_record(row) for row in session.scalars(query)]


def _rows(session: Session, document_id: str) -> list[DisputeStepRow]:
    query = select(DisputeStepRow).where(DisputeStepRow.document_id == document_id).order_by(DisputeStepRow.step_id)
    return list(session.scalars(query))


def _is_open(rows: Sequence[DisputeStepRow]) -> bool:
    steps = [row.action for row in rows if row.action in ("filed", *OUTCOMES)]
    return bool(steps) and steps[-1] == "filed"


def _add(
    session: Session,
    document_id: str,
    customer_id: str,
    action: DisputeAction,
    *,
    by: str,
    now: datetime,
    amount: Decimal | None,
    text: str,
) -> DisputeStep:
    person = require_person(by, what="a step of a dispute")
    row = DisputeStepRow(
        document_id=document_id, customer_id=customer_id, action=action, amount=amount, by=person, text=text, at=now
    )
    session.add(row)
    session.flush()
    return _record(row)


def _record(row: DisputeStepRow) -> DisputeStep:
    return DisputeStep(
        document_id=row.document_id,
        customer_id=row.customer_id,
        action=row.action,  # type: ignore[arg-type]
        amount=row.amount,
        by=row.by,
        text=row.text,
        at=row.at,
    )
