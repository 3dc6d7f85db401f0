"""Dates and times of X12: local stamps of a partner become UTC instants.

A date that is a deadline means the whole local day, so it becomes the next local midnight; a time that is
a deadline means the whole minute (or second) it names. Unreadable text becomes None, never a guess.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_CENTURY_PIVOT: Final = 70
_ZONED: Final = {
    "AT": "America/Anchorage",
    "CT": "America/Chicago",
    "ET": "America/New_York",
    "HT": "Pacific/Honolulu",
    "MT": "America/Denver",
    "NT": "America/St_Johns",
    "PT": "America/Los_Angeles",
    "TT": "America/Halifax",
}
_FIXED_HOURS: Final = {
    "GM": 0.0,
    "UT": 0.0,
    "TS": -4.0,
    "TD": -3.0,
    "ES": -5.0,
    "ED": -4.0,
    "CS": -6.0,
    "CD": -5.0,
    "MS": -7.0,
    "MD": -6.0,
    "PS": -8.0,
    "PD": -7.0,
    "AS": -9.0,
    "AD": -8.0,
    "HS": -10.0,
    "NS": -3.5,
    "ND": -2.5,
    **{f"{code:02d}": float(code) for code in range(1, 13)},
    **{f"{code:02d}": float(code - 25) for code in range(13, 25)},
}
"""Element 623: daylight and standard codes are fixed offsets, 01-12 lie east of Greenwich, 13-24 west."""


_MINUTES: Final = {f"{minute // 60:02d}{minute % 60:02d}": timedelta(minutes=minute) for minute in range(24 * 60)}
"""Times of day, HHMM."""


def zone_of(code: str, default: tzinfo) -> tzinfo:
    """Return the zone of an X12 time code (element 623); unknown, empty and LT mean the default."""
    if code in _ZONED:
        return ZoneInfo(_ZONED[code])
    if code in _FIXED_HOURS:
        return timezone(timedelta(hours=_FIXED_HOURS[code]))
    return default


class Clock:
    """Turns a partner's local stamps into naive UTC datetimes. Remembers what it has seen."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._known: dict[tuple[str, str, str, bool], datetime | None] = {}
        self._regular_days: dict[str, datetime | None] = {}

    def start(self, date: str, time: str = "", code: str = "") -> datetime | None:
        """Return the instant a stamp begins: local midnight for a date, the named minute or second else."""
        if not code and time in _MINUTES and (midnight := self._midnight(date)) is not None:
            return midnight + _MINUTES[time]
        return self._instant(date, time, code, is_end=False)

    def end(self, date: str, time: str = "", code: str = "") -> datetime | None:
        """Return the exclusive end of a stamp: the next local midnight for a date, the next minute or second else.

        >>> Clock(ZoneInfo("America/Chicago")).end("20260311")
        datetime.datetime(2026, 3, 12, 5, 0)
        """
        return self._instant(date, time, code, is_end=True)

    def _midnight(self, date: str) -> datetime | None:
        """Return when a day begins, None if clocks are changed on it or there is no such day."""
        if date not in self._regular_days:
            begin, last = (self._instant(date, time, "", is_end=False) for time in ("0000", "2359"))
            is_regular = begin is not None and last is not None and last - begin == _MINUTES["2359"]
            self._regular_days[date] = begin if is_regular else None
        return self._regular_days[date]

    def _instant(self, date: str, time: str, code: str, *, is_end: bool) -> datetime | None:
        key = (date, time, code, is_end)
        if key not in self._known:
            self._known[key] = _parse(date, time, zone_of(code, self.zone), is_end=is_end)
        return self._known[key]


def _parse(date: str, time: str, zone: tzinfo, *, is_end: bool) -> datetime | None:
    if not date.isascii() or not date.isdecimal() or (time and not (time.isascii() and time.isdecimal())):
        return None
    if len(date) == 6:
        date = ("19" if int(date[:2]) >= _CENTURY_PIVOT else "20") + date
    try:
        local = datetime(int(date[:4]), int(date[4:6]), int(date[6:])) if len(date) == 8 else None  # noqa: DTZ001
        if local is None:
            return None
        local += timedelta(days=1) if is_end and not time else _time_of_day(time, is_end=is_end)
        return local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _time_of_day(time: str, *, is_end: bool) -> timedelta:
    """Read HHMM, HHMMSS or HHMMSSd(d).

    Raises:
        ValueError: There is no such time of day.
    """
    if not time:
        return timedelta()
    if len(time) < 4 or len(time) > 8 or int(time[:2]) > 24 or int(time[2:4]) > 59 or int(time[4:6] or 0) > 59:
        raise ValueError(time)
    moment = timedelta(hours=int(time[:2]), minutes=int(time[2:4]), seconds=int(time[4:6] or 0))
    if not is_end:
        return moment
    return moment + (timedelta(seconds=1) if len(time) >= 6 else timedelta(minutes=1))
