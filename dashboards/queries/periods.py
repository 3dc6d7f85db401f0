"""Weeks: names, borders and the SQL that puts a day into one.

A week is named like `2026-W46`. With Monday weeks this is the ISO week. With Sunday weeks the week starts a day earlier
and carries the name of the ISO week that holds its Monday, so both conventions name the same working days alike. The
weeks of a partner may begin on any weekday.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from dashboards.errors import QuestionError

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NAME: Final = re.compile(r"^(\d{4})-?W(\d{2})$")


@dataclass(frozen=True, slots=True)
class Week:
    """One reporting week, or several in a row (`joined`).

    Attributes:
        name: ISO-like name, e.g. 2026-W46.
        start: First day.
        end: Last day (inclusive).
    """

    name: str
    start: date
    end: date

    @property
    def weeks(self) -> int:
        """How many weeks it is."""
        return ((self.end - self.start).days + 1) // 7

    def back(self, weeks: int) -> Week:
        """Return the week that lies `weeks` before this one's first."""
        start = self.start - timedelta(weeks=weeks)
        return _week_from(start)


def _week_from(start: date) -> Week:
    monday = start + timedelta(days=-start.weekday() % 7)
    year, number, _ = monday.isocalendar()
    return Week(name=f"{year}-W{number:02d}", start=start, end=start + timedelta(days=6))


def week_containing(day: date, *, week_start: str = "monday") -> Week:
    """Return the week that holds a day.

    >>> week_containing(date(2026, 11, 15)).name
    '2026-W46'
    >>> week_containing(date(2026, 11, 15), week_start="sunday").name
    '2026-W47'
    """
    return _week_from(day - timedelta(days=(day.weekday() - _WEEKDAYS.index(week_start)) % 7))


def week_named(name: str, *, week_start: str = "monday") -> Week:
    """Return a week by its name.

    Raises:
        QuestionError: Not a week name, or the year has no such week.
    """
    match = _NAME.match(name.strip())
    try:
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        monday = None
    if monday is None:
        message = f"week {name!r}: expected an ISO week such as 2026-W46"
        raise QuestionError(message)
    return week_containing(monday, week_start=week_start)


def weeks_named(name: str, *, week_start: str = "monday") -> Week:
    """Return a week, or the weeks from one to another (`2026-W40:2026-W46`), as one period.

    Raises:
        QuestionError: Not weeks, or the last comes before the first.

    >>> weeks_named("2026-W40:2026-W46")
    Week(name='2026-W40 to 2026-W46', start=datetime.date(2026, 9, 28), end=datetime.date(2026, 11, 15))
    """
    first, _, last = name.partition(":")
    start = week_named(first, week_start=week_start)
    if not last:
        return start
    end = week_named(last, week_start=week_start)
    if end.start < start.start:
        message = f"weeks {name!r}: {end.name} comes before {start.name}; expected FIRST:LAST"
        raise QuestionError(message)
    return joined(start, end)


def joined(first: Week, last: Week) -> Week:
    """Return the period from one week to another."""
    if first == last:
        return first
    return Week(name=f"{first.name} to {last.name}", start=first.start, end=last.end)


FISCAL_GRAINS: Final = ("fiscal_month", "fiscal_quarter", "fiscal_year")
"""Grains that `marts.dim_dates` answers: the workspace's 4-4-5, 4-5-4 or 5-4-4 calendar."""


def period_sql(column: str, *, grain: str | None, week_start: str, is_prior: bool = False) -> str:
    """Return the SQL for the first day of the period a date column falls into (null without a grain).

    Args:
        column: A date column.
        grain: day, week, month or a fiscal grain.
        week_start: Weekday on which weeks begin, in English.
        is_prior: Name the period one year later, with which the day is compared. Days, weeks and fiscal periods compare
            with 364 days before, so that weekdays match and a year of 53 weeks is restated; the 53rd week itself has no
            counterpart. Calendar months compare with the same month.
    """
    if grain is None:
        return "cast(null as date)"
    if grain in FISCAL_GRAINS:
        key = "prior_year_date" if is_prior else "date_day"
        return f"(select dates.{grain}_start_date from marts.dim_dates as dates where dates.{key} = {column})"
    if grain == "month":
        later = f"({column} + interval 1 year)" if is_prior else column
        return f"cast(date_trunc('month', {later}) as date)"
    day = f"({column} + interval 364 day)" if is_prior else column
    early = -_WEEKDAYS.index(week_start) % 7
    if grain == "week" and early:
        return f"cast(date_trunc('week', {day} + interval {early} day) - interval {early} day as date)"
    return f"cast(date_trunc('{grain}', {day}) as date)"


def day_a_year_before(day: date | None, grain: str | None) -> date | None:
    """Return the day that a day is compared with: 364 days before, or the same day of the year before for months.

    >>> day_a_year_before(date(2024, 2, 4), "fiscal_month"), day_a_year_before(date(2024, 2, 29), "month")
    (datetime.date(2023, 2, 5), datetime.date(2023, 2, 28))
    """
    if day is None:
        return None
    if grain != "month":
        return day - timedelta(days=364)
    last = calendar.monthrange(day.year - 1, day.month)[1]
    return day.replace(year=day.year - 1, day=min(day.day, last))
