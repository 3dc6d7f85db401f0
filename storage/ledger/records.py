"""What the ledger hands out: frozen records, detached from any session.

JSON payloads (documents, acks, KPIs) are plain dicts and lists, fresh copies on every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from storage.ledger.lifecycle import VersionState

PushKind = Literal["push", "rollback"]
PushStatus = Literal["started", "done", "partial", "failed"]
ExceptionStatus = Literal["open", "acknowledged", "snoozed", "resolved"]
DisputeOutcome = Literal["won", "lost", "partial"]
DisputeAction = Literal["filed", "won", "lost", "partial", "accepted", "noted"]
MailStatus = Literal["queued", "sending", "sent", "failed"]
JobStatus = Literal["running", "done", "warned", "failed"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One solved allocation scenario (its lines come from `Ledger.plan_lines`).

    Attributes:
        plan_id: Number given by the ledger.
        scenario: Name of the scenario.
        as_of: Instant the solved data looks from.
        publication: Publication the data was read from.
        fingerprint: Digest of the solved instance.
        status: Solver status word, e.g. OPTIMAL.
        objective: Objective of the plan; None when there is no plan.
        baseline_objective: Objective of the rule-based baseline on the same data.
        kpis: Figures of plan and baseline, JSON.
        created_by: Person or job that solved it.
        created_at: When it was recorded.
    """

    plan_id: int
    scenario: str
    as_of: datetime
    publication: str
    fingerprint: str
    status: str
    objective: Decimal | None
    baseline_objective: Decimal | None
    kpis: dict[str, Any]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RuleSetVersion:
    """One immutable version of a rule set and where it stands.

    Attributes:
        rule_set_id: The rule set, e.g. `live`.
        version: Number within the rule set; grows, never goes back.
        parent_version: Active version it was proposed on; None when there was none.
        digest: Content digest, see `documents.rule_set_digest`.
        document: The whole document as pushed.
        state: Where it stands in its life.
        restores: Earlier version whose content a rollback restores.
        plan_id: Plan it was distilled from.
        created_by: Who proposed it.
        reason: Why, in words.
        created_at: When it was proposed.
        state_at: When it came into its present state.
    """

    rule_set_id: str
    version: int
    parent_version: int | None
    digest: str
    document: dict[str, Any]
    state: VersionState
    restores: int | None
    plan_id: int | None
    created_by: str
    reason: str
    created_at: datetime
    state_at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """A named person's word on one version."""

    rule_set_id: str
    version: int
    decision: Literal["approved", "rejected", "rollback"]
    by: str
    digest: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """One version on its way to the OMS.

    Attributes:
        push_id: Number given by the ledger.
        rule_set_id: The rule set.
        version: The pushed version.
        kind: push, or rollback when the version restores an earlier content.
        idempotency_key: Sent with every attempt, so that a repeated attempt changes nothing twice.
        target: Address of the OMS.
        status: started, done (every rule applied), partial (some clamped, skipped or rejected) or failed.
        attempts: How often it was started.
        operation: Operation id at the OMS.
        acks: What the OMS answered per rule, JSON.
        inverse: Patch that undoes the version, JSON.
        error: Why the last attempt failed.
        by: Who pushed.
        started_at: First attempt.
        finished_at: End of the last attempt.
    """

    push_id: int
    rule_set_id: str
    version: int
    kind: PushKind
    idempotency_key: str
    target: str
    status: PushStatus
    attempts: int
    operation: str | None
    acks: list[dict[str, Any]]
    inverse: list[dict[str, Any]]
    error: str | None
    by: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExceptionNote:
    """One entry of an exception's history: what happened, who, in which words."""

    action: Literal["opened", "acknowledged", "commented", "snoozed", "woken", "resolved", "reopened"]
    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExceptionState:
    """What people (and the data) did with one exception.

    Attributes:
        exception_id: Identity over time, md5(kind, subject).
        status: open, acknowledged, snoozed or resolved.
        owner: Who takes care of it; None while nobody does.
        opened_at: First seen, or seen again after it was resolved.
        last_seen_at: Latest build that showed it.
        times_seen: Number of builds that showed it.
        times_reopened: How often it came back after being resolved: the number of its episode, from 0.
        snoozed_until: Until when nobody wants to hear of it; None unless it is snoozed.
        comments: What people wrote, oldest first.
        history: Every step, oldest first.
    """

    exception_id: str
    status: ExceptionStatus
    owner: str | None
    opened_at: datetime
    last_seen_at: datetime
    times_seen: int
    times_reopened: int
    snoozed_until: datetime | None
    comments: tuple[ExceptionNote, ...]
    history: tuple[ExceptionNote, ...]

    @property
    def is_cleared_by_data(self) -> bool:
        """The last build no longer showed it: nobody resolved it."""
        ends = [note for note in self.history if note.action == "resolved"]
        return self.status == "resolved" and bool(ends) and ends[-1].by == "data"


@dataclass(frozen=True, slots=True)
class SeenReport:
    """What one look at the exceptions changed; ids sorted."""

    opened: tuple[str, ...]
    seen_again: tuple[str, ...]
    reopened: tuple[str, ...]
    cleared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisputeStep:
    """One step that a person took about a deduction.

    Attributes:
        document_id: Number of the deduction document.
        customer_id: Retailer.
        action: filed (an attempt), won, lost, partial (its answer), accepted (given up) or noted.
        amount: Money asked for (filed) or got back (an answer); None otherwise.
        by: Who.
        text: In which words.
        at: When.
    """

    document_id: str
    customer_id: str
    action: DisputeAction
    amount: Decimal | None
    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """One mail to one recipient, sent at most once per send key.

    Attributes:
        send_key: Unique: report, week, recipient, version.
        recipient: Address.
        subject: Subject line.
        status: queued, sending, sent or failed.
        attempts: How often sending was tried.
        error: Why the last attempt failed.
        message: The mail's bytes; None once it was sent.
        created_at: When it was queued.
        sent_at: When a server took it.
    """

    send_key: str
    recipient: str
    subject: str
    status: MailStatus
    attempts: int
    error: str | None
    message: bytes | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job."""

    run_id: int
    job: str
    status: JobStatus
    started_at: datetime
    finished_at: datetime | None
    detail: dict[str, Any]
    error: str | None
