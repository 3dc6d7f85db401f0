"""Text → typed values: every parser is a pair of polars expressions, the value and (null or) what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from pipelines.sources.mapping.model import DEFAULT_DATES
from storage.contracts import Column

EARLIEST_YEAR: Final = 1900
LATEST_YEAR: Final = 2199

_POLARS_TYPES: Final[dict[str, pl.DataType]] = {
    "VARCHAR": pl.String(),
    "TIMESTAMP": pl.Datetime("us"),
    "DATE": pl.Date(),
    "BOOLEAN": pl.Boolean(),
    "DECIMAL(18,3)": pl.Decimal(18, 3),
    "DECIMAL(18,4)": pl.Decimal(18, 4),
}
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)$"
GROUPED: Final = {
    # Thousands, and in India hundreds of thousands; `10,00` is not one thousand.
    "1,234.5": r"^[+-]?(\d{1,3}(,\d{2,3})*,\d{3}|\d*)(\.\d*)?$",
    "1.234,5": r"^[+-]?(\d{1,3}(\.\d{2,3})*\.\d{3}|\d*)(,\d*)?$",
}
"""Number style → how its numbers look once money signs and blanks are gone."""

_CODES: Final = (
    "EUR|USD|GBP|JPY|CNY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|BRL|MXN|ARS|CLP|COP|PEN|INR|KRW|SGD|HKD|"
    "TWD|THB|IDR|MYR|PHP|VND|ZAR|AED|SAR|QAR|KWD|BHD|ILS|EGP|UAH"
)
SIGNS: Final = rf"(?:{_CODES}|[A-Z]{{0,2}}\p{{Sc}}|Kč|kr\.?|zł|Fr\.)"
MONEY_SIGN: Final = rf"^([+-]?)\s*{SIGNS}\s*|\s*{SIGNS}$"
"""A currency before or after a number."""

THOUSANDS: Final = r"(\d)[\s\u00a0\u202f'’](\d{3})"
"""Blanks and apostrophes between thousands."""

SPECIAL_DATES: Final = {
    "excel": r"^\d{4,5}(\.\d+)?$",
    "unix": r"^\d{9,10}(\.\d+)?$",
    "unix_ms": r"^\d{12,13}$",
}
"""Dates that are numbers: days since 1899-12-30 (local), seconds or milliseconds since 1970 (UTC) → their looks."""

_SERIAL_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - wall time
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC
_MILLISECONDS: Final = {"excel": 86_400_000, "unix": 1000, "unix_ms": 1}
_TRUE: Final = ("true", "t", "yes", "y", "1")
_FALSE: Final = ("false", "f", "no", "n", "0")


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a mapping's texts are written.

    Attributes:
        zone: IANA zone of stamps without offset.
        dates: Date formats, tried in order.
        numbers: Number style.
    """

    zone: str = "UTC"
    dates: Sequence[str] = DEFAULT_DATES
    numbers: str = "1234.5"


@dataclass(frozen=True, slots=True)
class Value:
    """A value and its fault: a sentence where the text could not be read, null elsewhere.

    Attributes:
        value: The value.
        fault: The sentence.
        judge: Makes the fault of the value once that stands in a column, so that it need not be read a second time.
    """

    value: pl.Expr
    fault: pl.Expr
    judge: Callable[[pl.Expr], pl.Expr] | None = None

    def within(self, name: str) -> Value:
        """Return the same value and fault where the value stands in a column."""
        column = pl.col(name)
        return Value(column, self.judge(column) if self.judge else self.fault)


def no_fault() -> pl.Expr:
    """Return the expression of "nothing is wrong"."""
    return pl.lit(None, dtype=pl.String)


def polars_type(column: Column) -> pl.DataType:
    """Return the polars type of a contract column."""
    return _POLARS_TYPES[column.type]


def parse_text(text: pl.Expr, column: Column, style: TextFormat, *, label: str) -> Value:
    """Read texts as the type of a contract column.

    Args:
        text: Expression of the text; null = empty.
        column: Canonical column that the value is for.
        style: Formats.
        label: What the fault calls the source, e.g. `column order_date`.
    """
    value, expected = _parser(text, column, style)
    return _judged(text, value, expected, label)


def parse_end_of_day(text: pl.Expr, style: TextFormat, *, label: str) -> Value:
    """Read dates (or stamps) as the exclusive end of that local day, in UTC."""
    day = _wall_time(text, style).dt.truncate("1d")
    value = to_utc(day.dt.offset_by("1d"), style.zone)
    return _judged(text, value, f"a date ({_shown(style.dates)})", label)


def _judged(text: pl.Expr, value: pl.Expr, expected: str, label: str) -> Value:
    def judge(read: pl.Expr) -> pl.Expr:
        return pl.when(text.is_not_null() & read.is_null()).then(
            pl.format("{}: '{}' is not {}", pl.lit(label), text.str.slice(0, 60), pl.lit(expected))
        )

    return Value(value, judge(value), judge)


def to_utc(wall: pl.Expr, zone: str) -> pl.Expr:
    """Turn local wall times into naive UTC.

    A time that exists twice counts as the first one. A time skipped by the change to summer time is
    read with the offset before the change, so that a skipped midnight becomes the day's first instant.
    """
    exact = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = wall.dt.offset_by("-3h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    exact_utc = exact.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    skipped_utc = skipped.dt.convert_time_zone("UTC").dt.replace_time_zone(None).dt.offset_by("3h")
    return pl.coalesce(exact_utc, skipped_utc)


def fault_of(text: str, column: Column) -> str | None:
    """Say what is wrong with a constant for a column, or return None."""
    if text == "":
        return None
    if column.allowed and text not in column.allowed:
        return f"{text!r} is not one of {', '.join(column.allowed)}"
    parsed = parse_text(pl.col("text"), column, TextFormat(), label="constant")
    return pl.DataFrame({"text": [text]}).select(parsed.fault.alias("fault")).item()  # type: ignore[no-any-return]


def _parser(text: pl.Expr, column: Column, style: TextFormat) -> tuple[pl.Expr, str]:
    kind = column.type
    if kind == "VARCHAR":
        return text, "a text"
    if kind == "BOOLEAN":
        lower = text.str.to_lowercase()
        answer = pl.when(lower.is_in(_TRUE)).then(pl.lit(True)).when(lower.is_in(_FALSE)).then(pl.lit(False))  # noqa: FBT003
        return answer, "true or false"
    if kind == "TIMESTAMP":
        return _instant(text, style), f"a time ({_shown(style.dates)})"
    if kind == "DATE":
        return _wall_time(text, style).dt.date(), f"a date ({_shown(style.dates)})"
    return _number(text, style).cast(polars_type(column), strict=False), f"a number written like {style.numbers}"


def _number(text: pl.Expr, style: TextFormat) -> pl.Expr:
    if style.numbers == "1234.5":
        return pl.when(text.str.contains(_NUMBER)).then(text)
    bare = bare_number(text)
    grouped = pl.when(bare.str.contains(GROUPED[style.numbers])).then(bare)
    if style.numbers == "1,234.5":
        plain = grouped.str.replace_all(",", "", literal=True)
    else:
        plain = grouped.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
    return pl.when(plain.str.contains(_NUMBER)).then(plain)


def bare_number(text: pl.Expr) -> pl.Expr:
    """Take the currency and what parts thousands, other than comma and dot, off a number."""
    signless = text.str.replace_all(MONEY_SIGN, "$1")
    # Twice: of 1 234 567 the first pass leaves the second gap where it shares a digit with the first.
    return signless.str.replace_all(THOUSANDS, "$1$2").str.replace_all(THOUSANDS, "$1$2")


def _instant(text: pl.Expr, style: TextFormat) -> pl.Expr:
    def read(part: pl.Expr, form: str) -> pl.Expr:
        if _has_offset(form):
            return _in_range(_aware(part, form).dt.convert_time_zone("UTC").dt.replace_time_zone(None))
        return _in_range(to_utc(_in_range(_naive(part, form)), style.zone))

    return _by_first_fit(text, style.dates, read)


def _wall_time(text: pl.Expr, style: TextFormat) -> pl.Expr:
    def read(part: pl.Expr, form: str) -> pl.Expr:
        if _has_offset(form):
            return _in_range(_aware(part, form).dt.convert_time_zone(style.zone).dt.replace_time_zone(None))
        return _in_range(_naive(part, form))

    return _by_first_fit(text, style.dates, read)


def _by_first_fit(text: pl.Expr, forms: Sequence[str], read: Callable[[pl.Expr, str], pl.Expr]) -> pl.Expr:
    """Read each text by the first format that fits it; a format only sees what those before it could not read."""
    if text.meta.is_literal():
        return pl.coalesce(read(text, form) for form in forms)

    def read_all(texts: pl.Series) -> pl.Series:
        rows = pl.DataFrame({"text": texts, "row": pl.int_range(len(texts), eager=True)}).drop_nulls("text")
        parts = []
        for form in forms:
            rows = rows.with_columns(read(pl.col("text"), form).alias("moment"))
            parts.append(rows.drop_nulls("moment").select("row", "moment"))
            rows = rows.filter(pl.col("moment").is_null())
            if rows.is_empty():
                break
        parts.append(rows.select("row", pl.lit(None, dtype=pl.Datetime("us")).alias("moment")))
        found = pl.concat(parts)
        if found.height == len(texts) and len(parts) == 2:  # all by one format: in order already
            return found["moment"]
        whole = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(texts))
        return whole.scatter(found["row"], found["moment"])

    return text.map_batches(read_all, return_dtype=pl.Datetime("us"))


def _naive(text: pl.Expr, form: str) -> pl.Expr:
    if form in SPECIAL_DATES:
        return _numbered(text, form)
    return text.str.to_datetime(form, strict=False, time_unit="us")


def _aware(text: pl.Expr, form: str) -> pl.Expr:
    if form in SPECIAL_DATES:
        return _numbered(text, form).dt.replace_time_zone("UTC")
    return text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")


def _numbered(text: pl.Expr, form: str) -> pl.Expr:
    """Read a date that is a number, to the millisecond."""
    number = pl.when(text.str.contains(SPECIAL_DATES[form])).then(text).cast(pl.Float64, strict=False)
    after = pl.duration(milliseconds=(number * _MILLISECONDS[form]).round().cast(pl.Int64), time_unit="us")
    return pl.lit(_SERIAL_ZERO if form == "excel" else _EPOCH, dtype=pl.Datetime("us")) + after


def has_clock(form: str) -> bool:
    """Say whether a date format bears a time of day."""
    return form.startswith("unix") or any(
        mark in form for mark in ("%H", "%I", "%T", "%R", "%s", "%c", "%X", "%k", "%l")
    )


def _in_range(stamp: pl.Expr) -> pl.Expr:
    return pl.when(stamp.dt.year().is_between(EARLIEST_YEAR, LATEST_YEAR)).then(stamp)


def _has_offset(form: str) -> bool:
    return form.startswith("unix") or any(mark in form for mark in ("%z", "%#z", "%:z", "%Z"))


def _shown(formats: Sequence[str]) -> str:
    if tuple(formats) == DEFAULT_DATES:
        return "expected e.g. 2026-11-16 or 2026-11-16 14:30:00, with or without offset"
    return f"expected {' or '.join(formats)}"
