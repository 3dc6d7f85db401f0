"""Tables and rules → canonical events and rejects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.errors import MappingError
from pipelines.sources.base import REJECT_SCHEMA, ParsedBatch, SourceFile, merge_batches, reject_frame
from pipelines.sources.mapping.express import Compiler
from pipelines.sources.mapping.load import FAMILY_OF
from pipelines.sources.mapping.model import EventRule, Lookup, MappingSpec
from pipelines.sources.mapping.rules import RuleExpressions
from pipelines.sources.mapping.tables import REF, TableReader
from pipelines.sources.mapping.values import TextFormat
from storage.contracts import empty_frame

_FOUND: Final = "\x00found:"
_REASON: Final = "\x00reason"


def parse_tables(spec: MappingSpec, groups: Mapping[str, Sequence[SourceFile]], *, origin: str) -> ParsedBatch:
    """Read files that are already sorted into tables, all at once. See `stream_tables`."""
    none = {FAMILY_OF[rule.type]: empty_frame(FAMILY_OF[rule.type]) for rule in spec.events}
    with tempfile.TemporaryDirectory() as folder:
        parts = stream_tables(spec, groups, Path(folder), origin=origin)
        return merge_batches([ParsedBatch(events=none, rejects=reject_frame(), rows_in={}), *parts])


def stream_tables(
    spec: MappingSpec, groups: Mapping[str, Sequence[SourceFile]], folder: Path, *, origin: str
) -> Iterator[ParsedBatch]:
    """Read files that are already sorted into tables, in portions of bounded size.

    Only a table that others look into, or whose rows are numbered, is held as a whole.

    Args:
        spec: What becomes of the tables.
        groups: Table name → its files.
        folder: Where copies of files may be written.
        origin: Name of the mapping file, for errors.

    Raises:
        MappingError: No file of a table has the columns that the mapping names.
    """
    readers = {
        name: TableReader(
            table, groups.get(name, ()), needed=_needed(spec, name), folder=folder / name, empty=spec.empty
        )
        for name, table in spec.tables.items()
    }
    for name, reader in readers.items():
        reader.open()
        if reader.refused and len(reader.refused) == len(reader.files):
            message = f"{origin}: tables.{name}: no file can be used: {'; '.join(reader.refused)}"
            raise MappingError(message)
    ruled = {rule.table for rule in spec.events}
    partners = {name: readers[name].whole() for name in _held_whole(spec)}
    for name, reader in readers.items():
        if name not in ruled and name not in partners:
            for _ in reader.portions():  # nothing becomes of its rows, but they are counted and checked
                pass
        faulty = []
        if name in ruled:
            rules = [rule for rule in spec.events if rule.table == name]
            for rows in [partners[name]] if name in partners else reader.portions():
                events, wrong = _map_table(spec, name, rules, rows, partners)
                faulty.append(wrong)
                yield ParsedBatch(events=events, rejects=reject_frame(), rows_in={})
        rejects = [reject_frame(reader.rejects)]
        if faulty:
            wrong = pl.concat(faulty)
            raw = reader.raw_rows(set(wrong["source_ref"]))
            rejects.append(wrong.with_columns(_texts(wrong["source_ref"], raw)).select(list(REJECT_SCHEMA)))
        yield ParsedBatch(events={}, rejects=pl.concat(rejects), rows_in=reader.rows_in)


def _held_whole(spec: MappingSpec) -> set[str]:
    """Return the tables that cannot be read in portions."""
    names = {lookup.table for table in spec.tables.values() for lookup in table.lookups}
    for rule in spec.events:
        names |= {condition.no_row_in for condition in rule.where if condition.no_row_in is not None}
        if any(expression.numbers_rows() for expression in rule.read):
            names.add(rule.table)
    return names


def _texts(refs: pl.Series, raw: Mapping[str, str]) -> pl.Series:
    return pl.Series("raw", [raw.get(ref, "") for ref in refs], dtype=pl.String)


def _map_table(
    spec: MappingSpec,
    name: str,
    rules: Sequence[EventRule],
    rows: pl.DataFrame,
    partners: Mapping[str, pl.DataFrame],
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Return the events of a table's rows, and reference and reason of its rejected ones."""
    lookups = spec.tables[name].lookups
    rows = _join_lookups(rows, lookups, partners)
    compiler = Compiler(TextFormat(spec.zone, spec.dates, spec.numbers))
    compiled = []
    for position, rule in enumerate(rules):
        rows = _flag_partners(rows, rule, partners, prefix=f"\x00rule{position}:")
        compiled.append(RuleExpressions(compiler, rule, prefix=f"\x00rule{position}:"))
    rows = rows.with_columns(expression for expressions in compiled for expression in expressions.read)
    faults = [_lookup_fault(lookup) for lookup in lookups if lookup.required]
    faults += [fault for expressions in compiled for fault in expressions.faults()]
    reason = pl.concat_list(faults).list.drop_nulls().list.unique(maintain_order=True).list.join("; ")
    judged = rows.with_columns(reason.alias(_REASON))
    good = judged.filter(pl.col(_REASON) == "")
    events: dict[str, list[pl.DataFrame]] = {}
    for expressions in compiled:
        events.setdefault(expressions.family, []).append(expressions.build(good, source=spec.name))
    wrong = judged.filter(pl.col(_REASON) != "").select(
        pl.col(REF).alias("source_ref"), pl.col(_REASON).alias("reason")
    )
    return {family: pl.concat(parts) for family, parts in events.items()}, wrong


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
        yield from ((rule.table, column) for expression in rule.read for column in expression.columns())
        for condition in rule.where:
            names = [condition.column] if condition.column else list(condition.by or {})
            yield from ((rule.table, column) for column in names)
