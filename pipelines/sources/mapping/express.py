"""One column expression of a mapping → polars expressions for its value and its fault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from pipelines.sources.mapping.model import Expression
from pipelines.sources.mapping.values import (
    TextFormat,
    Value,
    has_clock,
    no_fault,
    parse_end_of_day,
    parse_text,
    polars_type,
)
from storage.contracts import Column

_CLOCK: Final = r":|^\d+\.\d+$|^\d{9,}$|[0-9] ?[AaPp][Mm]$"
"""Looks of a stamp with a time of day: a colon, a spreadsheet's broken day, seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """Turns expressions into polars for one mapping."""

    style: TextFormat

    def compile(self, expression: Expression, column: Column) -> Value:
        """Return value and fault of an expression for a canonical column."""
        kind = expression.kind
        if kind == "constant":
            return self._constant(expression.constant or "", column)
        if kind == "column":
            return self._column(expression, column)
        if kind == "number_within":
            names = expression.number_within or ()
            number = pl.int_range(1, pl.len() + 1).over(*names)
            text = number.cast(pl.String)
            return parse_text(text, column, self.style, label=f"number within {', '.join(names)}")
        if kind == "date_end_of_day" and expression.date_end_of_day is not None:
            text, fault, style = self._text(expression.date_end_of_day)
            return _with_fault(parse_end_of_day(text, style, label=_label(expression)), fault)
        return self._combined(expression, column)

    def quality(self, expression: Expression) -> pl.Expr:
        """Return how well a time is known that the mapping calls an instant: a bare date is only a `date`."""
        parts = expression.coalesce or (expression,)
        if any(part.kind != "column" or part.values is not None for part in parts):
            return pl.lit("instant")
        forms = [form for part in parts for form in ((part.format,) if part.format else self.style.dates)]
        if not any(map(has_clock, forms)) and "excel" not in forms:
            return pl.lit("date")
        if all(map(has_clock, forms)):
            return pl.lit("instant")
        text = pl.coalesce(pl.col(part.column or "") for part in parts)
        return pl.when(text.str.contains(_CLOCK)).then(pl.lit("instant")).otherwise(pl.lit("date"))

    def _combined(self, expression: Expression, column: Column) -> Value:
        if expression.join is not None:
            texts = [self._text(part) for part in expression.join]
            joined = pl.concat_str([text for text, _, _ in texts], separator=expression.separator)
            return Value(joined, _first(fault for _, fault, _ in texts))
        parts = [self.compile(part, column) for part in expression.coalesce or expression.greatest or ()]
        values = [part.value for part in parts]
        value = pl.coalesce(values) if expression.coalesce else pl.max_horizontal(values)
        return Value(value, _first(part.fault for part in parts))

    def _constant(self, text: str, column: Column) -> Value:
        parsed = parse_text(pl.lit(text or None, dtype=pl.String), column, self.style, label="constant")
        return Value(parsed.value.cast(polars_type(column)), no_fault())

    def _column(self, expression: Expression, column: Column) -> Value:
        text, fault, style = self._text(expression)
        return _with_fault(parse_text(text, column, style, label=_label(expression)), fault)

    def _text(self, expression: Expression) -> tuple[pl.Expr, pl.Expr, TextFormat]:
        """Return the text of a column, coalesce or constant before it is read as a type."""
        if expression.coalesce is not None:
            parts = [self._text(part) for part in expression.coalesce]
            return pl.coalesce(text for text, _, _ in parts), _first(fault for _, fault, _ in parts), self.style
        if expression.constant is not None:
            return pl.lit(expression.constant or None, dtype=pl.String), no_fault(), self.style
        text = pl.col(expression.column or "")
        if expression.strip_prefix is not None:
            text = text.str.strip_prefix(expression.strip_prefix)
        if expression.case is not None:
            text = text.str.to_lowercase() if expression.case == "lower" else text.str.to_uppercase()
        if expression.zero_pad is not None:
            text = text.str.zfill(expression.zero_pad)
        fault = no_fault()
        if expression.values is not None:
            text, fault = _translated(text, expression)
        style = replace(
            self.style,
            zone=expression.zone or self.style.zone,
            dates=(expression.format,) if expression.format else self.style.dates,
        )
        return text, fault, style


def _translated(text: pl.Expr, expression: Expression) -> tuple[pl.Expr, pl.Expr]:
    values = expression.values or {}
    old, new = list(values), [target or None for target in values.values()]
    known = text.is_in(old)
    result = text.replace_strict(old, new, default=expression.otherwise or None, return_dtype=pl.String)
    translated = pl.when(text.is_not_null()).then(result)
    if expression.otherwise is not None:
        return translated, no_fault()
    sentence = pl.format(
        "{}: '{}' is not one of the values {}",
        pl.lit(f"column {expression.column}"),
        text.str.slice(0, 60),
        pl.lit(", ".join(old)),
    )
    return translated, pl.when(text.is_not_null() & ~known).then(sentence)


def _with_fault(parsed: Value, fault: pl.Expr) -> Value:
    """Return a value whose fault is an earlier one, else its own."""
    judge = parsed.judge
    return Value(
        parsed.value,
        pl.coalesce(fault, parsed.fault),
        None if judge is None else lambda read: pl.coalesce(fault, judge(read)),
    )


def _label(expression: Expression) -> str:
    return f"column {', '.join(expression.columns())}"


def _first(faults: Iterable[pl.Expr]) -> pl.Expr:
    return pl.coalesce([no_fault(), *faults])
