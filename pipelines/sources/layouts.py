"""Tables with known columns: CSV and TSV files known by their header and read whatever they call a column.

A `Layout` names the columns that a kind of table has and what systems call them. A file belongs to the layout whose
required columns it has all of; columns that no layout knows are kept as JSON in `attributes`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from pipelines.errors import MappingError
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches, reject_frame
from pipelines.sources.mapping.claims import Mapping as BuiltIn
from pipelines.sources.mapping.model import DEFAULT_DATES, MappingSpec
from pipelines.sources.numbers import NumberFormat, detect

SEPARATORS: Final = (",", "\t", ";", "|")
MONTH_FIRST: Final = (
    *DEFAULT_DATES,
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
)
"""ISO, then US month first as American 3PLs and ShipStation write it."""

DOTTED: Final = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
"""Where a date has dots, the day comes first."""

US_ZONES: Final = frozenset({
    "America/New_York", "America/Detroit", "America/Chicago", "America/Denver", "America/Boise", "America/Phoenix",
    "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Indiana/Indianapolis",
    "America/Kentucky/Louisville", "US/Eastern", "US/Central", "US/Mountain", "US/Pacific", "US/Alaska", "US/Hawaii",
})  # fmt: skip
"""Zones in which a date with slashes is taken to be month first; elsewhere it could be either and is not read."""

_DAY_FIRST: Final = re.compile(rb"(?<!\d)(1[3-9]|2\d|3[01])/\d{1,2}/\d{4}")

_NUMBER_COLUMNS: Final = ("quantity", "freight_cost", "refund_amount")
"""Beginnings of the names of canonical columns that hold numbers."""

_PLAIN_NUMBERS: Final = "1234.5"

_BETWEEN: Final = "\x1f"
_NOTHING: Final = "\x00"
"""Unit separator and empty cell while spare columns travel as one text."""

_WORD: Final = re.compile(r"[^a-z0-9]+")

Names = Mapping[str, str]
"""Canonical column → what the file calls it."""
Rules = Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of table.

    Attributes:
        name: Short name, for errors.
        columns: Canonical column → other names of it (as `plain` writes them); its own name always counts.
        required: Canonical columns without which a table is not of this kind.
        foreign: Plain column names that only tables of another kind have.
        lossy: Canonical columns whose text is translated: the original is kept in `attributes`.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: frozenset[str]
    foreign: frozenset[str] = field(default_factory=frozenset)
    lossy: frozenset[str] = field(default_factory=frozenset)

    def resolve(self, header: Sequence[str]) -> dict[str, str]:
        """Return canonical column → column of the header, each header column used once, first names first."""
        by_plain = {plain(cell): cell for cell in reversed(header)}
        found: dict[str, str] = {}
        used: set[str] = set()
        for canonical, others in self.columns.items():
            for name in (canonical, *others):
                cell = by_plain.get(name)
                if cell is not None and cell not in used:
                    found[canonical] = cell
                    used.add(cell)
                    break
        return found

    def fits(self, header: Sequence[str]) -> bool:
        """Say whether a header has all required columns and none that belongs to another kind."""
        return self.required <= self.resolve(header).keys() and not self.foreign & {plain(cell) for cell in header}


def plain(name: str) -> str:
    """Return a column name as names are compared.

    >>> plain("Order # (internal)")
    'order_internal'
    """
    return _WORD.sub("_", name.strip().lower()).strip("_")


def columns_of(file: SourceFile) -> tuple[list[str], str]:
    """Return the header cells and the separator of a CSV or TSV file; no cells for anything else."""
    if file.kind not in (".csv", ".tsv", ".txt"):
        return [], ","
    line = file.head.decode("utf-8", errors="replace").removeprefix("\ufeff").split("\n", 1)[0].rstrip("\r")
    separator = "\t" if file.kind == ".tsv" else max(SEPARATORS, key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return [], separator
    return [cell.strip() for cell in cells], separator


def header(file: SourceFile) -> frozenset[str]:
    """Return the column names of a CSV or TSV file; empty for anything else."""
    return frozenset(columns_of(file)[0])


def has_header(file: SourceFile, columns: frozenset[str]) -> bool:
    """Say whether a file's header holds all the columns."""
    return columns <= header(file)


def fits_any(file: SourceFile, layouts: Iterable[Layout]) -> bool:
    """Say whether a file's header is one of the layouts'."""
    cells, _ = columns_of(file)
    return bool(cells) and any(layout.fits(cells) for layout in layouts)


def best_layout(cells: Sequence[str], layouts: Sequence[Layout]) -> Layout:
    """Return the layout a header is judged by: one that fits, else the one of which it has the largest share."""
    return max(
        layouts,
        key=lambda layout: (
            layout.fits(cells),
            len(layout.required & layout.resolve(cells).keys()) / len(layout.required),
        ),
    )


def parse_layouts(
    files: Sequence[SourceFile],
    rules: Sequence[tuple[Layout, Rules]],
    *,
    source: str,
    zone: str,
    dates: Sequence[str] | None = None,
    finish: Callable[[Layout, ParsedBatch], ParsedBatch] = lambda _, batch: batch,
) -> ParsedBatch:
    """Read tables into events, every file by the names that its header uses.

    Args:
        files: CSV or TSV files, gzipped or not.
        rules: (layout, event rules in the words of a mapping file, with canonical column names). A rule whose time
            is in no column of the file is left out, and so is a column that the file does not have.
        source: The events' `source`.
        zone: IANA zone of stamps without offset.
        dates: Date formats, tried in order; by default ISO, and month first where the zone is of the United States
            and no date of the file is day first.
        finish: Last hand at what one layout's files became.

    Raises:
        MappingError: No file has the columns of its layout.
    """
    layouts = [layout for layout, _ in rules]
    groups: dict[tuple[int, tuple[tuple[str, str], ...], str, tuple[str, ...], str], list[SourceFile]] = {}
    batches: list[ParsedBatch] = []
    for file in files:
        cells, separator = columns_of(file)
        layout = best_layout(cells, layouts)
        forms = tuple(dates) if dates is not None else _dates(file, zone)
        numbers = _numbers(file, layout, cells, separator)
        if numbers.fault is not None:
            batches.append(_refusal([file], numbers.fault))
            continue
        key = (layouts.index(layout), tuple(sorted(layout.resolve(cells).items())), separator, forms, numbers.style)
        groups.setdefault(key, []).append(file)
    refused: list[str] = []
    for (position, resolved, separator, forms, style), group in groups.items():
        layout, make = rules[position]
        names = {name: name for name in layout.required} | dict(resolved)
        made = [rule for rule in make() if _named(rule["at"], names) is not None]
        spare = _spare(columns_of(group[0])[0], layout, names, made)
        spec = _spec(source, layout, made, names, spare, zone=zone, separator=separator, dates=forms, numbers=style)
        try:
            batch = BuiltIn(Path(f"the columns of {source}"), spec).parse(group, AdapterContext())
        except MappingError as error:
            refused.append(str(error))
            batches.append(_refusal(group, str(error)))
            continue
        batches.append(finish(layout, _with_attributes(batch, spare)))
    if refused and len(refused) == len(groups):
        raise MappingError("; ".join(refused))
    return merge_batches(batches)


def _dates(file: SourceFile, zone: str) -> tuple[str, ...]:
    usual = MONTH_FIRST if zone in US_ZONES and not _DAY_FIRST.search(file.head) else DEFAULT_DATES
    return (*usual, *DOTTED)


def _numbers(file: SourceFile, layout: Layout, cells: Sequence[str], separator: str) -> NumberFormat:
    """Return how the numbers of a file are written, by its first 64 KiB; plain ones unless there are commas."""
    found = {name: cell for name, cell in layout.resolve(cells).items() if name.startswith(_NUMBER_COLUMNS)}
    places = [cells.index(cell) for cell in found.values()]
    lines = file.head.decode("utf-8", errors="replace").split("\n")[1:]
    rows = [row for row in csv.reader(lines[:-1] if len(lines) > 1 else lines, delimiter=separator) if row]
    texts = [pl.Series([row[place].strip() for row in rows if place < len(row)], dtype=pl.String) for place in places]
    if not any(series.str.contains(",").any() for series in texts):
        return NumberFormat(_PLAIN_NUMBERS)
    return detect(texts)


def _spare(cells: Sequence[str], layout: Layout, names: Names, rules: Iterable[dict[str, Any]]) -> list[str]:
    """Return the columns that no rule keeps as it is."""
    read = {name for rule in rules for name in _mentioned([rule["at"], rule["columns"], rule.get("where", [])])}
    used = {name for canonical, name in names.items() if canonical not in layout.lossy and canonical in read}
    return sorted({cell for cell in cells if cell and cell not in used and cells.count(cell) == 1})


def _mentioned(expression: Any) -> Iterator[str]:  # noqa: ANN401 - an expression as YAML would hold it
    """Yield the texts of an expression, canonical column names among them."""
    if isinstance(expression, str):
        yield expression
    elif isinstance(expression, dict):
        for part in expression.values():
            yield from _mentioned(part)
    elif isinstance(expression, list | tuple):
        for part in expression:
            yield from _mentioned(part)


def _spec(
    source: str,
    layout: Layout,
    rules: Iterable[dict[str, Any]],
    names: Names,
    spare: Sequence[str],
    *,
    zone: str,
    separator: str,
    dates: Sequence[str],
    numbers: str,
) -> MappingSpec:
    events = []
    rest = [{"coalesce": [{"column": cell}, {"constant": _NOTHING}]} for cell in spare]
    for rule in rules:
        at = _named(rule["at"], names)
        if at is not None:
            columns = {name: _named(expression, names) for name, expression in rule["columns"].items()}
            where = [
                condition | {"column": names[condition["column"]]}
                for condition in rule.get("where", ())
                if condition["column"] in names
            ]
            kept = {name: expression for name, expression in columns.items() if expression is not None}
            if rest:
                kept["attributes"] = {"join": rest, "separator": _BETWEEN}
            events.append(rule | {"from": layout.name, "at": at, "columns": kept, "where": where})
    return MappingSpec.model_validate({
        "name": source,
        "zone": zone,
        "dates": list(dates),
        "numbers": numbers,
        "tables": {layout.name: {"files": "*", "required": False, "separator": separator}},
        "events": events,
    })  # fmt: skip


def _named(expression: Any, names: Names) -> Any:  # noqa: ANN401 - an expression as YAML would hold it
    """Put the file's column names into an expression; None if nothing of it is there."""
    if isinstance(expression, str):
        return names.get(expression)
    if "column" in expression:
        name = names.get(expression["column"])
        return None if name is None else expression | {"column": name}
    named: Any = expression
    for kind in ("coalesce", "greatest"):
        if kind in expression:
            parts = [part for each in expression[kind] if (part := _named(each, names)) is not None]
            named = {kind: parts} if parts else None
    if "date_end_of_day" in expression:
        part = _named(expression["date_end_of_day"], names)
        named = None if part is None else {"date_end_of_day": part}
    return named


def _refusal(files: Sequence[SourceFile], reason: str) -> ParsedBatch:
    rejects = reject_frame({"source_ref": file.ref(1), "reason": reason, "raw": ""} for file in files)
    return ParsedBatch(events={}, rejects=rejects, rows_in={file.name: 0 for file in files})


def _with_attributes(batch: ParsedBatch, spare: Sequence[str]) -> ParsedBatch:
    """Turn the texts of the columns that no rule keeps into a JSON object."""
    if not spare:
        return batch
    texts = pl.col("attributes").str.split(_BETWEEN)
    pieces = []
    for position, cell in enumerate(spare):
        value = texts.list.get(position, null_on_oob=True)
        quoted = pl.struct(value.alias("v")).struct.json_encode().str.slice(5).str.strip_suffix("}")
        pieces.append(pl.when(value != _NOTHING).then(pl.concat_str(pl.lit(json.dumps(cell) + ": "), quoted)))
    joined = pl.concat_str(pieces, separator=", ", ignore_nulls=True)
    whole = pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}")))
    events = {family: frame.with_columns(whole.alias("attributes")) for family, frame in batch.events.items()}
    return ParsedBatch(events=events, rejects=batch.rejects, rows_in=batch.rows_in)
