"""The life of a rule-set version, as data: which step may follow which.

    proposed ──► approved ──► active ──► superseded      a newer version took over
        │            │           └─────► rolled_back     an older content was restored
        └────────────┴──► rejected                       a person declined it

No table and no session here; `rule_sets` and `pushes` ask before they write.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from storage.errors import LedgerError


class VersionState(StrEnum):
    """Where a rule-set version stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"


NEXT_STATES: Final[dict[VersionState, frozenset[VersionState]]] = {
    VersionState.PROPOSED: frozenset({VersionState.APPROVED, VersionState.REJECTED}),
    VersionState.APPROVED: frozenset({VersionState.ACTIVE, VersionState.REJECTED}),
    VersionState.ACTIVE: frozenset({VersionState.SUPERSEDED, VersionState.ROLLED_BACK}),
    VersionState.SUPERSEDED: frozenset(),
    VersionState.ROLLED_BACK: frozenset(),
    VersionState.REJECTED: frozenset(),
}

_WAY_OUT: Final[dict[VersionState, str]] = {
    VersionState.PROPOSED: "a named person has to approve it first (`otif rules approve`)",
    VersionState.APPROVED: "it waits to be pushed (`otif rules push`)",
    VersionState.ACTIVE: "it is in force; propose a new version or roll back",
    VersionState.SUPERSEDED: "a newer version took over; `otif rules rollback` restores its content as a new version",
    VersionState.ROLLED_BACK: "it was rolled back; propose its content anew",
    VersionState.REJECTED: "it was declined; propose its content anew",
}


def check_transition(name: str, current: VersionState, target: VersionState) -> None:
    """Refuse a step that the life cycle does not have.

    Raises:
        LedgerError: With what the version is now and what can be done instead.
    """
    if target not in NEXT_STATES[current]:
        message = f"{name} is {current.value} and cannot become {target.value}: {_WAY_OUT[current]}."
        raise LedgerError(message)
