"""A workspace's seeds over the product's."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipelines.errors import TransformError
from pipelines.transform import merge_seeds
from storage.settings import Settings


def workspace(home: Path, name: str, content: str) -> Settings:
    (home / "seeds").mkdir()
    (home / "seeds" / name).write_text(content, encoding="utf-8")
    return Settings(home=home)


def test_a_seed_of_the_workspace_replaces_the_product_s(tmp_path: Path) -> None:
    own = "\ufeffchannel,target,kpi_id,effective_from,effective_to,source,note\n,0.9,otif,2026-01-01,,ours,agreed\n"
    merged = merge_seeds(workspace(tmp_path, "targets.csv", own))
    assert (merged / "targets.csv").read_text(encoding="utf-8") == own
    assert "amazon_vendor_prepaid" in (merged / "service_profiles.csv").read_text(encoding="utf-8")


def test_a_column_that_is_younger_than_the_seed_is_blank(tmp_path: Path) -> None:
    own = '\ufeffkpi_id,target,effective_from\notif,0.9,2026-01-01\n\n"on_time",0.8,2026-01-01\n'
    merged = merge_seeds(workspace(tmp_path, "targets.csv", own))
    with (merged / "targets.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    blank = {"effective_from": "2026-01-01", "channel": "", "effective_to": "", "source": ""}
    assert rows == [{"kpi_id": "otif", "target": "0.9"} | blank, {"kpi_id": "on_time", "target": "0.8"} | blank]


def test_a_seed_that_nobody_reads_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match=r"goals\.csv: no seed of that name; known: .*targets\.csv"):
        merge_seeds(workspace(tmp_path, "goals.csv", "kpi_id\n"))
