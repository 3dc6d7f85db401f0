"""Rule sets: propose, approve, reject, activate, roll back; content append-only, digests recomputed.

A version is decided on against the version it was proposed on. When another one took over in between, the
proposal is stale and has to be made again: nobody approved it against what is in force now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from storage.ledger.documents import check_digest, complete_document, rule_set_digest
from storage.ledger.lifecycle import VersionState, check_transition
from storage.ledger.records import Approval, RuleSetVersion
from storage.ledger.room import LedgerRoom, insert_if_absent, require_person
from storage.ledger.tables import ApprovalRow, RuleSetRow, RuleSetVersionRow
from storage.ledger.versions import (
    activate,
    active_row,
    approval_record,
    check_fresh,
    check_restorable,
    load_version,
    lock_rule_set,
    move,
    new_row,
    next_number,
    record_decision,
    same_content,
    stale,
    version_name,
    version_record,
    waiting_rollback,
)


class RuleSetPart(LedgerRoom):
    """Verbs on rule sets and their versions."""

    def propose_rule_set(
        self,
        rule_set_id: str,
        document: Mapping[str, Any],
        *,
        created_by: str,
        reason: str,
        now: datetime,
        plan_id: int | None = None,
        parent_version: int | None = None,
    ) -> RuleSetVersion:
        """Write the next version as a proposal on the active one.

        The same content proposed again on the same active version is the same proposal: the open (or active)
        version is returned and nothing is written.

        Args:
            rule_set_id: The rule set; made on first use.
            document: Content: `rules`, `effective_from`, optionally `effective_to`, `run_id` …
            created_by: Person or job.
            reason: Why, in words.
            now: The instant of the proposal.
            plan_id: Plan it was distilled from.
            parent_version: Version the content was computed against; default is the active one.

        Raises:
            LedgerError: The document is malformed, or `parent_version` is not the active version any more.
        """
        with self._write() as session:
            insert_if_absent(session, RuleSetRow, {"rule_set_id": rule_set_id, "created_at": now})
            lock_rule_set(session, rule_set_id)
            active = active_row(session, rule_set_id)
            base = active.version if active else None
            if parent_version is not None and parent_version != base:
                raise stale(name="the document", parent=parent_version, active=base)
            digest = rule_set_digest(document)
            same = same_content(session, rule_set_id, digest, base)
            if same is not None:
                return version_record(same)
            number = next_number(session, rule_set_id)
            complete = complete_document(
                document, rule_set_id=rule_set_id, version=number, parent_version=base, created_by=created_by
            )
            row = new_row(complete, VersionState.PROPOSED, reason=reason, now=now, plan_id=plan_id)
            session.add(row)
            session.flush()
            return version_record(row)

    def approve_version(
        self, rule_set_id: str, version: int, *, by: str, now: datetime, digest: str | None = None, note: str = ""
    ) -> RuleSetVersion:
        """Record a named person's approval.

        Args:
            rule_set_id: The rule set.
            version: The proposed version.
            by: Who approves.
            now: The instant.
            digest: Digest of the content that the person looked at; compared when given.
            note: Free words.

        Raises:
            LedgerError: Nobody is named, the content is not the one looked at, the version is not proposed,
                or it was proposed on a version that is no longer the active one.
        """
        person = require_person(by, what=f"approving {rule_set_id} version {version}")
        with self._write() as session:
            row = load_version(session, rule_set_id, version)
            check_digest(version_name(row), stated=digest, actual=row.digest)
            check_transition(version_name(row), VersionState(row.state), VersionState.APPROVED)
            check_fresh(session, row)
            record_decision(session, row, "approved", person, note=note, now=now)
            return move(row, VersionState.APPROVED, now=now)

    def reject_version(
        self, rule_set_id: str, version: int, *, by: str, now: datetime, note: str = ""
    ) -> RuleSetVersion:
        """Record that a named person declined a proposed or approved version.

        Raises:
            LedgerError: Nobody is named, or the version was pushed already.
        """
        person = require_person(by, what=f"rejecting {rule_set_id} version {version}")
        with self._write() as session:
            row = load_version(session, rule_set_id, version)
            check_transition(version_name(row), VersionState(row.state), VersionState.REJECTED)
            record_decision(session, row, "rejected", person, note=note, now=now)
            return move(row, VersionState.REJECTED, now=now)

    def activate_version(self, rule_set_id: str, version: int, *, now: datetime) -> RuleSetVersion:
        """Note that an approved version is in force now; the one before becomes superseded or rolled back.

        A push does this by itself (`finish_push`); call it for an OMS that people set by hand.

        Raises:
            LedgerError: The version is not approved or stale.
        """
        with self._write() as session:
            return activate(session, load_version(session, rule_set_id, version), now=now)

    def propose_rollback(
        self, rule_set_id: str, *, to_version: int, by: str, reason: str, now: datetime
    ) -> RuleSetVersion:
        """Write the next version with the content of an earlier one, approved by the person who asks for it.

        Asked again before it was pushed, the same version is returned.

        Raises:
            LedgerError: Nobody is named, nothing is active, or `to_version` never was in force or is in force now.
        """
        person = require_person(by, what=f"rolling {rule_set_id} back")
        with self._write() as session:
            target = load_version(session, rule_set_id, to_version)
            active = active_row(session, rule_set_id)
            check_restorable(target, active)
            base = active.version if active else None
            waiting = waiting_rollback(session, rule_set_id, restores=to_version, parent=base)
            if waiting is not None:
                return version_record(waiting)
            complete = complete_document(
                target.document,
                rule_set_id=rule_set_id,
                version=next_number(session, rule_set_id),
                parent_version=base,
                created_by=person,
            )
            row = new_row(complete, VersionState.APPROVED, reason=reason, now=now, restores=to_version)
            session.add(row)
            session.flush()
            record_decision(session, row, "rollback", person, note=reason, now=now)
            session.flush()
            return version_record(row)

    def get_version(self, rule_set_id: str, version: int) -> RuleSetVersion:
        """Return one version.

        Raises:
            LedgerError: It does not exist, or its stored content no longer has its digest.
        """
        with self._read() as session:
            return version_record(load_version(session, rule_set_id, version, lock=False))

    def active_version(self, rule_set_id: str) -> RuleSetVersion | None:
        """Return the version in force, None when none was ever activated."""
        with self._read() as session:
            row = active_row(session, rule_set_id)
            return None if row is None else version_record(row)

    def list_versions(
        self, rule_set_id: str | None = None, *, state: VersionState | None = None
    ) -> list[RuleSetVersion]:
        """Return versions, newest first, of one rule set or of all."""
        query = select(RuleSetVersionRow).order_by(RuleSetVersionRow.rule_set_id, RuleSetVersionRow.version.desc())
        if rule_set_id is not None:
            query = query.where(RuleSetVersionRow.rule_set_id == rule_set_id)
        if state is not None:
            query = query.where(RuleSetVersionRow.state == state.value)
        with self._read() as session:
            return [version_record(row) for row in session.scalars(query)]

    def list_rule_sets(self) -> list[str]:
        """Return the ids of the rule sets, sorted."""
        with self._read() as session:
            return list(session.scalars(select(RuleSetRow.rule_set_id).order_by(RuleSetRow.rule_set_id)))

    def list_approvals(self, rule_set_id: str, version: int | None = None) -> list[Approval]:
        """Return people's decisions on a rule set, oldest first."""
        query = select(ApprovalRow).where(ApprovalRow.rule_set_id == rule_set_id).order_by(ApprovalRow.approval_id)
        if version is not None:
            query = query.where(ApprovalRow.version == version)
        with self._read() as session:
            return [approval_record(row) for row in session.scalars(query)]
