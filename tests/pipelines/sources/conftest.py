"""Writing small files for the adapters, and reading what became of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.registry import SOURCES, load_source

Read = Callable[..., ParsedBatch]
Seen = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, object], SourceFile]:
    """Write a file: text as it is, anything else as JSON; gzipped if its name says so."""

    def write_file(name: str, content: object) -> SourceFile:
        path = tmp_path / name
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return SourceFile(path, name)

    return write_file


@pytest.fixture
def read(write: Callable[[str, object], SourceFile]) -> Read:
    """Write a file, check that exactly one source claims it, and read it through the row contracts."""

    def read_file(source: str, content: object, name: str = "file.json", **context: Any) -> ParsedBatch:
        file = write(name, content)
        assert [name for name in SOURCES if load_source(name).recognises(file)] == [source]
        parsed = load_source(source).parse([file], AdapterContext(**context))
        return apply_row_contracts(parsed, source=source)

    return read_file


@pytest.fixture
def seen() -> Seen:
    """Return the columns of a family's events, in order."""

    def rows(batch: ParsedBatch, family: str, *columns: str) -> list[tuple[Any, ...]]:
        frame = batch.events.get(family)
        return [] if frame is None else frame.select(columns).rows()

    return rows
