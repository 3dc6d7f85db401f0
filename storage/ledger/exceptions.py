"""Exceptions over time: the data says what is wrong now, people say who takes care of it.

An exception keeps its identity from build to build. It is opened when first seen, cleared when a build no
longer shows it, reopened when it comes back after it was resolved by a person or cleared by the data. Each time it
comes back is an episode of its own. Nobody is told of the same episode twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.errors import LedgerError
from storage.ledger.columns import as_utc
from storage.ledger.records import ExceptionNote, ExceptionState, ExceptionStatus, SeenReport
from storage.ledger.room import LedgerRoom, insert_if_absent, require_person
from storage.ledger.tables import ExceptionAlertRow, ExceptionNoteRow, ExceptionRow, OutboxRow

BY_DATA: Final = "data"
"""Author of the steps that no person took."""

_CHUNK: Final = 500


class ExceptionPart(LedgerRoom):
    """Verbs on exceptions."""

    def mark_exceptions_seen(self, exception_ids: Iterable[str], *, now: datetime) -> SeenReport:
        """Note which exceptions a build shows; the list is complete, what is missing from it is over.

        Looking twice at the same instant counts once; a look that is older than the latest one changes nothing.

        Args:
            exception_ids: Ids of all exceptions that the build shows.
            now: The instant of the build (its `as_of`).
        """
        seen = set(exception_ids)
        moment = as_utc(now)
        opened: list[str] = []
        again: list[str] = []
        reopened: list[str] = []
        cleared: list[str] = []
        with self._write() as session:
            known = {row.exception_id: row for row in session.scalars(select(ExceptionRow).with_for_update())}
            if any(row.last_seen_at > moment for row in known.values()):
                return SeenReport((), (), (), ())
            for exception_id in sorted(seen - known.keys()):
                session.add(_opened_row(exception_id, moment))
                opened.append(exception_id)
            session.flush()
            session.add_all(_note(exception_id, "opened", BY_DATA, now=moment) for exception_id in opened)
            for exception_id, row in sorted(known.items()):
                if exception_id in seen:
                    (reopened if _see_again(session, row, moment) else again).append(exception_id)
                elif row.status != "resolved":
                    _resolve(session, row, BY_DATA, text="no longer in the data", now=moment)
                    cleared.append(exception_id)
        return SeenReport(tuple(opened), tuple(again), tuple(reopened), tuple(cleared))

    def acknowledge_exception(
        self, exception_id: str, *, by: str, now: datetime, owner: str | None = None, text: str = ""
    ) -> ExceptionState:
        """Take an exception in hand; the owner is whoever acknowledges unless another is named.

        Acknowledging again hands it over to the new owner.

        Raises:
            LedgerError: Nobody is named, the exception is unknown or resolved.
        """
        person = require_person(by, what="acknowledging an exception")
        with self._write() as session:
            row = _load(session, exception_id)
            if row.status == "resolved":
                message = f"exception {exception_id} is resolved; it opens again by itself when a build shows it."
                raise LedgerError(message)
            row.status = "acknowledged"
            row.snoozed_until = None
            row.owner = owner or person
            session.add(_note(exception_id, "acknowledged", person, text=text, now=now))
            session.flush()
            return _states(session, [row])[0]

    def comment_exception(self, exception_id: str, *, by: str, text: str, now: datetime) -> ExceptionState:
        """Add words to an exception, whatever its status.

        Raises:
            LedgerError: Nobody is named, nothing is said, or the exception is unknown.
        """
        person = require_person(by, what="a comment")
        if not text.strip():
            message = "the comment is empty. Say something with --text."
            raise LedgerError(message)
        with self._write() as session:
            row = _load(session, exception_id)
            session.add(_note(exception_id, "commented", person, text=text.strip(), now=now))
            session.flush()
            return _states(session, [row])[0]

    def snooze_exception(
        self, exception_id: str, *, by: str, until: datetime, now: datetime, text: str = ""
    ) -> ExceptionState:
        """Put an exception aside; the first build from `until` on that still shows it opens it again.

        Raises:
            LedgerError: Nobody is named, the exception is unknown or resolved, or `until` is not in the future.
        """
        person = require_person(by, what="snoozing an exception")
        if as_utc(until) <= as_utc(now):
            message = f"{until:%Y-%m-%d %H:%M} has passed. Name a later instant with --until."
            raise LedgerError(message)
        with self._write() as session:
            row = _load(session, exception_id)
            if row.status == "resolved":
                message = f"exception {exception_id} is resolved; it opens again by itself when a build shows it."
                raise LedgerError(message)
            row.status, row.snoozed_until = "snoozed", until
            session.add(_note(exception_id, "snoozed", person, text=text, now=now))
            session.flush()
            return _states(session, [row])[0]

    def resolve_exception(self, exception_id: str, *, by: str, now: datetime, text: str = "") -> ExceptionState:
        """Close an exception; it is reopened when a later build still shows it.

        Raises:
            LedgerError: Nobody is named, the exception is unknown or resolved already.
        """
        person = require_person(by, what="resolving an exception")
        with self._write() as session:
            row = _load(session, exception_id)
            if row.status == "resolved":
                message = f"exception {exception_id} is resolved already."
                raise LedgerError(message)
            _resolve(session, row, person, text=text, now=now)
            session.flush()
            return _states(session, [row])[0]

    def unalerted_exceptions(self, exception_ids: Iterable[str], *, recipient: str | None = None) -> tuple[str, ...]:
        """Return which of the exceptions are open and new: nobody (or not this recipient) was told of their episode.

        Args:
            exception_ids: Ids to look at; unknown ones count as new.
            recipient: Address; None = anybody.
        """
        wanted = sorted(set(exception_ids))
        with self._read() as session:
            return tuple(_new_ones(session, wanted, recipient))

    def claim_alerts(
        self, exception_ids: Iterable[str], *, recipient: str, send_key: str, now: datetime
    ) -> tuple[str, ...]:
        """Take the new ones of the exceptions for one mail to a recipient; of two processes one gets each.

        A claim whose mail never went out is found by `unsent_alerts`.

        Args:
            exception_ids: Ids that the ledger has met.
            recipient: Address.
            send_key: Key of the mail in the outbox.
            now: The instant.
        """
        with self._write() as session:
            new = _new_ones(session, sorted(set(exception_ids)), recipient, is_known=True)
            episodes = {row.exception_id: row.times_reopened for row in _rows(session, new)}
            claimed = []
            for exception_id in new:
                values = {
                    "exception_id": exception_id,
                    "episode": episodes[exception_id],
                    "recipient": recipient,
                    "send_key": send_key,
                    "at": now,
                }
                if insert_if_absent(session, ExceptionAlertRow, values):
                    claimed.append(exception_id)
            return tuple(claimed)

    def unsent_alerts(self, recipient: str) -> dict[str, tuple[str, ...]]:
        """Return the claims of a recipient whose mail was not sent, as ids by send key."""
        sent = select(OutboxRow.send_key).where(OutboxRow.status == "sent")
        query = (
            select(ExceptionAlertRow)
            .where(ExceptionAlertRow.recipient == recipient, ExceptionAlertRow.send_key.not_in(sent))
            .order_by(ExceptionAlertRow.at, ExceptionAlertRow.send_key, ExceptionAlertRow.exception_id)
        )
        found: dict[str, list[str]] = {}
        with self._read() as session:
            for row in session.scalars(query):
                found.setdefault(row.send_key, []).append(row.exception_id)
        return {key: tuple(ids) for key, ids in found.items()}

    def exception_states(
        self, exception_ids: Sequence[str] | None = None, *, status: ExceptionStatus | None = None
    ) -> dict[str, ExceptionState]:
        """Return states by id: of the named exceptions (unknown ids are left out) or of all."""
        query = select(ExceptionRow).order_by(ExceptionRow.exception_id)
        if status is not None:
            query = query.where(ExceptionRow.status == status)
        with self._read() as session:
            if exception_ids is None:
                rows = list(session.scalars(query))
            else:
                rows = [
                    row
                    for chunk in _chunks(sorted(set(exception_ids)))
                    for row in session.scalars(query.where(ExceptionRow.exception_id.in_(chunk)))
                ]
            return {state.exception_id: state for state in _states(session, rows)}


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]


def _rows(session: Session, ids: Sequence[str]) -> list[ExceptionRow]:
    return [
        row
        for chunk in _chunks(ids)
        for row in session.scalars(select(ExceptionRow).where(ExceptionRow.exception_id.in_(chunk)))
    ]


def _new_ones(session: Session, ids: Sequence[str], recipient: str | None, *, is_known: bool = False) -> list[str]:
    states = {row.exception_id: row for row in _rows(session, ids)}
    told: set[tuple[str, int]] = set()
    for chunk in _chunks(ids):
        query = select(ExceptionAlertRow.exception_id, ExceptionAlertRow.episode).where(
            ExceptionAlertRow.exception_id.in_(chunk)
        )
        if recipient is not None:
            query = query.where(ExceptionAlertRow.recipient == recipient)
        told |= {(exception_id, episode) for exception_id, episode in session.execute(query)}
    return [
        exception_id
        for exception_id in ids
        if (
            not is_known
            if (row := states.get(exception_id)) is None
            else row.status == "open" and (exception_id, row.times_reopened) not in told
        )
    ]


def _opened_row(exception_id: str, now: datetime) -> ExceptionRow:
    return ExceptionRow(
        exception_id=exception_id, status="open", opened_at=now, last_seen_at=now, times_seen=1, times_reopened=0
    )


def _see_again(session: Session, row: ExceptionRow, now: datetime) -> bool:
    if row.status == "resolved" and row.last_seen_at < now:
        row.status = "open"
        row.owner = None
        row.opened_at = now
        row.times_reopened += 1
        session.add(_note(row.exception_id, "reopened", BY_DATA, text="seen again", now=now))
        reopened = True
    else:
        reopened = False
        if row.status == "snoozed" and row.snoozed_until is not None and row.snoozed_until <= now:
            row.status, row.snoozed_until = "open", None
            session.add(_note(row.exception_id, "woken", BY_DATA, now=now))
    if row.last_seen_at < now:
        row.times_seen += 1
        row.last_seen_at = now
    return reopened


def _resolve(session: Session, row: ExceptionRow, by: str, *, text: str, now: datetime) -> None:
    row.status = "resolved"
    row.snoozed_until = None
    session.add(_note(row.exception_id, "resolved", by, text=text, now=now))


def _note(exception_id: str, action: str, by: str, *, now: datetime, text: str = "") -> ExceptionNoteRow:
    return ExceptionNoteRow(exception_id=exception_id, action=action, by=by, text=text, at=now)


def _load(session: Session, exception_id: str) -> ExceptionRow:
    row = session.get(ExceptionRow, exception_id, with_for_update=True)
    if row is None:
        message = f"no exception {exception_id!r} in the ledger. `otif exceptions` lists those that a build has shown."
        raise LedgerError(message)
    return row


def _states(session: Session, rows: Sequence[ExceptionRow]) -> list[ExceptionState]:
    history = _history(session, [row.exception_id for row in rows])
    return [_record(row, history.get(row.exception_id, ())) for row in rows]


def _history(session: Session, ids: Sequence[str]) -> Mapping[str, tuple[ExceptionNote, ...]]:
    found: dict[str, list[ExceptionNote]] = {}
    for chunk in _chunks(ids):
        query = select(ExceptionNoteRow).where(ExceptionNoteRow.exception_id.in_(chunk))
        for row in session.scalars(query.order_by(ExceptionNoteRow.note_id)):
            note = ExceptionNote(action=row.action, by=row.by, text=row.text, at=row.at)  # type: ignore[arg-type]
            found.setdefault(row.exception_id, []).append(note)
    return {exception_id: tuple(notes) for exception_id, notes in found.items()}


def _record(row: ExceptionRow, history: tuple[ExceptionNote, ...]) -> ExceptionState:
    return ExceptionState(
        exception_id=row.exception_id,
        status=row.status,  # type: ignore[arg-type]
        owner=row.owner,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        times_seen=row.times_seen,
        times_reopened=row.times_reopened,
        snoozed_until=row.snoozed_until,
        comments=tuple(note for note in history if note.text and note.by != BY_DATA),
        history=history,
    )
