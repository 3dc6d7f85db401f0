"""The ledger: people's decisions, kept apart from the analytics that led to them.

`open_ledger(settings)` gives a `Ledger`; its verbs return frozen records and raise `LedgerError` with words
for people. Time is always passed in. SQLite in the workspace by default, PostgreSQL by `ledger.url`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from storage.ledger.disputes import DisputePart
from storage.ledger.documents import rule_set_digest
from storage.ledger.engine import open_engine
from storage.ledger.exceptions import ExceptionPart
from storage.ledger.jobs import JobPart
from storage.ledger.lifecycle import VersionState
from storage.ledger.outbox import OutboxPart
from storage.ledger.plans import PlanPart
from storage.ledger.pushes import PushPart
from storage.ledger.records import (
    Approval,
    DisputeStep,
    ExceptionNote,
    ExceptionState,
    JobRun,
    OutboxMail,
    Plan,
    Push,
    RuleSetVersion,
    SeenReport,
)
from storage.ledger.rule_sets import RuleSetPart
from storage.settings import Settings

__all__ = [
    "Approval",
    "DisputeStep",
    "ExceptionNote",
    "ExceptionState",
    "JobRun",
    "Ledger",
    "OutboxMail",
    "Plan",
    "Push",
    "RuleSetVersion",
    "SeenReport",
    "VersionState",
    "open_ledger",
    "rule_set_digest",
]


class Ledger(PlanPart, RuleSetPart, PushPart, ExceptionPart, DisputePart, OutboxPart, JobPart):
    """All verbs of the ledger on one database; a context manager that closes its connections."""

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_ledger(settings: Settings) -> Ledger:
    """Open the workspace's ledger, making or migrating its schema as needed.

    Raises:
        LedgerError: The database cannot be opened or belongs to a newer program.
    """
    return Ledger(open_engine(settings.ledger_url))
