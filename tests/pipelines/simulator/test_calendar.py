"""Cut-offs, working days and zones of the simulated nodes."""

from __future__ import annotations

import csv
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.simulator.clock import add_working_days, day_number, week_label, weekday, working_days_between, zone
from pipelines.simulator.company import NODES
from pipelines.simulator.geography import STATES
from pipelines.simulator.warehouse import eligible_day

NEW_YORK = zone("America/New_York")
FRIDAY = day_number(date(2026, 6, 5))


@pytest.mark.parametrize(("second", "expected"), [(15 * 3600 - 1, date(2026, 6, 5)), (15 * 3600, date(2026, 6, 8))])
def test_a_release_at_the_cut_off_rolls_to_the_next_operating_day(second, expected):
    assert eligible_day(NODES[0], NEW_YORK.at(FRIDAY, second)) == day_number(expected)


def test_a_release_on_a_closed_day_waits_for_the_next_open_one():
    saturday = NEW_YORK.at(FRIDAY + 1, 23 * 3600)
    assert eligible_day(NODES[0], saturday) == FRIDAY + 3
    assert eligible_day(NODES[1], saturday) == FRIDAY + 3
    assert eligible_day(NODES[1], NEW_YORK.at(FRIDAY + 1, 9 * 3600)) == FRIDAY + 1


def test_stamps_follow_daylight_saving():
    day = day_number(date(2026, 11, 1))
    assert NEW_YORK.text(NEW_YORK.at(day, 1800)) == "2026-11-01T00:30:00-04:00"
    assert NEW_YORK.text(NEW_YORK.at(day, 12 * 3600)) == "2026-11-01T12:00:00-05:00"
    assert NEW_YORK.edi(NEW_YORK.at(day, 12 * 3600)) == ("20261101", "1200")


@settings(deadline=None, max_examples=80)
@given(st.integers(1_704_200_000, 1_827_600_000), st.sampled_from(STATES))
def test_local_stamps_read_back_as_the_same_instant(instant, state):
    assert int(datetime.fromisoformat(zone(state.zone).text(instant)).timestamp()) == instant


@settings(deadline=None, max_examples=80)
@given(st.integers(20_000, 21_000), st.integers(0, 15))
def test_working_days_are_counted_back_from_where_they_led(start, count):
    first = add_working_days(start, 0)
    end = add_working_days(start, count)
    assert weekday(end) <= 5
    assert working_days_between(first, end) == count
    assert add_working_days(end, -count) == first


def test_weeks_are_named_as_iso_weeks():
    assert week_label(day_number(date(2026, 11, 15))) == "2026-W46"


def test_states_agree_with_the_regions_of_the_product(project_root):
    with (project_root / "data" / "seeds" / "regions.csv").open(encoding="utf-8", newline="") as handle:
        regions = {row["ship_to_region"]: row for row in csv.DictReader(handle)}
    summer, winter = NEW_YORK.at(FRIDAY, 43200), NEW_YORK.at(FRIDAY + 200, 43200)
    for state in STATES:
        region = regions[state.code]
        assert state.lane_zone == region["lane_zone"], state.code
        for instant in (summer, winter):
            assert zone(state.zone).offset(instant) == zone(region["zone"]).offset(instant), state.code
