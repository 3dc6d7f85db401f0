"""Fiscal periods and the year before, on two fiscal years of the NRF of which the first has 53 weeks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from dashboards.errors import QuestionError
from dashboards.queries import check_calendar, kpi_table, with_period_names, year_on_year
from storage.duck import Connection, connect

# FY2023 starts on 29 January 2023 and has 53 weeks, FY2024 starts on 4 February 2024. Of 20 orders a day are met: 10 in
# the first week of FY2023, 12 in its following weeks, 18 in FY2024.
_CALENDAR = """
create table marts.dim_dates as
with days as (
    select cast(day as date) as date_day, if(day < date '2024-02-04', 2023, 2024) as fiscal_year,
        if(day < date '2024-02-04', date '2023-01-29', date '2024-02-04') as fiscal_year_start_date
    from generate_series(timestamp '2023-01-29', timestamp '2025-02-01', interval 1 day) as days(day)
)
select *, date_diff('day', fiscal_year_start_date, date_day) // 7 + 1 as fiscal_week,
    if(date_diff('day', fiscal_year_start_date, date_day) < 28, 1, 2) as fiscal_month,
    1 as fiscal_quarter, fiscal_year_start_date as fiscal_quarter_start_date,
    if(date_diff('day', fiscal_year_start_date, date_day) < 28, fiscal_year_start_date,
        cast(fiscal_year_start_date + interval 28 day as date)) as fiscal_month_start_date,
    if(date_diff('day', fiscal_year_start_date, date_day) < 52 * 7, cast(date_day - interval 364 day as date), null)
        as prior_year_date
from days;
insert into metrics.kpi_values
select 'on_time_ship', '', false, date_day, 'dtc', 'dtc', '(none)', 'dc', 'x', 'NY', 'k', '(none)', 'USD',
    case when fiscal_year = 2024 then 18 when fiscal_week = 1 then 10 else 12 end, 20, 20, false
from marts.dim_dates;
"""


@pytest.fixture
def two_years(bare_workspace: Path, tmp_path: Path) -> Iterator[Connection]:
    copy = tmp_path / "two_years.duckdb"
    copy.write_bytes((bare_workspace / "var" / "published" / "20261116T050000.duckdb").read_bytes())
    connection = connect(copy)
    connection.execute(_CALENDAR)
    yield connection
    connection.close()


def test_a_fiscal_month_adds_up_its_own_weeks(two_years: Connection) -> None:
    table = kpi_table(two_years, kpis=["on_time_ship"], grain="fiscal_month")
    months = {row["period"]: (row["numerator"], row["denominator"]) for row in table.iter_rows(named=True)}
    assert months[date(2023, 1, 29)] == (7 * (10 + 3 * 12), 28 * 20)
    assert months[date(2024, 2, 4)] == (28 * 18, 28 * 20)


def test_the_year_before_is_restated_after_53_weeks(two_years: Connection) -> None:
    table = year_on_year(two_years, kpis=["on_time_ship"], grain="fiscal_month", date_from=date(2024, 2, 4))
    first = table.row(0, named=True)
    # Weeks 1 to 4 compare with weeks 2 to 5 of the long year: its weak first week is not among them.
    assert (first["prior_numerator"], first["prior_denominator"]) == (28 * 12, 28 * 20)
    assert first["change"] == pytest.approx(0.9 - 0.6)


def test_the_53rd_week_compares_with_nothing(two_years: Connection) -> None:
    table = year_on_year(
        two_years, kpis=["on_time_ship"], grain="fiscal_year", date_from=date(2024, 1, 28), date_to=date(2024, 2, 3)
    )
    assert table["prior_value"].to_list() == [None]
    assert table["numerator"].to_list() == [7 * 12]


def test_weeks_compare_with_364_days_before_and_months_with_months(two_years: Connection) -> None:
    week = year_on_year(
        two_years, kpis=["on_time_ship"], grain="week", date_from=date(2024, 2, 5), date_to=date(2024, 2, 11)
    )
    assert week["prior_numerator"].to_list() == [7 * 12]
    month = year_on_year(
        two_years, kpis=["on_time_ship"], by=["month"], date_from=date(2024, 2, 1), date_to=date(2024, 2, 29)
    )
    assert month["prior_denominator"].to_list() == [28 * 20]


def test_a_range_of_days_compares_with_the_same_weekdays(two_years: Connection) -> None:
    table = year_on_year(two_years, kpis=["on_time_ship"], date_from=date(2024, 2, 4), date_to=date(2024, 2, 4))
    assert table["prior_numerator"].to_list() == [12]
    with pytest.raises(QuestionError, match="needs a grain"):
        year_on_year(two_years, kpis=["on_time_ship"])


def test_fiscal_periods_have_names(two_years: Connection) -> None:
    for grain, name in (("fiscal_month", "FY2023 M1"), ("fiscal_quarter", "FY2023 Q1"), ("fiscal_year", "FY2023")):
        table = with_period_names(two_years, kpi_table(two_years, kpis=["on_time_ship"], grain=grain), grain)
        assert table["period_name"][0] == name


def test_a_publication_without_a_calendar_says_what_to_do(connection: Connection) -> None:
    check_calendar(connection, "week")
    with pytest.raises(QuestionError, match="run `otif build`"):
        check_calendar(connection, "fiscal_month")
