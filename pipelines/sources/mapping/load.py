"""Reads a mapping file and says everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError

from pipelines.errors import MappingError
from pipelines.sources.mapping.model import EventRule, Expression, MappingSpec
from pipelines.sources.mapping.values import fault_of
from pipelines.sources.registry import SOURCES
from storage.contracts import EVENT_TABLES, Column, EventTable

FAMILY_OF: Final = {event_type: table.family for table in EVENT_TABLES.values() for event_type in table.event_types}
SET_BY_THE_RULE: Final = frozenset(
    {"event_id", "event_type", "event_at", "time_quality", "source", "source_ref", "batch_id", "attributes"}
)
"""Columns a rule's `columns` may not name: the rule itself or landing fills them."""


class _TextLoader(yaml.SafeLoader):
    """YAML in which every scalar stays text, so that `NO`, `on`, `007` and dates are what they look like."""

    yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", re.compile("^<<$"))]}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - signature of the base class
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain text", key.start_mark)
            if key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep=deep))


def load_spec(path: Path) -> MappingSpec:
    """Read and check a mapping file.

    Raises:
        MappingError: The file is missing, is no YAML, or says something that cannot be; every fault is listed.
    """
    spec = _validated(path, _document(path))
    faults = list(_semantic_faults(spec))
    if faults:
        raise MappingError(_listing(path, faults))
    return spec


def _document(path: Path) -> object:
    try:
        loader = _TextLoader(path.read_text(encoding="utf-8-sig"))
        return loader.get_single_data()
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}. Expected a mapping file (docs/mapping.md)."
        raise MappingError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise MappingError(message) from error


def _validated(path: Path, document: object) -> MappingSpec:
    if not isinstance(document, dict):
        message = f"{path}: expected a YAML mapping with name, zone, tables and events (docs/mapping.md)"
        raise MappingError(message)
    try:
        return MappingSpec.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{_place(fault['loc'], document)}: {_sentence(fault['type'], fault['msg'])}" for fault in error.errors()
        ]
        raise MappingError(_listing(path, faults)) from error


def _place(location: Iterable[int | str], document: object) -> str:
    parts = ""
    node: object = document
    for step in location:
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and step < len(node) else None
            named = f" ({node['type']})" if isinstance(node, dict) and isinstance(node.get("type"), str) else ""
            parts += f"[{step + 1}]{named}"
        else:
            node = node.get(step) if isinstance(node, dict) else None
            parts += f".{step}" if parts else step
    return parts or "the file"


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key (misspelt, or in the wrong place?)"
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return "is empty: it needs at least one entry (a proposal leaves open what the data does not decide)"
    return message.removeprefix("Value error, ")


def _listing(path: Path, faults: list[str]) -> str:
    lines = "".join(f"\n  - {fault}" for fault in faults)
    return f"{path}: {len(faults)} fault{'s' if len(faults) > 1 else ''} in the mapping (see docs/mapping.md):{lines}"


def _semantic_faults(spec: MappingSpec) -> Iterator[str]:
    if spec.name in SOURCES:
        yield f"name: {spec.name!r} is a built-in source; choose another name"
    for name, table in spec.tables.items():
        known: set[str] = set()
        for position, lookup in enumerate(table.lookups, start=1):
            place = f"tables.{name}.lookups[{position}]"
            if lookup.table not in spec.tables:
                yield f"{place}.table: {_unknown('table', lookup.table, spec.tables)}"
            if lookup.table in known:
                yield f"{place}.table: {lookup.table!r} is looked up already"
            known.add(lookup.table)
    for position, rule in enumerate(spec.events, start=1):
        for fault in _rule_faults(spec, rule):
            yield f"events[{position}] ({rule.type}).{fault}"


def _rule_faults(spec: MappingSpec, rule: EventRule) -> Iterator[str]:
    if rule.table not in spec.tables:
        yield f"from: {_unknown('table', rule.table, spec.tables)}"
    for condition in rule.where:
        if condition.no_row_in is not None and condition.no_row_in not in spec.tables:
            yield f"where.no_row_in: {_unknown('table', condition.no_row_in, spec.tables)}"
    if rule.type not in FAMILY_OF:
        yield f"type: {_unknown('event type', rule.type, FAMILY_OF)}"
        return
    family = EVENT_TABLES[FAMILY_OF[rule.type]]
    yield from (f"at: {fault}" for fault in _expression_faults(rule.at, family.column("event_at")))
    settable = [name for name in family.names if name not in SET_BY_THE_RULE]
    for name, expression in rule.columns.items():
        if name in settable:
            yield from (f"columns.{name}: {fault}" for fault in _expression_faults(expression, family.column(name)))
        else:
            yield f"columns.{name}: {_unknown(f'column of the {family.family} events', name, settable)}"
    for name, expression in rule.attributes.items():
        yield from (
            f"attributes.{name}: {fault}" for fault in _expression_faults(expression, family.column("attributes"))
        )
    missing = [name for name in needed_columns(family, rule.type) if name not in rule.columns]
    if missing:
        yield f"columns: {rule.type} needs {', '.join(missing)}"


def needed_columns(family: EventTable, event_type: str) -> tuple[str, ...]:
    """Return the columns an event type cannot be without, apart from those the rule itself fills."""
    required = [column.name for column in family.columns if column.required and column.name not in SET_BY_THE_RULE]
    return (*required, *(n for n in family.required_by_type.get(event_type, ()) if n not in required))


def _expression_faults(expression: Expression, column: Column) -> Iterator[str]:
    if expression.date_end_of_day is not None and column.type != "TIMESTAMP":
        yield f"date_end_of_day makes a time, but {column.name} is {column.type}"
    if expression.join is not None and column.type != "VARCHAR":
        yield f"join makes a text, but {column.name} is {column.type}"
    constants = [text for text in (expression.constant, expression.otherwise) if text is not None]
    constants += (expression.values or {}).values()
    yield from (fault for text in dict.fromkeys(constants) if (fault := fault_of(text, column)))
    for part in (*(expression.coalesce or ()), *(expression.greatest or ())):
        yield from _expression_faults(part, column)


def _unknown(what: str, given: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(given, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
    return f"{given!r} is no {what}; {hint}"
