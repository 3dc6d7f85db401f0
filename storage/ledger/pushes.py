"""Pushes: what was sent to the OMS, under which key, what it answered, and how to undo it.

An attempt is recorded before anything is sent, so that a process that dies in between finds its key again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.errors import LedgerError
from storage.ledger.documents import check_digest
from storage.ledger.lifecycle import VersionState, check_transition
from storage.ledger.records import Push
from storage.ledger.room import LedgerRoom, require_person
from storage.ledger.tables import PushRow, RuleSetVersionRow
from storage.ledger.versions import activate, check_fresh, load_version, version_name

_FINISHED = ("done", "partial")


class PushPart(LedgerRoom):
    """Verbs on pushes."""

    def record_push(
        self, rule_set_id: str, version: int, *, idempotency_key: str, target: str, by: str, now: datetime
    ) -> Push:
        """Record that a push of an approved version starts (or starts again after a failure or a crash).

        A push that ended well is returned as it is: look at its status before sending anything.

        Raises:
            LedgerError: Nobody is named, the version is not approved or stale, or the key belongs to another push.
        """
        person = require_person(by, what=f"pushing {rule_set_id} version {version}")
        with self._write() as session:
            row = load_version(session, rule_set_id, version)
            push = _by_key(session, idempotency_key)
            if push is not None:
                _check_same_push(push, row, target)
                if push.status in _FINISHED:
                    return _record(push)
            check_transition(version_name(row), VersionState(row.state), VersionState.ACTIVE)
            check_fresh(session, row)
            if push is None:
                push = _new_row(row, key=idempotency_key, target=target, by=person, now=now)
                session.add(push)
            push.status = "started"
            push.attempts += 1
            push.error = None
            push.finished_at = None
            session.flush()
            return _record(push)

    def finish_push(
        self,
        push_id: int,
        *,
        head_digest: str,
        operation: str | None,
        acks: Sequence[Mapping[str, Any]],
        inverse: Sequence[Mapping[str, Any]],
        now: datetime,
    ) -> Push:
        """Record that the OMS took the version; in the same transaction it becomes the active one.

        Args:
            push_id: The push.
            head_digest: Digest that the OMS shows for its head now; compared with the version's.
            operation: Operation id at the OMS.
            acks: One object per rule with `status`; any other than `applied` makes the push partial.
            inverse: Patch that undoes the version.
            now: The instant.

        Raises:
            LedgerError: The OMS holds another content, or the version cannot become active.
        """
        with self._write() as session:
            push = _load(session, push_id)
            if push.status in _FINISHED:
                return _record(push)
            row = load_version(session, push.rule_set_id, push.version)
            check_digest(f"{version_name(row)} in the ledger", stated=head_digest or "(none)", actual=row.digest)
            activate(session, row, now=now)
            push.status = "done" if all(ack.get("status") == "applied" for ack in acks) else "partial"
            push.operation = operation
            push.acks = [dict(ack) for ack in acks]
            push.inverse = [dict(change) for change in inverse]
            push.finished_at = now
            session.flush()
            return _record(push)

    def fail_push(self, push_id: int, *, error: str, now: datetime) -> Push:
        """Record that an attempt failed; the version stays approved and can be pushed again.

        Raises:
            LedgerError: There is no such push, or it ended well before.
        """
        with self._write() as session:
            push = _load(session, push_id)
            if push.status in _FINISHED:
                message = f"push {push_id} ended {push.status} and cannot fail any more."
                raise LedgerError(message)
            push.status = "failed"
            push.error = error
            push.finished_at = now
            session.flush()
            return _record(push)

    def list_pushes(self, rule_set_id: str | None = None, *, version: int | None = None) -> list[Push]:
        """Return pushes, newest first."""
        query = select(PushRow).order_by(PushRow.push_id.desc())
        if rule_set_id is not None:
            query = query.where(PushRow.rule_set_id == rule_set_id)
        if version is not None:
            query = query.where(PushRow.version == version)
        with self._read() as session:
            return [_record(row) for row in session.scalars(query)]


def _by_key(session: Session, key: str) -> PushRow | None:
    return session.scalar(select(PushRow).where(PushRow.idempotency_key == key))


def _load(session: Session, push_id: int) -> PushRow:
    row = session.get(PushRow, push_id, with_for_update=True)
    if row is None:
        message = f"no push {push_id} in the ledger."
        raise LedgerError(message)
    return row


def _check_same_push(push: PushRow, row: RuleSetVersionRow, target: str) -> None:
    if (push.rule_set_id, push.version, push.target) != (row.rule_set_id, row.version, target):
        message = (
            f"idempotency key {push.idempotency_key} belongs to the push of {push.rule_set_id} version {push.version} "
            f"to {push.target}, not of {version_name(row)} to {target}. Use a key of its own."
        )
        raise LedgerError(message)


def _new_row(row: RuleSetVersionRow, *, key: str, target: str, by: str, now: datetime) -> PushRow:
    return PushRow(
        rule_set_id=row.rule_set_id,
        version=row.version,
        kind="push" if row.restores is None else "rollback",
        idempotency_key=key,
        target=target,
        status="started",
        attempts=0,
        acks=[],
        inverse=[],
        by=by,
        started_at=now,
    )


def _record(row: PushRow) -> Push:
    return Push(
        push_id=row.push_id,
        rule_set_id=row.rule_set_id,
        version=row.version,
        kind=row.kind,  # type: ignore[arg-type]
        idempotency_key=row.idempotency_key,
        target=row.target,
        status=row.status,  # type: ignore[arg-type]
        attempts=row.attempts,
        operation=row.operation,
        acks=row.acks,
        inverse=row.inverse,
        error=row.error,
        by=row.by,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
