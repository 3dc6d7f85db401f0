"""What a caller may choose about a replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from optimizer.errors import InvalidDataError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Everything a caller may choose. Days are UTC days.

    Attributes:
        start: First day, on which the opening stock is there; None means the Monday of the first order line's week.
        drain_days: Days after the last week in which its lines may still ship.
        patience_days: Days after the needed day (or the capture, without one) on which an unserved line gives up;
            an assumption: without it every policy would ship the same units in the end.
        lead_days: Days from shipping to the customer, the same for every node and line.
        refill_days: After so many days each reservation holds its full quantity again (rule sets are weekly).
        resamples: Bootstrap resamples.
        confidence: Joint confidence of the three measures' intervals (each gets a third of the error).
        block_weeks: Length of a bootstrap block, at most half the weeks; None means the cube root of their number.
        min_weeks: Below so many weeks nothing is called better or worse; with fewer the interval is too narrow.
    """

    start: date | None = None
    drain_days: int = 14
    patience_days: int = 14
    lead_days: int = 0
    refill_days: int = 7
    resamples: int = 2_000
    confidence: float = 0.95
    block_weeks: int | None = None
    min_weeks: int = 13

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            InvalidDataError: One or more values are out of range.
        """
        ranges = {
            "drain_days": (0, 366),
            "patience_days": (0, 3_660),
            "lead_days": (0, 366),
            "refill_days": (1, 366),
            "resamples": (100, 1_000_000),
            "confidence": (0.5, 0.9999),
            "min_weeks": (2, 520),
        }
        faults = [
            f"option {name} is {getattr(self, name)}; expected {low} to {high}"
            for name, (low, high) in ranges.items()
            if not low <= getattr(self, name) <= high
        ]
        if self.block_weeks is not None and self.block_weeks < 1:
            faults.append(f"option block_weeks is {self.block_weeks}; expected 1 or more")
        if faults:
            raise InvalidDataError(faults)
