"""Time in the simulator: instants are integer seconds since 1970 (UTC), days are local day numbers since 1970.

Holds zone offsets, stamps as text and working-day arithmetic. Nothing reads the machine's clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAY: Final = 86400
HOUR: Final = 3600
MINUTE: Final = 60

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_TIMES: Final = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY)]
_FIRST_HOUR: Final = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp()) // HOUR
_LAST_HOUR: Final = int(datetime(2028, 1, 1, tzinfo=UTC).timestamp()) // HOUR


def day_number(value: date) -> int:
    """Return the day number of a calendar date."""
    return value.toordinal() - _EPOCH_ORDINAL


@lru_cache(maxsize=4096)
def calendar_date(day: int) -> date:
    """Return the calendar date of a day number."""
    return date.fromordinal(day + _EPOCH_ORDINAL)


@lru_cache(maxsize=4096)
def day_text(day: int) -> str:
    """Return a day as `2026-05-18`."""
    return calendar_date(day).isoformat()


@lru_cache(maxsize=4096)
def compact_day(day: int) -> str:
    """Return a day as `20260518`."""
    return calendar_date(day).strftime("%Y%m%d")


@lru_cache(maxsize=1024)
def week_label(day: int) -> str:
    """Return the ISO week of a day as `2026-W21`."""
    year, week, _ = calendar_date(day).isocalendar()
    return f"{year}-W{week:02d}"


@lru_cache(maxsize=1024)
def iso_week(day: int) -> int:
    """Return the ISO week number of a day."""
    return calendar_date(day).isocalendar()[1]


@lru_cache(maxsize=256)
def monday_of(label: str) -> int:
    """Return the day number of an ISO week's Monday, e.g. of `2026-W39`."""
    year, week = label.split("-W")
    return day_number(date.fromisocalendar(int(year), int(week), 1))


def weekday(day: int) -> int:
    """Return the ISO weekday, Monday = 1."""
    return (day + 3) % 7 + 1


def add_working_days(day: int, count: int, *, works_saturday: bool = False) -> int:
    """Return the day `count` working days after `day` (itself moved to a working day first)."""
    last = 6 if works_saturday else 5
    while weekday(day) > last:
        day += 1
    step = 1 if count >= 0 else -1
    for _ in range(abs(count)):
        day += step
        while weekday(day) > last:
            day += step
    return day


def working_days_between(start: int, end: int) -> int:
    """Return Monday-to-Friday days in (start, end]; negative when end is before start."""
    if end < start:
        return -working_days_between(end, start)
    return sum(1 for day in range(start + 1, end + 1) if weekday(day) <= 5)


def utc_text(instant: int) -> str:
    """Return an instant as `2026-05-18T13:00:00Z`."""
    day, second = divmod(instant, DAY)
    return f"{day_text(day)}T{_TIMES[second]}Z"


class Zone:
    """One IANA zone with its offsets by UTC hour laid out flat, because every written stamp asks for one."""

    __slots__ = ("_offsets", "_suffixes", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._offsets = _hourly_offsets(ZoneInfo(name))
        self._suffixes = {
            offset: f"{'-' if offset < 0 else '+'}{abs(offset) // HOUR:02d}:{abs(offset) % HOUR // MINUTE:02d}"
            for offset in set(self._offsets)
        }

    def offset(self, instant: int) -> int:
        """Return the offset from UTC in seconds at an instant."""
        return self._offsets[instant // HOUR - _FIRST_HOUR]

    def local_day(self, instant: int) -> int:
        """Return the local day number at an instant."""
        return (instant + self.offset(instant)) // DAY

    def local_second(self, instant: int) -> int:
        """Return the seconds since local midnight (wall clock)."""
        return (instant + self.offset(instant)) % DAY

    def at(self, day: int, seconds: float = 0) -> int:
        """Return the instant of a wall-clock time on a local day."""
        wall = day * DAY + int(seconds)
        return wall - self.offset(wall - self.offset(wall))

    def text(self, instant: int) -> str:
        """Return an instant as local ISO text with offset."""
        offset = self.offset(instant)
        day, second = divmod(instant + offset, DAY)
        return f"{day_text(day)}T{_TIMES[second]}{self._suffixes[offset]}"

    def edi(self, instant: int) -> tuple[str, str]:
        """Return (`CCYYMMDD`, `HHMM`) in local time, as X12 writes them."""
        day, second = divmod(instant + self.offset(instant), DAY)
        return compact_day(day), _TIMES[second][:5].replace(":", "")


def _hourly_offsets(zone: ZoneInfo) -> list[int]:
    offsets: list[int] = []
    for hour in range(_FIRST_HOUR, _LAST_HOUR, 24):
        start = datetime.fromtimestamp(hour * HOUR, tz=zone)
        ends = [datetime.fromtimestamp((hour + step) * HOUR, tz=zone).utcoffset() for step in (0, 23)]
        if ends[0] == ends[1]:
            offsets += [_seconds(start.utcoffset())] * 24
        else:
            offsets += [
                _seconds(datetime.fromtimestamp((hour + step) * HOUR, tz=zone).utcoffset()) for step in range(24)
            ]
    return offsets


def _seconds(offset: timedelta | None) -> int:
    return int((offset or timedelta()).total_seconds())


@lru_cache(maxsize=64)
def zone(name: str) -> Zone:
    """Return a zone by IANA name (built once)."""
    return Zone(name)
