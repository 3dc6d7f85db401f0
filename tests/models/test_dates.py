"""The fiscal calendar: the NRF's published years, and another company's 4-4-5."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.transform import dbt_command
from storage.duck import Connection, connect
from storage.settings import FiscalSettings, Settings

pytestmark = pytest.mark.exhaustive

AS_OF = datetime(2026, 11, 16, tzinfo=UTC)
# First day and weeks of the NRF's fiscal years (nrf.com, 4-5-4 calendar).
NRF_YEARS = {
    2012: (date(2012, 1, 29), 53),
    2016: (date(2016, 1, 31), 52),
    2017: (date(2017, 1, 29), 53),
    2018: (date(2018, 2, 4), 52),
    2022: (date(2022, 1, 30), 52),
    2023: (date(2023, 1, 29), 53),
    2024: (date(2024, 2, 4), 52),
    2025: (date(2025, 2, 2), 52),
}


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FiscalSettings], Connection]:
    """Build the calendar of a workspace with these settings."""

    def build(fiscal: FiscalSettings) -> Connection:
        home = Path(tmp_path_factory.mktemp("calendar"))
        settings = Settings(home=home, fiscal=fiscal)
        settings.var.mkdir()
        arguments, environment = dbt_command(settings, "run", as_of=AS_OF)
        finished = subprocess.run(
            [*arguments, "--select", "dim_dates"], env=environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stdout
        return connect(settings.database, read_only=True)

    return build


@pytest.fixture(scope="module")
def nrf(calendar: Callable[[FiscalSettings], Connection]) -> Connection:
    return calendar(FiscalSettings())


def test_fiscal_years_are_those_the_nrf_publishes(nrf: Connection) -> None:
    years = {
        year: (start, weeks)
        for year, start, weeks in nrf.execute(
            "select distinct fiscal_year, fiscal_year_start_date, fiscal_year_weeks from marts.dim_dates"
        ).fetchall()
    }
    assert {year: years[year] for year in NRF_YEARS} == NRF_YEARS


def test_every_day_stands_once_and_no_day_is_missing(nrf: Connection) -> None:
    days, distinct, first, last = nrf.execute(
        "select count(*), count(distinct date_day), min(date_day), max(date_day) from marts.dim_dates"
    ).fetchone()  # type: ignore[misc]
    assert days == distinct == (last - first).days + 1
    assert first.year <= 2012
    assert last.year >= 2028


@pytest.mark.parametrize(
    ("day", "year", "quarter", "month", "week", "month_start"),
    [
        ("2023-01-28", 2022, 4, 12, 52, date(2023, 1, 1)),
        ("2023-01-29", 2023, 1, 1, 1, date(2023, 1, 29)),
        ("2023-02-25", 2023, 1, 1, 4, date(2023, 1, 29)),
        ("2023-02-26", 2023, 1, 2, 5, date(2023, 2, 26)),
        ("2023-04-01", 2023, 1, 2, 9, date(2023, 2, 26)),
        ("2023-04-02", 2023, 1, 3, 10, date(2023, 4, 2)),
        ("2024-01-27", 2023, 4, 12, 52, date(2023, 12, 31)),
        ("2024-02-03", 2023, 4, 12, 53, date(2023, 12, 31)),
        ("2024-02-04", 2024, 1, 1, 1, date(2024, 2, 4)),
    ],
)
def test_days_fall_into_weeks_months_and_quarters(
    nrf: Connection, day: str, year: int, quarter: int, month: int, week: int, month_start: date
) -> None:
    found = nrf.execute(
        "select fiscal_year, fiscal_quarter, fiscal_month, fiscal_week, fiscal_month_start_date from marts.dim_dates "
        "where date_day = cast(? as date)",
        [day],
    ).fetchone()
    assert found == (year, quarter, month, week, month_start)


def test_after_a_year_of_53_weeks_the_year_before_is_restated(nrf: Connection) -> None:
    def prior(day: str) -> tuple[date | None, int | None]:
        return nrf.execute(  # type: ignore[return-value]
            "select days.prior_year_date, before.fiscal_week from marts.dim_dates as days "
            "left join marts.dim_dates as before on days.prior_year_date = before.date_day where days.date_day = ?",
            [day],
        ).fetchone()

    assert prior("2023-02-05") == (date(2022, 2, 6), 2)  # week 2 with week 2
    assert prior("2024-02-04") == (date(2023, 2, 5), 2)  # week 1 with week 2 of the long year
    assert prior("2024-02-03") == (None, None)  # the 53rd week compares with nothing
    assert prior("2025-02-02") == (date(2024, 2, 4), 1)


def test_months_of_a_quarter_follow_the_pattern_and_the_last_takes_the_extra_week(nrf: Connection) -> None:
    weeks = nrf.execute(
        "select fiscal_month, count(*) // 7 from marts.dim_dates where fiscal_year = 2023 group by 1 order by 1"
    ).fetchall()
    assert [number for _, number in weeks] == [4, 5, 4] * 3 + [4, 5, 5]


def test_another_company_counts_4_4_5_to_the_last_friday_of_december(
    calendar: Callable[[FiscalSettings], Connection],
) -> None:
    connection = calendar(
        FiscalSettings(pattern="4-4-5", ends_on="friday", year_end_month=12, year_end="last", named_after="end")
    )
    ends = connection.execute(
        "select fiscal_year, max(date_day), max(fiscal_year_weeks) from marts.dim_dates "
        "where fiscal_year between 2021 and 2023 group by 1 order by 1"
    ).fetchall()
    assert ends == [(2021, date(2021, 12, 31), 53), (2022, date(2022, 12, 30), 52), (2023, date(2023, 12, 29), 52)]
    weeks = connection.execute(
        "select fiscal_month, count(*) // 7 from marts.dim_dates where fiscal_year = 2021 group by 1 order by 1"
    ).fetchall()
    assert [number for _, number in weeks] == [4, 4, 5] * 3 + [4, 4, 6]
