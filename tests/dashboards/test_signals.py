"""Signal or noise: the constants and rules of the XmR chart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.signals import natural_limits, read_latest

BASELINE = [94.1, 95.0, 93.2, 94.8, 95.5, 94.0, 93.6, 94.9, 95.2, 94.4]


def test_the_golden_limits_and_their_signal() -> None:
    limits = natural_limits(BASELINE)
    assert limits.mean == pytest.approx(94.47)
    assert limits.range_mean == pytest.approx(1.0333, abs=1e-4)
    assert (limits.lower, limits.upper) == (pytest.approx(91.721, abs=1e-3), pytest.approx(97.219, abs=1e-3))
    assert limits.range_upper == pytest.approx(3.377, abs=1e-3)
    reading = read_latest([*BASELINE, 88.9])
    assert reading.state == "signal"
    assert reading.rule == "outside the natural limits, below"


def test_noise_gets_no_comment() -> None:
    assert read_latest([*BASELINE, 94.6]).comment == "routine variation, no comment"


def test_eight_weeks_on_one_side_are_a_signal() -> None:
    history = [*BASELINE, 94.2, 94.6]
    slide = [94.0, 93.9, 94.1, 93.8, 94.0, 93.9, 94.1]
    assert read_latest([*history, *slide]).state == "routine"
    reading = read_latest([*history, *slide, 93.9])
    assert reading.rule == "8 weeks in a row below the mean"


def test_three_of_four_near_a_limit_are_a_signal() -> None:
    history = [*BASELINE, 94.9, 94.2]
    reading = read_latest([*history, 96.4, 94.9, 96.5, 96.3])
    assert reading.rule == "3 of 4 weeks nearer the upper limit than the mean"


def test_a_signal_below_materiality_stays_silent() -> None:
    assert read_latest([*BASELINE, 88.9], materiality=10).state == "routine"


def test_a_short_history_is_not_judged() -> None:
    assert read_latest([94.0] * 6).state == "unknown"
    reading = read_latest([*BASELINE[:7], 88.0])
    assert reading.state == "signal"
    assert "provisional limits" in reading.comment


def test_a_slow_slide_does_not_move_its_own_limits() -> None:
    slide = [90.0 - week for week in range(14)]
    assert read_latest([*BASELINE, 94.9, 94.2, *slide]).limits == natural_limits([*BASELINE, 94.9, 94.2])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=7, max_size=40), st.floats(-5, 5))
def test_the_verdict_does_not_depend_on_where_zero_is(values: list[float], shift: float) -> None:
    rounded = [round(value, 3) for value in values]
    moved = [value + round(shift, 3) for value in rounded]
    here, there = read_latest(rounded), read_latest(moved)
    assert here.limits is not None
    assert there.limits is not None
    assert there.limits.mean - here.limits.mean == pytest.approx(round(shift, 3), abs=1e-9)
    assert there.limits.range_mean == pytest.approx(here.limits.range_mean, abs=1e-9)
