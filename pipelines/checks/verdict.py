"""The judgement of a batch, free of the library that makes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that a batch did not meet.

    Attributes:
        expectation: Name of the expectation.
        subject: Family and column it is about.
        sentence: What was expected and what was seen, with sample values, for people.
        is_grave: The batch should not land as it is; otherwise it lands and the sentence is a warning.
    """

    expectation: str
    subject: str
    sentence: str
    is_grave: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judgement of one batch; passed when nothing failed."""

    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures

    @property
    def is_grave(self) -> bool:
        """Whether something failed that is more than a warning."""
        return any(failure.is_grave for failure in self.failures)
