"""Rows of rule-set versions: loading with a digest check, the steps between states, conversion to records.

`rule_sets` and `pushes` build their verbs on these; nothing here opens a transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.errors import LedgerError
from storage.ledger.documents import rule_set_digest
from storage.ledger.lifecycle import VersionState, check_transition
from storage.ledger.records import Approval, RuleSetVersion
from storage.ledger.tables import ApprovalRow, RuleSetRow, RuleSetVersionRow

_OPEN = (VersionState.PROPOSED, VersionState.APPROVED, VersionState.ACTIVE)


def lock_rule_set(session: Session, rule_set_id: str) -> None:
    """Make other writers of this rule set wait until the transaction ends."""
    session.scalar(select(RuleSetRow).where(RuleSetRow.rule_set_id == rule_set_id).with_for_update())


def load_version(session: Session, rule_set_id: str, version: int, *, lock: bool = True) -> RuleSetVersionRow:
    """Return a version's row, its digest recomputed from the stored content.

    Raises:
        LedgerError: It does not exist, or content and digest have come apart.
    """
    if lock:
        lock_rule_set(session, rule_set_id)
    row = session.get(RuleSetVersionRow, (rule_set_id, version))
    if row is None:
        message = f"no version {version} of rule set {rule_set_id!r} in the ledger. `otif rules list` shows what is."
        raise LedgerError(message)
    if rule_set_digest(row.document) != row.digest:
        message = f"{version_name(row)}: the stored content no longer has its digest. Restore the ledger from a backup."
        raise LedgerError(message)
    return row


def check_fresh(session: Session, row: RuleSetVersionRow) -> None:
    """Refuse a version whose parent is not the active version.

    Raises:
        LedgerError: Another version took over since it was proposed.
    """
    active = active_row(session, row.rule_set_id)
    base = active.version if active else None
    if row.parent_version != base:
        raise stale(name=version_name(row), parent=row.parent_version, active=base)


def activate(session: Session, row: RuleSetVersionRow, *, now: datetime) -> RuleSetVersion:
    """Put an approved version in force and the one before out of force.

    Raises:
        LedgerError: It is not approved, or stale.
    """
    check_transition(version_name(row), VersionState(row.state), VersionState.ACTIVE)
    check_fresh(session, row)
    before = active_row(session, row.rule_set_id)
    if before is not None:
        move(before, VersionState.SUPERSEDED if row.restores is None else VersionState.ROLLED_BACK, now=now)
        session.flush()
    return move(row, VersionState.ACTIVE, now=now)


def move(row: RuleSetVersionRow, target: VersionState, *, now: datetime) -> RuleSetVersion:
    """Take one step of the life cycle."""
    check_transition(version_name(row), VersionState(row.state), target)
    row.state = target.value
    row.state_at = now
    return version_record(row)


def version_name(row: RuleSetVersionRow) -> str:
    """Return the words that messages call a version by."""
    return f"{row.rule_set_id} version {row.version}"


def version_record(row: RuleSetVersionRow) -> RuleSetVersion:
    """Return the detached record of a row."""
    return RuleSetVersion(
        rule_set_id=row.rule_set_id,
        version=row.version,
        parent_version=row.parent_version,
        digest=row.digest,
        document=row.document,
        state=VersionState(row.state),
        restores=row.restores,
        plan_id=row.plan_id,
        created_by=row.created_by,
        reason=row.reason,
        created_at=row.created_at,
        state_at=row.state_at,
    )


def active_row(session: Session, rule_set_id: str) -> RuleSetVersionRow | None:
    """Return the version in force."""
    return session.scalar(
        select(RuleSetVersionRow).where(
            RuleSetVersionRow.rule_set_id == rule_set_id, RuleSetVersionRow.state == VersionState.ACTIVE.value
        )
    )


def next_number(session: Session, rule_set_id: str) -> int:
    """Return the number after the latest version; numbers are never used twice."""
    latest = session.scalar(
        select(func.max(RuleSetVersionRow.version)).where(RuleSetVersionRow.rule_set_id == rule_set_id)
    )
    return (latest or 0) + 1


def same_content(session: Session, rule_set_id: str, digest: str, base: int | None) -> RuleSetVersionRow | None:
    """Return the open version with this content made on `base`, or `base` itself when it says the same."""
    candidates = session.scalars(
        select(RuleSetVersionRow)
        .where(
            RuleSetVersionRow.rule_set_id == rule_set_id,
            RuleSetVersionRow.digest == digest,
            RuleSetVersionRow.state.in_([state.value for state in _OPEN]),
        )
        .order_by(RuleSetVersionRow.version.desc())
    )
    return next((row for row in candidates if base in (row.version, row.parent_version)), None)


def waiting_rollback(
    session: Session, rule_set_id: str, *, restores: int, parent: int | None
) -> RuleSetVersionRow | None:
    """Return the rollback that was asked for before and not pushed yet."""
    return session.scalar(
        select(RuleSetVersionRow).where(
            RuleSetVersionRow.rule_set_id == rule_set_id,
            RuleSetVersionRow.restores == restores,
            RuleSetVersionRow.parent_version == parent,
            RuleSetVersionRow.state == VersionState.APPROVED.value,
        )
    )


def check_restorable(target: RuleSetVersionRow, active: RuleSetVersionRow | None) -> None:
    """Refuse a rollback to a version that never was in force or is in force now.

    Raises:
        LedgerError: With what to name instead.
    """
    if active is None:
        message = f"{target.rule_set_id} has no active version to roll back. Nothing was pushed yet."
        raise LedgerError(message)
    if target.version == active.version:
        message = f"{version_name(target)} is in force already. Name an earlier version with --to."
        raise LedgerError(message)
    if target.state not in (VersionState.SUPERSEDED, VersionState.ROLLED_BACK):
        message = f"{version_name(target)} is {target.state} and never was in force. Roll back to one that was."
        raise LedgerError(message)


def record_decision(
    session: Session,
    row: RuleSetVersionRow,
    decision: Literal["approved", "rejected", "rollback"],
    by: str,
    *,
    note: str,
    now: datetime,
) -> None:
    """Append a person's word on a version."""
    session.add(
        ApprovalRow(
            rule_set_id=row.rule_set_id,
            version=row.version,
            decision=decision,
            by=by,
            digest=row.digest,
            note=note,
            at=now,
        )
    )


def new_row(
    complete: dict[str, Any],
    state: VersionState,
    *,
    reason: str,
    now: datetime,
    plan_id: int | None = None,
    restores: int | None = None,
) -> RuleSetVersionRow:
    """Return the row of a completed document."""
    return RuleSetVersionRow(
        rule_set_id=complete["id"],
        version=complete["version"],
        parent_version=complete["parent_version"],
        digest=complete["digest"],
        document=complete,
        state=state.value,
        restores=restores,
        plan_id=plan_id,
        created_by=complete["created_by"],
        reason=reason,
        created_at=now,
        state_at=now,
    )


def approval_record(row: ApprovalRow) -> Approval:
    """Return the detached record of a row."""
    return Approval(
        rule_set_id=row.rule_set_id,
        version=row.version,
        decision=row.decision,  # type: ignore[arg-type]
        by=row.by,
        digest=row.digest,
        note=row.note,
        at=row.at,
    )


def stale(*, name: str, parent: int | None, active: int | None) -> LedgerError:
    """Return the error for something made on a version that is no longer in force."""
    return LedgerError(
        f"{name} was made on {_numbered(parent)}, but {_numbered(active)} is in force now. "
        "Propose it again on what is in force."
    )


def _numbered(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
