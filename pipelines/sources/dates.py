"""Which date format a file is written in, found out from all its dates and never guessed.

Systems export dates in the preference of the user who ran the export. `03/04/2026` is the 4th of March or the 3rd of
April; an export that holds only such dates cannot be read, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

_DATES: Final = {
    "%m/%d/%Y": r"^\d{1,2}/\d{1,2}/\d{4}$",
    "%d/%m/%Y": r"^\d{1,2}/\d{1,2}/\d{4}$",
    "%Y-%m-%d": r"^\d{4}-\d{1,2}-\d{1,2}$",
    "%Y/%m/%d": r"^\d{4}/\d{1,2}/\d{1,2}$",
    "%d.%m.%Y": r"^\d{1,2}\.\d{1,2}\.\d{4}$",
    "%d-%m-%Y": r"^\d{1,2}-\d{1,2}-\d{4}$",
    "%m-%d-%Y": r"^\d{1,2}-\d{1,2}-\d{4}$",
    "%d-%b-%Y": r"^\d{1,2}-[A-Za-z]{3}-\d{4}$",
    "%d-%B-%Y": r"^\d{1,2}-[A-Za-z]{4,9}-\d{4}$",
}
_TIMES: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M:%S%.f%#z")
_DATE_PART: Final = r"^([0-9A-Za-z]+[/.\-][0-9A-Za-z]+[/.\-][0-9]+)"


@dataclass(frozen=True, slots=True)
class DateFormat:
    """The outcome.

    Attributes:
        formats: Formats to read stamps with, date only and with a time; empty where the format is not certain.
        fault: Why it is not certain.
    """

    formats: tuple[str, ...]
    fault: str | None = None


_ENOUGH: Final = 0.9
"""Share of the dates that the format must fit; what it does not fit is a faulty row, not another format."""


def detect(texts: Sequence[pl.Series]) -> DateFormat:
    """Find the format that fits the dates better than any other; texts that are no dates at all do not count."""
    parts = pl.concat(
        [pl.Series(dtype=pl.String), *(series.cast(pl.String).str.extract(_DATE_PART).alias("") for series in texts)]
    )
    parts = parts.drop_nulls().unique().sort()
    if parts.is_empty():
        return DateFormat(tuple(f"%Y-%m-%d{time}" for time in _TIMES))
    days = {
        date: parts.set(~parts.str.contains(shape), None).str.to_date(date, strict=False)
        for date, shape in _DATES.items()
    }
    fits = {date: read.count() for date, read in days.items()}
    best = [date for date, count in fits.items() if count == max(fits.values())]
    if fits[best[0]] < _ENOUGH * len(parts):
        shown = ", ".join([*parts.head(3).to_list(), *parts.tail(1).to_list()])
        return DateFormat((), f"no one date format fits the dates of the export (e.g. {shown})")
    if any((days[date] != days[best[0]]).any() for date in best[1:]):
        readings = " or ".join(_shown(date) for date in best)
        message = (
            f"dates such as {parts[0]} can be {readings}: nothing in the export tells which. Export dates as "
            "YYYY-MM-DD, or a period with a day after the 12th"
        )
        return DateFormat((), message)
    return DateFormat(tuple(f"{date}{time}" for date in best for time in _TIMES))


def _shown(date: str) -> str:
    return date.replace("%m", "M").replace("%d", "D").replace("%Y", "YYYY")
