"""Kaplan-Meier medians of open and ended stages, against a plain walk down the survival curve."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.queries.stages import stage_rows
from storage.duck import connect

Stays = list[tuple[int, bool]]


def survival_median(stays: Stays) -> int | None:
    """Walk the curve: at each time the share that ended of those still there; the median is where half are gone."""
    share = Fraction(1)
    for hour in sorted({hours for hours, _ in stays}):
        at_risk = sum(hours >= hour for hours, _ in stays)
        ended = sum(hours == hour and is_over for hours, is_over in stays)
        share *= 1 - Fraction(ended, at_risk)
        if share <= Fraction(1, 2):
            return hour
    return None


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40))
def test_the_median_counts_open_stages_as_lasting_at_least_until_now(stays: Stays) -> None:
    connection = connect()
    connection.execute(
        "create schema metrics; create table metrics.kpi_durations (kpi_id varchar, stage_id varchar, node_id varchar, "
        "display_order bigint, hours double, censored_hours double, is_valid boolean, cohort_date date)"
    )
    connection.executemany(
        "insert into metrics.kpi_durations values ('cycle_time', 's', 'n', 1, ?, ?, true, date '2026-01-05')",
        [(hours if is_over else None, None if is_over else hours) for hours, is_over in stays],
    )
    rows = stage_rows(connection, kpis=["cycle_time"], by=["node_id"], period="null", date_from=None, date_to=None)
    assert rows["km_median"].to_list() == [survival_median(stays)]
    assert rows["observations"].to_list() == [sum(is_over for _, is_over in stays)]
    assert rows["excluded"].to_list() == rows["still_open"].to_list() == [sum(not is_over for _, is_over in stays)]


def test_what_ended_otherwise_is_left_out_and_not_open() -> None:
    connection = connect()
    connection.execute(
        "create schema metrics; create table metrics.kpi_durations (kpi_id varchar, stage_id varchar, "
        "display_order bigint, hours double, censored_hours double, is_valid boolean, cohort_date date)"
    )
    connection.execute(
        "insert into metrics.kpi_durations values "
        "('cycle_time', 's', 1, 5, null, true, date '2026-01-05'), "
        "('cycle_time', 's', 1, null, 9, true, date '2026-01-05'), "
        "('cycle_time', 's', 1, null, null, true, date '2026-01-05')"
    )
    [row] = stage_rows(connection, kpis=["cycle_time"], by=[], period="null", date_from=None, date_to=None).iter_rows(
        named=True
    )
    assert (row["observations"], row["excluded"], row["still_open"], row["km_median"]) == (1, 2, 1, 5)


def test_a_median_beside_many_open_stages_is_later_than_that_of_the_ended_ones() -> None:
    ended, open_ones = [(1, True), (2, True), (3, True)], [(9, False)] * 3
    assert survival_median(ended) == 2
    assert survival_median(ended + open_ones) == pytest.approx(3)
