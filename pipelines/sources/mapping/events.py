"""Tables and rules → canonical events and rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import polars as pl

from pipelines.errors import MappingError
from pipelines.sources.base import REJECT_SCHEMA, ParsedBatch, SourceFile, reject_frame
from pipelines.sources.mapping.express import Compiler
from pipelines.sources.mapping.model import EventRule, Lookup, MappingSpec
from pipelines.sources.mapping.rules import RuleExpressions
from pipelines.sources.mapping.tables import REF, TableReader
from pipelines.sources.mapping.values import TextFormat

_FOUND: Final = "\x00found:"
_REASON: Final = "\x00reason"


def parse_tables(spec: MappingSpec, groups: Mapping[str, Sequence[SourceFile]], *, origin: str) -> ParsedBatch:
    """Read files that are already sorted into tables.

    Args:
        spec: What becomes of the tables.
        groups: Table name → its files.
        origin: Name of the mapping file, for errors.

    Raises:
        MappingError: No file of a table has the columns that the mapping names.
    """
    readers = {
        name: TableReader(table, groups.get(name, ()), needed=_needed(spec, name), empty=spec.empty)
        for name, table in spec.tables.items()
    }
    frames = {}
    for name, reader in readers.items():
        frames[name] = reader.read()
        if reader.refused and len(reader.refused) == len(reader.files):
            message = f"{origin}: tables.{name}: no file can be used: {'; '.join(reader.refused)}"
            raise MappingError(message)
    events: dict[str, list[pl.DataFrame]] = {}
    rejects = [reject_frame(reader.rejects) for reader in readers.values()]
    for name, reader in readers.items():
        rules = [rule for rule in spec.events if rule.table == name]
        if rules:
            faulty = _map_table(spec, name, rules, frames, events)
            raw = reader.raw_rows(set(faulty["source_ref"]))
            rejects.append(faulty.with_columns(_texts(faulty["source_ref"], raw)).select(list(REJECT_SCHEMA)))
    return ParsedBatch(
        events={family: pl.concat(parts) for family, parts in events.items()},
        rejects=pl.concat(rejects),
        rows_in={file: rows for reader in readers.values() for file, rows in reader.rows_in.items()},
    )


def _texts(refs: pl.Series, raw: Mapping[str, str]) -> pl.Series:
    return pl.Series("raw", [raw.get(ref, "") for ref in refs], dtype=pl.String)


def _map_table(
    spec: MappingSpec,
    name: str,
    rules: Sequence[EventRule],
    frames: Mapping[str, pl.DataFrame],
    events: dict[str, list[pl.DataFrame]],
) -> pl.DataFrame:
    """Add the table's events to `events` and return reference and reason of its rejected rows."""
    lookups = spec.tables[name].lookups
    rows = _join_lookups(frames[name], lookups, frames)
    compiler = Compiler(TextFormat(spec.zone, spec.dates, spec.numbers))
    compiled = []
    for position, rule in enumerate(rules):
        rows = _flag_partners(rows, rule, frames, prefix=f"\x00rule{position}:")
        compiled.append(RuleExpressions(compiler, rule, prefix=f"\x00rule{position}:"))
    faults = [_lookup_fault(lookup) for lookup in lookups if lookup.required]
    faults += [fault for expressions in compiled for fault in expressions.faults()]
    reason = pl.concat_list(faults).list.drop_nulls().list.unique(maintain_order=True).list.join("; ")
    judged = rows.with_columns(reason.alias(_REASON))
    good = judged.filter(pl.col(_REASON) == "")
    for expressions in compiled:
        events.setdefault(expressions.family, []).append(expressions.build(good, source=spec.name))
    return judged.filter(pl.col(_REASON) != "").select(pl.col(REF).alias("source_ref"), pl.col(_REASON).alias("reason"))


def _join_lookups(rows: pl.DataFrame, lookups: Sequence[Lookup], frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    for lookup in lookups:
        keys = list(lookup.by.values())
        partner = frames[lookup.table].drop(REF).unique(subset=keys, keep="last", maintain_order=True)
        found = pl.lit(True).alias(_FOUND + lookup.table)  # noqa: FBT003 - a polars literal
        rows = rows.join(
            partner.select(pl.all().name.prefix(f"{lookup.table}."), found),
            left_on=list(lookup.by),
            right_on=[f"{lookup.table}.{key}" for key in keys],
            how="left",
            coalesce=False,
            maintain_order="left",
        )
    return rows


def _flag_partners(
    rows: pl.DataFrame, rule: EventRule, frames: Mapping[str, pl.DataFrame], *, prefix: str
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


def _needed(spec: MappingSpec, table: str) -> set[str]:
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
