"""Every error of the way out.

OutboundError                  something could not be delivered (pipelines.errors)
├── OmsUnavailableError        the OMS does not answer or is busy: trying again later is right
├── OmsRefusedError            the OMS answered no: trying again changes nothing
│   └── OmsConflictError       another version is in force there than the one we built on
└── MailError                  a mail cannot be built or sent
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.errors import OutboundError


class OmsUnavailableError(OutboundError):
    """The OMS does not answer or is busy; a later attempt continues where this one stopped."""


class OmsRefusedError(OutboundError):
    """The OMS answered no.

    Attributes:
        status: HTTP status of the answer.
        kind: Last part of the problem type, e.g. `stale-head`.
    """

    def __init__(self, message: str, *, status: int, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class OmsConflictError(OmsRefusedError):
    """Another version is in force than the one the push was built on.

    Attributes:
        changes: What the version in force changed against ours, one sentence each.
    """

    def __init__(self, message: str, *, status: int, kind: str, changes: Sequence[str] = ()) -> None:
        super().__init__(message, status=status, kind=kind)
        self.changes = tuple(changes)


class MailError(OutboundError):
    """A mail cannot be built or sent."""
