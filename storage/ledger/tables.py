"""The ledger's tables as typed SQLAlchemy classes; nothing but columns, keys and the append-only guards.

What a rule-set version says (document, digest, parent, author) is guarded by database triggers: no code
path, ours or another's, can rewrite or delete it. Only its state moves.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import DDL, JSON, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, Text, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.ledger.columns import DecimalText, UtcInstant


class Base(DeclarativeBase):
    """Registry of the ledger's tables."""

    type_annotation_map: Final = {
        datetime: UtcInstant(),
        Decimal: DecimalText(),
        dict[str, Any]: JSON(),
        list[dict[str, Any]]: JSON(),
        str: String(200),
    }


class SchemaVersionRow(Base):
    """Which migration step the database is at; one row per step taken."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class PlanRow(Base):
    """Solved scenarios."""

    __tablename__ = "plans"

    plan_id: Mapped[int] = mapped_column(primary_key=True)
    scenario: Mapped[str]
    as_of: Mapped[datetime]
    publication: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    objective: Mapped[Decimal | None]
    baseline_objective: Mapped[Decimal | None]
    kpis: Mapped[dict[str, Any]]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(deferred=True)
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class RuleSetRow(Base):
    """Rule sets; the row is what concurrent writers of one set queue at."""

    __tablename__ = "rule_sets"

    rule_set_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class RuleSetVersionRow(Base):
    """Versions of rule sets: content append-only, state moving."""

    __tablename__ = "rule_set_versions"
    __table_args__ = (
        Index(
            "one_active_version_per_rule_set",
            "rule_set_id",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )

    rule_set_id: Mapped[str] = mapped_column(ForeignKey("rule_sets.rule_set_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_version: Mapped[int | None]
    digest: Mapped[str]
    document: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20))
    restores: Mapped[int | None]
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.plan_id"))
    created_by: Mapped[str]
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    state_at: Mapped[datetime]


def _of_version() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["rule_set_id", "version"], ["rule_set_versions.rule_set_id", "rule_set_versions.version"]
    )


class ApprovalRow(Base):
    """People's words on versions, append-only."""

    __tablename__ = "approvals"
    __table_args__ = (_of_version(),)

    approval_id: Mapped[int] = mapped_column(primary_key=True)
    rule_set_id: Mapped[str]
    version: Mapped[int]
    decision: Mapped[str] = mapped_column(String(20))
    by: Mapped[str]
    digest: Mapped[str]
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class PushRow(Base):
    """Versions on their way to the OMS."""

    __tablename__ = "pushes"
    __table_args__ = (_of_version(),)

    push_id: Mapped[int] = mapped_column(primary_key=True)
    rule_set_id: Mapped[str]
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    target: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    operation: Mapped[str | None]
    acks: Mapped[list[dict[str, Any]]]
    inverse: Mapped[list[dict[str, Any]]]
    error: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ExceptionRow(Base):
    """Exceptions by identity."""

    __tablename__ = "exception_states"

    exception_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    owner: Mapped[str | None]
    opened_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    times_seen: Mapped[int]
    times_reopened: Mapped[int]
    snoozed_until: Mapped[datetime | None]


class ExceptionAlertRow(Base):
    """Who was told of which exception in which of its episodes, and by which mail."""

    __tablename__ = "exception_alerts"

    exception_id: Mapped[str] = mapped_column(ForeignKey("exception_states.exception_id"), primary_key=True)
    episode: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    recipient: Mapped[str] = mapped_column(String(400), primary_key=True)
    send_key: Mapped[str] = mapped_column(String(500), index=True)
    at: Mapped[datetime]


class ExceptionNoteRow(Base):
    """History and comments of exceptions, append-only."""

    __tablename__ = "exception_notes"

    note_id: Mapped[int] = mapped_column(primary_key=True)
    exception_id: Mapped[str] = mapped_column(ForeignKey("exception_states.exception_id"), index=True)
    action: Mapped[str] = mapped_column(String(20))
    by: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class DisputeStepRow(Base):
    """What people did about deductions, append-only."""

    __tablename__ = "dispute_steps"

    step_id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(index=True)
    customer_id: Mapped[str]
    action: Mapped[str] = mapped_column(String(20))
    amount: Mapped[Decimal | None]
    by: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class OutboxRow(Base):
    """Mails by send key."""

    __tablename__ = "mail_outbox"

    send_key: Mapped[str] = mapped_column(String(500), primary_key=True)
    recipient: Mapped[str] = mapped_column(String(400))
    subject: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), index=True)
    attempts: Mapped[int]
    error: Mapped[str | None] = mapped_column(Text)
    message: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]


class JobRunRow(Base):
    """Runs of jobs."""

    __tablename__ = "job_runs"

    run_id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    detail: Mapped[dict[str, Any]]
    error: Mapped[str | None] = mapped_column(Text)


_CONTENT: Final = (
    "rule_set_id", "version", "parent_version", "digest", "document", "restores", "plan_id", "created_by", "reason",
    "created_at",
)  # fmt: skip

_GUARDS: Final = {
    "sqlite": (
        f"create trigger versions_keep_content before update of {', '.join(_CONTENT)} on rule_set_versions "
        "begin select raise(abort, 'a rule set version is immutable once written'); end",
        "create trigger versions_stay before delete on rule_set_versions "
        "begin select raise(abort, 'a rule set version is never deleted'); end",
        "create trigger approvals_keep before update on approvals "
        "begin select raise(abort, 'an approval is immutable once written'); end",
        "create trigger approvals_stay before delete on approvals "
        "begin select raise(abort, 'an approval is never deleted'); end",
    ),
    "postgresql": (
        "create or replace function otif_ledger_refuse() returns trigger language plpgsql as "
        "$$ begin raise exception '%% is immutable once written', tg_table_name; end $$",
        f"create trigger versions_keep_content before update of {', '.join(_CONTENT)} on rule_set_versions "
        "for each row execute function otif_ledger_refuse()",
        "create trigger versions_stay before delete on rule_set_versions "
        "for each row execute function otif_ledger_refuse()",
        "create trigger approvals_keep before update or delete on approvals "
        "for each row execute function otif_ledger_refuse()",
    ),
}

for _dialect, _statements in _GUARDS.items():
    for _statement in _statements:
        event.listen(
            Base.metadata,
            "after_create",
            DDL(_statement).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
        )
