"""One event rule of a mapping → polars expressions for its events and for what is wrong with a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from pipelines.sources.mapping.express import Compiler
from pipelines.sources.mapping.load import FAMILY_OF, needed_columns
from pipelines.sources.mapping.model import Condition, EventRule
from pipelines.sources.mapping.tables import REF
from pipelines.sources.sheets import json_object
from storage.contracts import EVENT_TABLES, conform


class RuleExpressions:
    """The polars expressions of one event rule."""

    def __init__(self, compiler: Compiler, rule: EventRule, *, prefix: str) -> None:
        self.rule = rule
        self.family = FAMILY_OF[rule.type]
        table = EVENT_TABLES[self.family]
        at = compiler.compile(rule.at, table.column("event_at"))
        self.quality = pl.lit(rule.time_quality) if rule.time_quality != "instant" else compiler.quality(rule.at)
        values = {name: compiler.compile(expression, table.column(name)) for name, expression in rule.columns.items()}
        noted = {
            name: compiler.compile(expression, table.column("attributes"))
            for name, expression in rule.attributes.items()
        }
        self.read = [
            at.value.alias(f"{prefix}@"),
            *(value.value.alias(f"{prefix}{name}") for name, value in values.items()),
            *(value.value.alias(f"{prefix}attributes.{name}") for name, value in noted.items()),
        ]
        """What is read of a row, to be put into columns before anything else is asked of the rule."""
        self.at = at.within(f"{prefix}@")
        self.noted = {name: value.within(f"{prefix}attributes.{name}") for name, value in noted.items()}
        self.values = {name: value.within(f"{prefix}{name}") for name, value in values.items()}
        self.needed = needed_columns(table, rule.type)
        self.holds = pl.all_horizontal(
            pl.lit(True),  # noqa: FBT003 - a polars literal
            *(_condition(condition, f"{prefix}{position}") for position, condition in enumerate(rule.where)),
        )

    def faults(self) -> Iterator[pl.Expr]:
        """Yield what can be wrong with a row, each null where nothing is."""
        happened = self.holds
        if self.rule.rejects_missing_time:
            columns = ", ".join(self.rule.at.columns())
            yield pl.when(self.holds & self.at.value.is_null() & self.at.fault.is_null()).then(
                pl.lit(f"{self.rule.type} needs a time, but column {columns} is empty")
            )
        else:
            happened = self.holds & self.at.value.is_not_null()
        yield pl.when(self.holds).then(self.at.fault)
        for name, value in self.values.items():
            yield pl.when(self.holds).then(value.fault)
            if name in self.needed:
                columns = ", ".join(self.rule.columns[name].columns())
                yield pl.when(happened & value.value.is_null() & value.fault.is_null()).then(
                    pl.lit(f"{self.rule.type} needs {name}, but column {columns} is empty")
                )
        yield from (pl.when(self.holds).then(value.fault) for value in self.noted.values())

    def build(self, rows: pl.DataFrame, *, source: str) -> pl.DataFrame:
        """Return the events of rows without faults."""
        rule = self.rule
        notes = {name: value.value for name, value in self.noted.items()}
        made = rows.select(
            pl.lit(rule.type).alias("event_type"),
            self.at.value.alias("event_at"),
            self.quality.alias("time_quality"),
            pl.lit(source).alias("source"),
            pl.col(REF).alias("source_ref"),
            self.holds.alias("\x00holds"),
            *([json_object(notes).alias("attributes")] if notes else []),
            *(value.value.alias(name) for name, value in self.values.items()),
        )
        happened = made.filter(pl.col("\x00holds") & pl.col("event_at").is_not_null()).drop("\x00holds")
        return conform(happened, self.family)


def _condition(condition: Condition, flag: str) -> pl.Expr:
    if condition.no_row_in is not None:
        return pl.col(flag).is_null()
    text = pl.col(condition.column or "")
    if condition.among is not None:
        return text.is_in(condition.among).fill_null(value=False)
    if condition.not_in is not None:
        return ~text.is_in(condition.not_in).fill_null(value=False)
    if condition.starts_with is not None:
        return _begins(text, condition.starts_with)
    if condition.not_starts_with is not None:
        return ~_begins(text, condition.not_starts_with)
    return text.is_not_null() if condition.state == "present" else text.is_null()


def _begins(text: pl.Expr, beginnings: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal(text.str.starts_with(beginning) for beginning in beginnings).fill_null(value=False)
