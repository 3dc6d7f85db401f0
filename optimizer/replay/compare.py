"""Is one policy better than the other, or is it chance? Paired weekly differences with a block bootstrap interval.

Weeks are resampled in blocks, because a short week drags the next one along; both policies keep the same weeks. With k
blocks the spread of the resamples is too small by the factor sqrt((k - 1) / k), which is given back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.replay.options import ReplayOptions

Floats = npt.NDArray[np.float64]


class Verdict(StrEnum):
    """How B compares with A."""

    BETTER = "better"
    WORSE = "worse"
    NOT_DISTINGUISHABLE = "not distinguishable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure under both policies.

    Attributes:
        name: unit_fill (fraction), on_time_units (units per week) or margin_cents (cents per week).
        a: Value under A.
        b: Value under B.
        low: Lower end of the interval of b - a.
        high: Upper end of it.
        verdict: Whether the interval leaves out 0.
    """

    name: str
    a: float
    b: float
    low: float
    high: float
    verdict: Verdict

    @property
    def difference(self) -> float:
        """What B has more than A."""
        return self.b - self.a

    def words(self) -> str:
        """Return the measure as a sentence for people."""
        show = _SHOWN[self.name]
        ends = f"{show(self.low)} to {show(self.high)}"
        label = self.name.removesuffix("_cents").replace("_", " ")
        return f"{label}: {show(self.a)} → {show(self.b)} (difference {ends}): {self.verdict}"


_SHOWN: dict[str, Callable[[float], str]] = {
    "unit_fill": lambda value: f"{value:.1%}",
    "on_time_units": lambda value: f"{value:,.1f} a week",
    "margin_cents": lambda value: f"{value / 100:,.2f} a week",
}


def compare(weekly: pl.DataFrame, *, seed: int, options: ReplayOptions) -> tuple[Measure, ...]:
    """Return the three measures of a weekly frame (see `ReplayResult.weekly`)."""
    columns = {name: weekly[name].to_numpy().astype(np.float64) for name in weekly.columns if name != "week"}
    if weekly.is_empty():
        return tuple(
            Measure(name=name, a=0.0, b=0.0, low=0.0, high=0.0, verdict=Verdict.NOT_DISTINGUISHABLE) for name in _SHOWN
        )
    drawn = _draw_weeks(weekly.height, seed=seed, options=options)
    ones = np.ones(weekly.height)
    parts = {"unit_fill": ("filled", columns["ordered_units"]), "on_time_units": ("on_time", ones)}
    parts["margin_cents"] = ("margin_cents", ones)
    return tuple(
        _measure(name, columns[f"{part}_a"], columns[f"{part}_b"], base, drawn, options)
        for name, (part, base) in parts.items()
    )


def judge(measures: tuple[Measure, ...]) -> Verdict:
    """Return the verdict on all measures: better where one is and none is worse, worse the other way round."""
    found = {measure.verdict for measure in measures} - {Verdict.NOT_DISTINGUISHABLE}
    return found.pop() if len(found) == 1 else Verdict.NOT_DISTINGUISHABLE


def _draw_weeks(weeks: int, *, seed: int, options: ReplayOptions) -> npt.NDArray[np.int64]:
    """Return one row of week numbers per resample: circular blocks, cut to the number of weeks."""
    block = _block_weeks(weeks, options)
    count = -(-weeks // block)
    starts = np.random.default_rng(seed).integers(0, weeks, size=(options.resamples, count))
    numbers = (starts[:, :, None] + np.arange(block)) % weeks
    return numbers.reshape(options.resamples, count * block)[:, :weeks].astype(np.int64)


def _block_weeks(weeks: int, options: ReplayOptions) -> int:
    # A block of more than half the weeks would draw nearly the same sample each time and make the interval too narrow.
    return max(1, min(weeks // 2, options.block_weeks or round(weeks ** (1 / 3))))


def _measure(
    name: str, a: Floats, b: Floats, base: Floats, drawn: npt.NDArray[np.int64], options: ReplayOptions
) -> Measure:
    totals = base[drawn].sum(axis=1)
    samples = np.divide((b - a)[drawn].sum(axis=1), totals, out=np.zeros_like(totals), where=totals > 0)
    total = float(base.sum())
    values = {side: float(sums.sum()) / total if total else 0.0 for side, sums in (("a", a), ("b", b))}
    blocks = a.size / _block_weeks(a.size, options)
    widening = (blocks / (blocks - 1)) ** 0.5 if blocks > 1 else 1.0
    middle, tail = values["b"] - values["a"], (1 - options.confidence) / len(_SHOWN) / 2
    low, high = (float(middle + (end - middle) * widening) for end in np.quantile(samples, [tail, 1 - tail]))
    verdict = Verdict.BETTER if low > 0 else Verdict.WORSE if high < 0 else Verdict.NOT_DISTINGUISHABLE
    if a.size < options.min_weeks:
        verdict = Verdict.NOT_DISTINGUISHABLE
    return Measure(name=name, a=values["a"], b=values["b"], low=low, high=high, verdict=verdict)
