"""The mail outbox: one row per send key, so that a mail goes out once however often its job runs.

A sender claims a mail, sends it, and marks it. A claim that nobody finished (the process died) can be taken
over after a while; the receiver then recognises a second copy by its Message-ID, which comes from the key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session, undefer

from storage.errors import LedgerError
from storage.ledger.records import OutboxMail
from storage.ledger.room import LedgerRoom, insert_if_absent
from storage.ledger.tables import OutboxRow

STALE_CLAIM: Final = timedelta(minutes=15)
"""After this time an unfinished claim counts as abandoned."""


class OutboxPart(LedgerRoom):
    """Verbs on mails."""

    def enqueue_mail(self, send_key: str, *, recipient: str, subject: str, message: bytes, now: datetime) -> OutboxMail:
        """Queue a mail unless its key is known; return it as it stands.

        A mail that was not sent yet takes the new content (a repaired report); a sent one stays as it is.
        """
        with self._write() as session:
            fresh = insert_if_absent(
                session,
                OutboxRow,
                {
                    "send_key": send_key,
                    "recipient": recipient,
                    "subject": subject,
                    "status": "queued",
                    "attempts": 0,
                    "message": message,
                    "created_at": now,
                },
            )
            row = _load(session, send_key)
            if not fresh and row.status in ("queued", "failed"):
                row.subject, row.message = subject, message
                session.flush()
            return _record(row)

    def claim_mail(self, send_key: str, *, now: datetime) -> OutboxMail | None:
        """Take a mail for sending; None when it is sent or another process is sending it.

        Raises:
            LedgerError: No such mail is queued.
        """
        free = or_(
            OutboxRow.status.in_(("queued", "failed")),
            and_(OutboxRow.status == "sending", OutboxRow.claimed_at <= now - STALE_CLAIM),
        )
        with self._write() as session:
            row = _load(session, send_key)
            claimed = session.execute(
                update(OutboxRow)
                .where(OutboxRow.send_key == send_key, free)
                .values(status="sending", attempts=OutboxRow.attempts + 1, claimed_at=now)
                .returning(OutboxRow.send_key)
            ).first()
            if claimed is None:
                return None
            session.refresh(row)
            return _record(row)

    def mark_mail_sent(self, send_key: str, *, now: datetime) -> OutboxMail:
        """Note that a server took the mail; its bytes are dropped.

        Raises:
            LedgerError: The mail was not claimed.
        """
        with self._write() as session:
            row = _claimed(session, send_key)
            row.status, row.error, row.message, row.sent_at = "sent", None, None, now
            session.flush()
            return _record(row)

    def mark_mail_failed(self, send_key: str, *, error: str) -> OutboxMail:
        """Keep the mail with the reason; the next delivery tries again.

        Raises:
            LedgerError: The mail was not claimed.
        """
        with self._write() as session:
            row = _claimed(session, send_key)
            row.status, row.error, row.claimed_at = "failed", error, None
            session.flush()
            return _record(row)

    def get_mail(self, send_key: str) -> OutboxMail:
        """Return one mail.

        Raises:
            LedgerError: No such mail is queued.
        """
        with self._read() as session:
            return _record(_load(session, send_key, lock=False))

    def list_mail(self, *, unsent: bool = False) -> list[OutboxMail]:
        """Return mails in the order they were queued, all or only those still to be sent."""
        query = select(OutboxRow).options(undefer(OutboxRow.message))
        query = query.order_by(OutboxRow.created_at, OutboxRow.send_key)
        if unsent:
            query = query.where(OutboxRow.status != "sent")
        with self._read() as session:
            return [_record(row) for row in session.scalars(query)]


def _load(session: Session, send_key: str, *, lock: bool = True) -> OutboxRow:
    row = session.get(OutboxRow, send_key, options=[undefer(OutboxRow.message)], with_for_update=lock or None)
    if row is None:
        message = f"no mail {send_key!r} in the outbox."
        raise LedgerError(message)
    return row


def _claimed(session: Session, send_key: str) -> OutboxRow:
    row = _load(session, send_key)
    if row.status != "sending":
        message = f"mail {send_key!r} is {row.status}, expected sending: claim it first."
        raise LedgerError(message)
    return row


def _record(row: OutboxRow) -> OutboxMail:
    return OutboxMail(
        send_key=row.send_key,
        recipient=row.recipient,
        subject=row.subject,
        status=row.status,  # type: ignore[arg-type]
        attempts=row.attempts,
        error=row.error,
        message=row.message,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )
