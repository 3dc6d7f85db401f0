"""Stage-time curves by hand: censoring, small groups, quantiles, and chances that respect the age."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from optimizer.risk.curves import LEAN, STEP_HOURS, STEPS, chance_within, hazards, learn, quantile, survival

STEP = STEP_HOURS


def hours(*steps: float) -> np.ndarray:
    return np.array(steps) * STEP


def curve_of(*shares: float) -> np.ndarray:
    """Hazards of the first steps; nobody leaves later."""
    return np.concatenate([np.array(shares), np.zeros(STEPS - len(shares))])[None, :]


def test_the_curve_of_kaplan_and_meier_by_hand() -> None:
    # Five lines: they leave in steps 0, 1, 1, 3; one was last seen at the end of step 1, still there.
    ended = np.array([True, True, True, True, False])
    found = hazards(hours(0.5, 1.5, 1.5, 3.5, 1.99), ended, np.ones(5))
    # 1 of 5; 2 of 4 less half a line that was lost to sight within the step; nobody; the last one.
    assert found[:4] == pytest.approx([1 / 5, 2 / 3.5, 0.0, 1.0])
    assert survival(found)[:5] == pytest.approx([1, 0.8, 0.8 * 1.5 / 3.5, 0.8 * 1.5 / 3.5, 0.0])


def test_a_line_still_waiting_counts_as_long_as_it_has_waited() -> None:
    ended = np.array([True, False, False, False])
    waiting = hazards(hours(0.5, 5, 5, 5), ended, np.ones(4))
    ignored = hazards(hours(0.5), np.array([True]), np.ones(1))
    assert waiting[0] == pytest.approx(0.25)
    assert ignored[0] == 1.0


def test_a_small_group_leans_on_its_parent() -> None:
    parent = np.full(STEPS, 0.1)
    found = hazards(hours(0.5), np.array([True]), np.ones(1), parent)
    assert found[0] == pytest.approx((1 + LEAN * 0.1) / (1 + LEAN))
    assert found[5] == pytest.approx(0.1)


def test_a_group_below_the_fewest_lines_has_its_parents_curve() -> None:
    keys = [pl.Series(["", "", "", ""]), pl.Series(["a", "a", "a", "b"])]
    curves = learn(hours(0.5, 0.5, 0.5, 9.5), np.ones(4, dtype=bool), np.ones(4), keys, fewest=3)
    asked = [pl.Series(["", "", ""]), pl.Series(["a", "b", "never seen"])]
    whole, own = curves.rows([asked[0], asked[1]])[1], curves.rows(asked)[0]
    assert curves.rows(asked).tolist() == [own, whole, whole]
    assert own != whole
    assert curves.counts.tolist() == [4, 3]


def test_quantiles_are_read_off_the_curve() -> None:
    hazard = curve_of(0.5, 0.5)[0]
    assert quantile(hazard, 0.5) == pytest.approx(STEP)
    assert quantile(hazard, 0.75) == pytest.approx(2 * STEP)
    assert quantile(hazard, 0.625) == pytest.approx(1.5 * STEP)
    assert quantile(hazard, 0.9) == float("inf")


def test_the_chance_depends_on_the_age() -> None:
    # Half leave in step 0, the rest in step 3.
    stage = curve_of(0.5, 0.0, 0.0, 1.0)
    one = np.zeros(1, dtype=np.int64)

    def chance(age: float, room: float) -> float:
        return float(chance_within(hours(age), hours(room), stage, None, which=one, which_rest=one)[0])

    assert chance(0, 1) == pytest.approx(0.5)
    assert chance(0, 3) == pytest.approx(0.5)
    assert chance(0, 4) == pytest.approx(1.0)
    # Who is still there after the first step leaves in the fourth for sure, and not before.
    assert chance(1, 2) == pytest.approx(0.0)
    assert chance(1, 3) == pytest.approx(1.0)


def test_the_rest_of_the_way_is_added_to_the_stage() -> None:
    # The stage ends in its first step; after it half arrive within the next one, the others two later.
    stage, rest = curve_of(1.0), curve_of(0.5, 0.0, 1.0)
    one = np.zeros(1, dtype=np.int64)

    def chance(room: float) -> float:
        return float(chance_within(hours(0), hours(room), stage, rest, which=one, which_rest=one)[0])

    assert chance(0.5) == pytest.approx(0.0)
    assert chance(1.5) == pytest.approx(0.5)
    assert chance(2.5) == pytest.approx(0.5)
    assert chance(3.5) == pytest.approx(1.0)


def test_more_room_never_lowers_the_chance() -> None:
    draw = np.random.default_rng(3)
    stage, rest = draw.uniform(0, 0.2, (1, STEPS)), draw.uniform(0, 0.2, (1, STEPS))
    room = hours(*np.linspace(0, 60, 61))
    zeros = np.zeros(len(room), dtype=np.int64)
    found = chance_within(np.full(len(room), 3 * STEP), room, stage, rest, which=zeros, which_rest=zeros)
    assert (np.diff(found) >= -1e-12).all()
    assert found[0] == 0.0
    assert found[-1] <= 1.0
