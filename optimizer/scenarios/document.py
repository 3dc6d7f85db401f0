"""Scenario text (YAML) to `Scenario` and back. Faults say where in the text, what, and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError

from optimizer.errors import InvalidScenarioError
from optimizer.scenarios.model import Change, Scenario

CHANGES: Final[dict[str, type[BaseModel]]] = {
    kind.model_fields["change"].default: kind for kind in get_args(get_args(Change)[0])
}
"""Every kind of change by its word."""


def parse_scenario(text: str, *, where: str = "scenario") -> Scenario:
    """Read a scenario.

    Args:
        text: YAML.
        where: Name of the file, for messages.

    Raises:
        InvalidScenarioError: The text is no YAML or no scenario; every fault is listed with its line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidScenarioError([f"{where}: {' '.join(str(error).split())}"]) from error
    if root is None or not isinstance(content, dict):
        message = f"{where}: the file holds {type(content).__name__}; expected a mapping with `name` and `changes`"
        raise InvalidScenarioError([message])
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise InvalidScenarioError([f"{where}, {fault}" for fault in _faults(error, root, content)]) from error


def dump_scenario(scenario: Scenario) -> str:
    """Write a scenario as YAML; reading it again gives an equal scenario."""
    content = _plain(scenario)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a scenario holds
    """Return what YAML can hold; fields at their default are left out, the word of a change is not."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        given = {name: getattr(value, name) for name in fields}
        return {
            name: _plain(item)
            for name, item in given.items()
            if name == "change" or item != fields[name].get_default(call_default_factory=True)
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _faults(error: ValidationError, root: yaml.Node, content: dict[str, Any]) -> Iterator[str]:
    # A misspelt name also leaves the right one missing: the name that is there comes first.
    for fault in sorted(error.errors(include_url=False), key=lambda fault: fault["type"] == "missing"):
        path = [part for part in fault["loc"] if not (isinstance(part, str) and part in CHANGES)]
        yield f"line {_line(root, path)}, {_dotted(path)}: {_meaning(fault, path, content)}"


def _meaning(fault: Any, path: Sequence[str | int], content: dict[str, Any]) -> str:  # noqa: ANN401 - pydantic's own dict
    if fault["type"] == "extra_forbidden":
        known = _known_names(path, content)
        return f"unknown name{_guess(str(path[-1]), known)}; expected one of {', '.join(known)}"
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "union_tag_not_found":
        return f"`change` is missing; expected one of {', '.join(CHANGES)}"
    if fault["type"] == "union_tag_invalid":
        tag = str(fault["ctx"]["tag"])
        return f"unknown change {tag!r}{_guess(tag, list(CHANGES))}; expected one of {', '.join(CHANGES)}"
    return f"{str(fault['msg']).removeprefix('Value error, ')} (given: {fault['input']!r})"


def _known_names(path: Sequence[str | int], content: Any) -> list[str]:  # noqa: ANN401 - whatever YAML holds
    """Return the field names that the place in the document takes."""
    model: type[BaseModel] = Scenario
    for part in path[:-1]:
        content = content[part]
        if isinstance(part, int) and isinstance(content, dict) and content.get("change") in CHANGES:
            model = CHANGES[content["change"]]
        elif isinstance(part, str) and part in model.model_fields:
            inner = list(_models(model.model_fields[part].annotation))
            model = inner[0] if len(inner) == 1 else model
    return list(model.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _guess(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _dotted(path: Sequence[str | int]) -> str:
    words = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(words).lstrip(".") or "document"


def _line(node: yaml.Node, path: Sequence[str | int]) -> int:
    """Return the line of the deepest part of the path that is in the text."""
    line = int(node.start_mark.line) + 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                return line
            key, node = found[0]
            line = int(key.start_mark.line) + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = int(node.start_mark.line) + 1
    return line
