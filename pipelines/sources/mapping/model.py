"""What a mapping file may say: the validated shape of one YAML document."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

DEFAULT_DATES: Final = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
)
"""ISO 8601 as files really write it; a format with an offset (`%z`) overrides the mapping's zone."""

NUMBERED_DATES: Final = ("excel", "unix", "unix_ms")
"""Formats of dates that are numbers: a spreadsheet's serial days, seconds or milliseconds since 1970."""

BIRTH_TYPES: Final = frozenset({
    "order.captured",
    "order.changed",
    "hold.placed",
    "rma.created",
    "inventory.snapshot",
    "receipt.expected",
    "invoice.sent",
    "deduction.taken",
    "dispute.filed",
})  # fmt: skip
"""Events a row cannot be without: no time means a faulty row. All others simply have not happened yet."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
KINDS: Final = ("column", "constant", "coalesce", "greatest", "date_end_of_day", "join", "number_within")
_COLUMN_OPTIONS: Final = ("values", "otherwise", "format", "zone", "zero_pad", "strip_prefix", "case")


def _check_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"{value!r} is not an IANA time zone (expected e.g. America/Sao_Paulo)"
        raise ValueError(message) from error
    return value


def _check_format(value: str) -> str:
    message = f"{value!r} is not a date format (expected e.g. %d/%m/%Y %H:%M, or {', '.join(NUMBERED_DATES)})"
    if value in NUMBERED_DATES:
        return value
    if "%" not in value:
        raise ValueError(message)
    try:
        pl.Series(["x"]).str.to_datetime(value, strict=False, time_unit="us")
    except pl.exceptions.PolarsError as error:
        raise ValueError(message) from error
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_expression(value: object) -> object:
    if value is None or value == "":
        message = "is empty; expected a column name or an expression such as {constant: …}"
        raise ValueError(message)
    return {"column": value} if isinstance(value, str) else value


Zone = Annotated[str, AfterValidator(_check_zone)]
DateFormat = Annotated[str, AfterValidator(_check_format)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expression(_Part):
    """How one value is made. A bare string in YAML is a column name.

    Attributes:
        column: Column of the table, or `<lookup table>.<column>`.
        constant: The same text for every row.
        coalesce: First of these that is not empty.
        greatest: Largest of these, empty ones left out.
        date_end_of_day: A date; the value is the end of that local day (next local midnight).
        join: Texts put together; empty if one of them is.
        number_within: Running number 1, 2, 3 … of the row among rows that agree in these columns.
        values: Translation of the column's texts.
        otherwise: Translation of every other text; without it an unlisted text rejects the row.
        format: Date format of this column.
        zone: Zone of this column's stamps without offset.
        zero_pad: Fill up with leading zeros to this width (for codes a spreadsheet has damaged).
        strip_prefix: Text to take off the front.
        case: Write the text in `lower` or `upper` case.
        separator: What `join` puts between the parts.
    """

    column: str | None = None
    constant: str | None = None
    coalesce: tuple[Operand, ...] | None = Field(default=None, min_length=1)
    greatest: tuple[Operand, ...] | None = Field(default=None, min_length=1)
    date_end_of_day: Operand | None = None
    join: tuple[Operand, ...] | None = Field(default=None, min_length=1)
    number_within: Names | None = None
    values: dict[str, str] | None = None
    otherwise: str | None = None
    format: DateFormat | None = None
    zone: Zone | None = None
    zero_pad: int | None = Field(default=None, ge=1, le=40)
    strip_prefix: str | None = None
    case: Literal["lower", "upper"] | None = None
    separator: str = ""

    @property
    def kind(self) -> str:
        """The one kind that is set."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            given = f"{' and '.join(kinds)} are given" if kinds else "none is given"
            message = f"expected exactly one of {', '.join(KINDS)}; {given}"
            raise ValueError(message)
        misplaced = [option for option in _COLUMN_OPTIONS if getattr(self, option) is not None]
        if misplaced and self.column is None:
            message = f"{', '.join(misplaced)} can only stand beside column"
            raise ValueError(message)
        if self.otherwise is not None and self.values is None:
            message = "otherwise needs values"
            raise ValueError(message)
        return self

    def columns(self) -> tuple[str, ...]:
        """Every column the expression reads."""
        if self.column is not None:
            return (self.column,)
        if self.number_within is not None:
            return self.number_within
        parts = self.coalesce or self.greatest or self.join or ()
        if self.date_end_of_day is not None:
            parts = (self.date_end_of_day,)
        return tuple(name for part in parts for name in part.columns())

    def numbers_rows(self) -> bool:
        """Say whether the value of a row depends on the rows before it."""
        parts = [*(self.coalesce or ()), *(self.greatest or ()), *(self.join or ()), self.date_end_of_day]
        return self.number_within is not None or any(part.numbers_rows() for part in parts if part is not None)


Operand = Annotated[Expression, BeforeValidator(_as_expression)]
Expression.model_rebuild()


class Lookup(_Part):
    """A many-to-one join: every row gets the columns of the one row it points to, as `<table>.<column>`.

    Attributes:
        table: Table to look in; of several rows with the same key the last one counts.
        by: Column of the same name in both, or {own column: its column}.
        required: A row without a partner is rejected; otherwise the looked-up columns are empty.
    """

    table: str
    by: Annotated[
        dict[str, str], BeforeValidator(lambda value: {value: value} if isinstance(value, str) else value)
    ] = Field(min_length=1)
    required: bool = False


class Table(_Part):
    """Which files hold a table, how they are written, and what is looked up for its rows.

    Attributes:
        files: Globs over file names (`.gz` may always follow).
        required: The mapping cannot work without the table.
        encoding: Text encoding.
        separator: Cell separator; by default a tab in `.tsv` files and a comma otherwise.
        sheet: Sheet of a spreadsheet; the first by default.
        header_row: Row that holds the column names, as a spreadsheet counts.
        url: Where the table is published as CSV; then no file is needed.
        optional_columns: Columns that some files do not have; they are empty there.
        lookups: Joins, in order; a later one may use columns an earlier one brought.
    """

    files: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    required: bool = True
    url: str | None = None
    sheet: str | None = None
    header_row: int = Field(default=1, ge=1)
    encoding: str = "utf-8"
    separator: str | None = Field(default=None, min_length=1, max_length=1)
    optional_columns: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    lookups: tuple[Lookup, ...] = ()

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if not self.files and self.url is None:
            message = "expected files: a glob over file names, or url: where the table is published as CSV"
            raise ValueError(message)
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            message = f"url {self.url!r}: expected https://… (or http://…)"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _encoding_exists(self) -> Self:
        try:
            "".encode(self.encoding)
        except LookupError as error:
            message = f"encoding {self.encoding!r} is unknown (expected e.g. utf-8, windows-1252)"
            raise ValueError(message) from error
        return self


class Condition(_Part):
    """One thing that must hold for a row to make an event.

    Attributes:
        column: Column to look at, together with one of `in`, `not_in`, `is`.
        among: Texts of which one must stand there (`in` in YAML).
        not_in: Texts of which none may stand there.
        starts_with: Beginnings of which the text must have one.
        not_starts_with: Beginnings of which the text may have none.
        state: `present` or `empty` (`is` in YAML).
        no_row_in: A table that must have no row for this one, together with `by`.
        by: As in lookups.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    column: str | None = None
    among: Names | None = Field(default=None, alias="in")
    not_in: Names | None = None
    starts_with: Names | None = None
    not_starts_with: Names | None = None
    state: Literal["present", "empty"] | None = Field(default=None, alias="is")
    no_row_in: str | None = None
    by: Annotated[
        dict[str, str] | None, BeforeValidator(lambda value: {value: value} if isinstance(value, str) else value)
    ] = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        kinds = ("among", "not_in", "starts_with", "not_starts_with", "state")
        tests = [name for name in kinds if getattr(self, name) is not None]
        if self.no_row_in is not None:
            if self.column is not None or tests or not self.by:
                message = "no_row_in stands alone with by: {no_row_in: items, by: order_id}"
                raise ValueError(message)
        elif self.column is None or len(tests) != 1 or self.by is not None:
            message = (
                "expected {column: …} with exactly one of in, not_in, is, starts_with, not_starts_with; "
                "or {no_row_in: …, by: …}"
            )
            raise ValueError(message)
        return self


class EventRule(_Part):
    """Which rows of a table become which event.

    Attributes:
        type: Canonical event type.
        table: Table whose rows make the events (`from` in YAML).
        at: Business time of the event.
        where: Conditions; all must hold.
        time_quality: How well `at` is known.
        missing_time: What an empty `at` means; the default depends on the type (see BIRTH_TYPES).
        columns: Canonical column → expression.
        attributes: Name → expression, for what has no column of its own (`incoterm`, notes, …); kept as text.
    """

    type: str
    table: str = Field(alias="from")
    at: Operand
    where: tuple[Condition, ...] = ()
    time_quality: Literal["instant", "date", "estimated"] = "instant"
    missing_time: Literal["skip", "reject"] | None = None
    columns: dict[str, Operand] = Field(min_length=1)
    attributes: dict[Annotated[str, Field(pattern=f"^{_NAME.pattern}$")], Operand] = Field(default_factory=dict)

    @property
    def read(self) -> tuple[Expression, ...]:
        """Everything the rule reads of a row, apart from its conditions."""
        return (self.at, *self.columns.values(), *self.attributes.values())

    @property
    def rejects_missing_time(self) -> bool:
        """Whether a row without a time is faulty."""
        if self.missing_time is None:
            return self.type in BIRTH_TYPES
        return self.missing_time == "reject"


class MappingSpec(_Part):
    """A whole mapping file.

    Attributes:
        name: The events' `source`: lower case letters, digits, underscores.
        description: For readers.
        zone: IANA zone of stamps without offset.
        empty: Texts that mean "nothing here" besides the empty cell.
        dates: Date formats, tried in order.
        numbers: How numbers are written.
        ignore: Globs of files that belong to the data set but are not used.
        tables: Table name → files.
        events: What becomes of the rows.
    """

    name: str
    description: str = ""
    zone: Zone
    empty: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    dates: tuple[DateFormat, ...] = Field(default=DEFAULT_DATES, min_length=1)
    numbers: Literal["1234.5", "1,234.5", "1.234,5"] = "1234.5"
    ignore: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    tables: dict[str, Table] = Field(min_length=1)
    events: tuple[EventRule, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _dates_may_be_one(cls, data: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever the file holds
        if isinstance(data, dict) and isinstance(data.get("dates"), str):
            return data | {"dates": [data["dates"]]}
        return data

    @model_validator(mode="after")
    def _names_are_plain(self) -> Self:
        for name in (self.name, *self.tables):
            if not _NAME.fullmatch(name):
                message = f"{name!r} is not a plain name (expected lower case letters, digits and underscores)"
                raise ValueError(message)
        return self
