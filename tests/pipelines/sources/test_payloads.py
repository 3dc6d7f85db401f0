"""What becomes of every real payload of the shipping, returns, fraud and 3PL families: a table, looked at row by row.

`payloads.tsv` holds file names, counts and reasons, nothing of the payloads. Write it anew after a change that is meant
with `OTIF_WRITE_GOLDEN=1`, and look at the difference.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.registry import SOURCES, load_source

GOLDEN = Path(__file__).with_name("payloads.tsv")
OWN = (
    "shipstation", "wms", "carrier", "easypost", "aftership", "shipengine", "returns", "inventory", "signifyd", "kount",
    "hold_log",
)  # fmt: skip
FOLDERS = ("json_payloads", "source_exports", "superstore", "olist", "online_retail_part1", "seeds")
COLUMNS = "file\tsource\trecords\tevents\trejects\treasons"
SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".xml", ".gz")


def claims(file: SourceFile) -> list[str]:
    return [name for name in SOURCES if load_source(name).recognises(file)]


def row(file: SourceFile, source: str) -> str:
    batch = apply_row_contracts(load_source(source).parse([file], AdapterContext()), source=source)
    kinds = Counter(kind for frame in batch.events.values() for kind in frame["event_type"])
    events = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "-"
    reasons = "; ".join(sorted(set(batch.rejects["reason"]))) or "-"
    return f"{file.name}\t{source}\t{batch.rows_in[file.name]}\t{events}\t{batch.rejects.height}\t{reasons}"


@pytest.fixture(scope="module")
def files(shared_data: Path) -> list[SourceFile]:
    paths = sorted(path for name in FOLDERS for path in (shared_data / name).rglob("*") if path.suffix in SUFFIXES)
    return [SourceFile(path, path.relative_to(shared_data).as_posix()) for path in paths]


def test_no_real_file_is_claimed_by_two_sources(files):
    assert len(files) > 800
    assert [(file.name, found) for file in files if len(found := claims(file)) > 1] == []


def test_the_table_of_real_payloads_is_as_it_was_looked_at(files):
    rows = [COLUMNS]
    for file in files:
        own = [name for name in OWN if load_source(name).recognises(file)]
        rows += [row(file, name) for name in own]
        if not own and file.name.startswith("json_payloads/EasyPost"):
            rows.append(f"{file.name}\t-\t-\t-\t-\tnot of a kind that tells of orders, parcels or returns")
    if os.environ.get("OTIF_WRITE_GOLDEN"):
        GOLDEN.write_text("\n".join(rows) + "\n")
    assert rows == GOLDEN.read_text().splitlines()
