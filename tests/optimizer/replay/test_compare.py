"""The verdict is not fooled by noise and sees what stands out of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from optimizer.replay.compare import Verdict, compare, judge
from optimizer.replay.options import ReplayOptions


def noisy_weeks(seed: int, *, gain: int, weeks: int = 26) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    filled = random.integers(800, 900, weeks)
    better = filled + random.integers(-20, 21, weeks) + gain
    return pl.DataFrame(
        {
            "week": range(weeks),
            "ordered_units": [1_000] * weeks,
            "filled_a": filled,
            "filled_b": better,
            "on_time_a": filled - 50,
            "on_time_b": better - 50,
            "margin_cents_a": filled * 600,
            "margin_cents_b": better * 600,
        }
    )


@pytest.mark.parametrize(("gain", "low", "high"), [(0, 0, 5), (15, 45, 50), (-15, 0, 0)])
def test_noise_is_seldom_called_better_and_a_gain_mostly(gain: int, low: int, high: int) -> None:
    verdicts = [judge(compare(noisy_weeks(seed, gain=gain), seed=seed, options=ReplayOptions())) for seed in range(50)]
    assert low <= verdicts.count(Verdict.BETTER) <= high


@pytest.mark.parametrize("block", [1, 4, 100])
def test_the_block_length_may_be_chosen(block: int) -> None:
    measures = compare(noisy_weeks(1, gain=15), seed=1, options=ReplayOptions(block_weeks=block))
    assert all(measure.low < measure.difference < measure.high for measure in measures)


def test_weeks_without_orders_do_not_break_the_fill_rate() -> None:
    empty = noisy_weeks(1, gain=0).with_columns(pl.all().exclude("week") * 0)
    measures = compare(empty, seed=1, options=ReplayOptions())
    assert [(measure.a, measure.b) for measure in measures] == [(0.0, 0.0)] * 3
    assert judge(measures) is Verdict.NOT_DISTINGUISHABLE
