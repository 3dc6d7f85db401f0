"""What the simulator writes, the adapters read without a single reject; seeds have the product's columns."""

from __future__ import annotations

import csv
from zoneinfo import ZoneInfo

import pytest

from pipelines.landing import find_files
from pipelines.simulator.run import simulate
from pipelines.sources.base import AdapterContext
from pipelines.sources.mapping.claims import load_mapping
from pipelines.sources.registry import load_source
from storage.settings import Settings

OWN_SEEDS = (
    "nodes",
    "carriers",
    "carrier_codes",
    "lanes",
    "skus",
    "channel_reservations",
    "safety_stock",
    "violation_map",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    home = tmp_path_factory.mktemp("workspace")
    simulate(home, orders=600, seed=2, weeks=8)
    return home


@pytest.mark.parametrize("source", ["shopify", "edi", "wms", "carrier", "returns", "inventory"])
def test_each_folder_is_recognised_and_read_without_rejects(workspace, source):
    settings = Settings.load(workspace)
    context = AdapterContext(zone=ZoneInfo("America/New_York"), currency="USD", edi=settings.edi)
    files = find_files([workspace / "inbox" / source])
    adapter = load_source(source)
    assert files
    assert all(adapter.recognises(file) for file in files)
    batch = adapter.parse(files, context)
    assert batch.rejects.is_empty()
    assert sum(frame.height for frame in batch.events.values()) > 0


@pytest.mark.parametrize("name", ["holds", "disputes"])
def test_the_spreadsheets_are_read_through_their_mappings(workspace, name):
    mapping = load_mapping(workspace / "mappings" / f"{name}.yml")
    files = find_files([workspace / "inbox" / name])
    assert all(mapping.matches(file) for file in files)
    batch = mapping.parse(files, AdapterContext())
    assert batch.rejects.is_empty()
    if name == "holds":
        assert batch.events["order"].height > 10


@pytest.mark.parametrize("seed", OWN_SEEDS)
def test_seeds_have_the_columns_of_the_product(workspace, project_root, seed):
    headers = []
    for folder in (workspace / "seeds", project_root / "data" / "seeds"):
        with (folder / f"{seed}.csv").open(encoding="utf-8", newline="") as handle:
            headers.append(next(csv.reader(handle)))
    assert headers[0] == headers[1]
