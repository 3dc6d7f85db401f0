"""Signal or noise: the XmR chart (individuals and moving range) of one KPI.

Constants and rules are the usual ones of statistical process control: natural limits at the mean ± 2.66 × mean moving
range, upper limit of the moving range 3.268 × its mean. A week speaks only when a rule fires; otherwise it is routine
variation and deserves no comment.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

_NATURAL: Final = 2.66
_RANGE: Final = 3.268
BASELINE: Final = 12
"""Points that the limits rest on, at most: the first of the history."""

_FIRM: Final = 10
_LEAST: Final = 6
_RUN: Final = 8

State = Literal["signal", "routine", "unknown"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Natural process limits of a baseline.

    Attributes:
        mean: Centre line.
        lower: Lower natural limit.
        upper: Upper natural limit.
        range_mean: Mean moving range.
        range_upper: Upper limit of the moving range.
        points: Points in the baseline.
    """

    mean: float
    lower: float
    upper: float
    range_mean: float
    range_upper: float
    points: int

    @property
    def is_provisional(self) -> bool:
        """Fewer than ten points: the limits will still move."""
        return self.points < _FIRM


@dataclass(frozen=True, slots=True)
class Reading:
    """What the latest point says.

    Attributes:
        state: signal, routine, or unknown (too short a history).
        rule: The rule that fired, in words; empty otherwise.
        limits: Limits it was judged by; null while unknown.
    """

    state: State
    rule: str
    limits: Limits | None

    @property
    def comment(self) -> str:
        """One line for the reader."""
        if self.state == "unknown":
            return f"history too short to judge (needs {_LEAST} weeks before this one)"
        provisional = " (provisional limits)" if self.limits and self.limits.is_provisional else ""
        if self.state == "routine":
            return f"routine variation, no comment{provisional}"
        return f"signal: {self.rule}{provisional}"


def natural_limits(values: Sequence[float]) -> Limits:
    """Return the limits of a baseline of at least two points.

    >>> limits = natural_limits([94.1, 95.0, 93.2, 94.8, 95.5, 94.0, 93.6, 94.9, 95.2, 94.4])
    >>> round(limits.mean, 2), round(limits.lower, 3), round(limits.upper, 3), round(limits.range_upper, 3)
    (94.47, 91.721, 97.219, 3.377)
    """
    mean = sum(values) / len(values)
    ranges = [abs(later - earlier) for earlier, later in itertools.pairwise(values)]
    range_mean = sum(ranges) / len(ranges)
    return Limits(
        mean=mean,
        lower=mean - _NATURAL * range_mean,
        upper=mean + _NATURAL * range_mean,
        range_mean=range_mean,
        range_upper=_RANGE * range_mean,
        points=len(values),
    )


def read_latest(values: Sequence[float], *, materiality: float = 0.0) -> Reading:
    """Judge the last value of a series by a baseline frozen at the start of the history.

    The first twelve points (never the judged one) are the baseline: a slow slide cannot hide by moving its own limits.

    Args:
        values: Complete periods in time order, the judged one last.
        materiality: Smallest distance from the centre worth a comment, in the KPI's own unit.
    """
    before = values[:-1]
    if len(before) < _LEAST:
        return Reading(state="unknown", rule="", limits=None)
    limits = natural_limits(before[:BASELINE])
    rule = _rule(values, limits)
    if rule and abs(values[-1] - limits.mean) >= materiality:
        return Reading(state="signal", rule=rule, limits=limits)
    return Reading(state="routine", rule="", limits=limits)


def _rule(values: Sequence[float], limits: Limits) -> str:
    last = values[-1]
    if last > limits.upper or last < limits.lower:
        return f"outside the natural limits, {'above' if last > limits.upper else 'below'}"
    run = values[-_RUN:]
    if len(run) == _RUN and (all(v > limits.mean for v in run) or all(v < limits.mean for v in run)):
        return f"{_RUN} weeks in a row {'above' if last > limits.mean else 'below'} the mean"
    half = (limits.upper - limits.mean) / 2
    recent = values[-4:]
    for side, name in ((1, "upper"), (-1, "lower")):
        near = [value for value in recent if side * (value - limits.mean) > half]
        if len(near) >= 3 and side * (last - limits.mean) > half:
            return f"3 of 4 weeks nearer the {name} limit than the mean"
    if abs(last - values[-2]) > limits.range_upper:
        return "jump from last week beyond the usual range"
    return ""
