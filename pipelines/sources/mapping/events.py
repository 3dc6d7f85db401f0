"""Tables and expressions → canonical events, and the public face of a mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.errors import MappingError, SourceError
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, reject_frame
from pipelines.sources.mapping.express import Compiler
from pipelines.sources.mapping.load import FAMILY_OF, load_spec, needed_columns
from pipelines.sources.mapping.model import Condition, EventRule, Lookup, MappingSpec
from pipelines.sources.mapping.tables import RAW_CHARACTERS, REF, TableReader, matches
from pipelines.sources.mapping.values import TextFormat, Value
from storage.contracts import EVENT_TABLES, conform

_FOUND: Final = "\x00found:"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping file, ready to read data.

    Attributes:
        path: The YAML file.
        spec: What it says.
    """

    path: Path
    spec: MappingSpec

    @property
    def name(self) -> str:
        """Name of the mapping, which is its events' `source`."""
        return self.spec.name

    def matches(self, file: SourceFile) -> bool:
        """Say whether the mapping has a use for the file, or knows that it is to be ignored."""
        return (
            self._is_own(file)
            or any(matches(file, table.files) for table in self.spec.tables.values())
            or (matches(file, self.spec.ignore))
        )

    def parse(self, files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
        """Read the files into canonical events.

        Args:
            files: Files of the data set, and possibly the mapping file itself, which is passed over.
            context: Not used: a mapping names zone and currency itself, so that it means the same everywhere.

        Raises:
            SourceError: Files of a required table are missing, or a file matches two tables.
            MappingError: No file of a table has the columns that the mapping names.
        """
        del context
        groups = self._grouped([file for file in files if not self._is_own(file)])
        frames: dict[str, pl.DataFrame] = {}
        rejects: list[pl.DataFrame] = []
        rows_in = {file.name: 0 for file in files}
        for name, table in self.spec.tables.items():
            reader = TableReader(table, needed=_needed(self.spec, name), empty=self.spec.empty)
            frames[name] = reader.read(groups[name])
            if reader.refused and len(reader.refused) == len(groups[name]):
                message = f"{self.path}: tables.{name}: no file can be used: {'; '.join(reader.refused)}"
                raise MappingError(message)
            rejects.append(reject_frame(reader.rejects))
            rows_in |= reader.rows_in
        events: dict[str, list[pl.DataFrame]] = {}
        for name in self.spec.tables:
            rules = [rule for rule in self.spec.events if rule.table == name]
            if rules:
                rejects.append(self._map_table(name, rules, frames, events))
        return ParsedBatch(
            events={family: pl.concat(parts) for family, parts in events.items()},
            rejects=pl.concat(rejects),
            rows_in=rows_in,
        )

    def _is_own(self, file: SourceFile) -> bool:
        return file.path.resolve() == self.path.resolve()

    def _grouped(self, files: Sequence[SourceFile]) -> dict[str, list[SourceFile]]:
        groups: dict[str, list[SourceFile]] = {name: [] for name in self.spec.tables}
        for file in sorted(files, key=lambda file: file.name):
            homes = [name for name, table in self.spec.tables.items() if matches(file, table.files)]
            if len(homes) > 1:
                message = f"{self.path}: {file.name} is a file of tables {', '.join(homes)}; make the globs narrower"
                raise SourceError(message)
            if homes:
                groups[homes[0]].append(file)
        for name, table in self.spec.tables.items():
            if table.required and not groups[name]:
                given = ", ".join(file.name for file in files[:8]) or "none"
                message = (
                    f"{self.path}: table {name} needs a file like {' or '.join(table.files)}; files given: {given}. "
                    "Give the folder that holds it, or set `required: false` on the table."
                )
                raise SourceError(message)
        return groups

    def _map_table(
        self,
        name: str,
        rules: Sequence[EventRule],
        frames: dict[str, pl.DataFrame],
        events: dict[str, list[pl.DataFrame]],
    ) -> pl.DataFrame:
        """Add the table's events to `events` and return its rejected rows."""
        lookups = self.spec.tables[name].lookups
        own = frames[name]
        rows = self._joined(own, lookups, frames)
        compiled = []
        for position, rule in enumerate(rules):
            rows = _flag_partners(rows, rule, frames, prefix=f"\x00rule{position}:")
            compiled.append(_RuleExpressions(self._compiler(), rule, prefix=f"\x00rule{position}:"))
        faults = [_lookup_fault(lookup) for lookup in lookups if lookup.required]
        faults += [fault for expressions in compiled for fault in expressions.faults()]
        reason = pl.concat_list(faults).list.drop_nulls().list.unique(maintain_order=True).list.join("; ")
        judged = rows.with_columns(reason.alias("\x00reason"))
        good = judged.filter(pl.col("\x00reason") == "")
        for expressions in compiled:
            events.setdefault(expressions.family, []).append(expressions.build(good, source=self.name))
        bad = judged.filter(pl.col("\x00reason") != "")
        shown = [column for column in own.columns if column != REF]
        return bad.select(
            pl.col(REF).alias("source_ref"),
            pl.col("\x00reason").alias("reason"),
            pl.struct(shown).struct.json_encode().str.slice(0, RAW_CHARACTERS).alias("raw"),
        )

    def _compiler(self) -> Compiler:
        return Compiler(TextFormat(self.spec.zone, self.spec.dates, self.spec.numbers))

    def _joined(self, rows: pl.DataFrame, lookups: Sequence[Lookup], frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
        for lookup in lookups:
            keys = list(lookup.by.values())
            partner = frames[lookup.table].drop(REF).unique(subset=keys, keep="last", maintain_order=True)
            partner = partner.select(
                pl.all().name.prefix(f"{lookup.table}."),
                pl.lit(True).alias(_FOUND + lookup.table),  # noqa: FBT003
            )
            rows = rows.join(
                partner,
                left_on=list(lookup.by),
                right_on=[f"{lookup.table}.{key}" for key in keys],
                how="left",
                coalesce=False,
                maintain_order="left",
            )
        return rows


class _RuleExpressions:
    """The polars expressions of one event rule."""

    def __init__(self, compiler: Compiler, rule: EventRule, *, prefix: str) -> None:
        self.rule = rule
        self.family = FAMILY_OF[rule.type]
        table = EVENT_TABLES[self.family]
        self.at = compiler.compile(rule.at, table.column("event_at"))
        self.values: dict[str, Value] = {
            name: compiler.compile(expression, table.column(name)) for name, expression in rule.columns.items()
        }
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

    def build(self, rows: pl.DataFrame, *, source: str) -> pl.DataFrame:
        """Return the events of rows without faults."""
        rule = self.rule
        made = rows.select(
            pl.lit(rule.type).alias("event_type"),
            self.at.value.alias("event_at"),
            pl.lit(rule.time_quality).alias("time_quality"),
            pl.lit(source).alias("source"),
            pl.col(REF).alias("source_ref"),
            self.holds.alias("\x00holds"),
            *(value.value.alias(name) for name, value in self.values.items()),
        )
        happened = made.filter(pl.col("\x00holds") & pl.col("event_at").is_not_null()).drop("\x00holds")
        return conform(happened, self.family)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MappingError: Something in it cannot be; the message names file, key and what was expected.
    """
    return Mapping(path, load_spec(path))


def claim_files(
    paths: Sequence[Path], files: Sequence[SourceFile]
) -> tuple[list[tuple[Mapping, list[SourceFile]]], list[SourceFile]]:
    """Offer files to mappings.

    Returns:
        The mappings that want some of the files, each with its files; and the files that none wants.

    Raises:
        MappingError: A mapping is faulty.
        SourceError: Two mappings want the same file.
    """
    mappings = [load_mapping(path) for path in paths]
    claims: dict[int, list[SourceFile]] = {}
    rest = []
    for file in files:
        takers = [position for position, mapping in enumerate(mappings) if mapping.matches(file)]
        if len(takers) > 1:
            names = ", ".join(str(mappings[position].path) for position in takers)
            message = f"{file.name} is claimed by several mappings: {names}. Make their `files` globs narrower."
            raise SourceError(message)
        if takers:
            claims.setdefault(takers[0], []).append(file)
        else:
            rest.append(file)
    return [(mappings[position], claims[position]) for position in sorted(claims)], rest


def _condition(condition: Condition, flag: str) -> pl.Expr:
    if condition.no_row_in is not None:
        return pl.col(flag).is_null()
    text = pl.col(condition.column or "")
    if condition.among is not None:
        return text.is_in(condition.among).fill_null(value=False)
    if condition.not_in is not None:
        return ~text.is_in(condition.not_in).fill_null(value=False)
    return text.is_not_null() if condition.state == "present" else text.is_null()


def _flag_partners(
    rows: pl.DataFrame, rule: EventRule, frames: dict[str, pl.DataFrame], *, prefix: str
) -> pl.DataFrame:
    """Add a column per `no_row_in` condition: true where the other table has a row, null elsewhere."""
    for position, condition in enumerate(rule.where):
        if condition.no_row_in is not None and condition.by is not None:
            keys = list(condition.by.values())
            flags = (
                frames[condition.no_row_in]
                .select(keys)
                .unique()
                .with_columns(
                    pl.lit(True).alias(f"{prefix}{position}")  # noqa: FBT003 - a polars literal
                )
            )
            rows = rows.join(
                flags, left_on=list(condition.by), right_on=keys, how="left", maintain_order="left", coalesce=True
            )
    return rows


def _lookup_fault(lookup: Lookup) -> pl.Expr:
    key = " and ".join(lookup.by)
    shown = pl.concat_str([pl.col(name).fill_null("(empty)") for name in lookup.by], separator=", ")
    return pl.when(pl.col(_FOUND + lookup.table).is_null()).then(
        pl.format("{} {} has no row in table {}", pl.lit(f"column {key}:"), shown, pl.lit(lookup.table))
    )


def _needed(spec: MappingSpec, table: str) -> Collection[str]:
    """Return the columns of one table that the mapping reads anywhere."""
    used: set[str] = set()
    for home, column in _references(spec):
        own = {lookup.table for lookup in spec.tables[home].lookups}
        prefix, _, rest = column.partition(".")
        owner, name = (prefix, rest) if rest and prefix in own else (home, column)
        if owner == table:
            used.add(name)
    for definition in spec.tables.values():
        for lookup in definition.lookups:
            if lookup.table == table:
                used |= set(lookup.by.values())
    for rule in spec.events:
        for condition in rule.where:
            if condition.no_row_in == table and condition.by is not None:
                used |= set(condition.by.values())
    return used


def _references(spec: MappingSpec) -> Iterator[tuple[str, str]]:
    """Yield (table, column as written) of every place that reads a column in a table's own terms."""
    for name, table in spec.tables.items():
        for lookup in table.lookups:
            yield from ((name, column) for column in lookup.by)
    for rule in spec.events:
        expressions = [rule.at, *rule.columns.values()]
        yield from ((rule.table, column) for expression in expressions for column in expression.columns())
        for condition in rule.where:
            names = [condition.column] if condition.column else list(condition.by or {})
            yield from ((rule.table, column) for column in names)
