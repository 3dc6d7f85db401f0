"""A workspace's seeds over the product's: known names, all columns."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("goals.csv", "kpi_id\n", r"goals.csv: no seed of that name; known: .*targets.csv"),
        ("targets.csv", "kpi_id,target,effective_from\n", r"targets.csv: no column channel, .*; expected the columns"),
        ("targets.csv", "", r"targets.csv: no column kpi_id, "),
    ],
)
def test_a_seed_that_dbt_could_not_read_is_refused_in_words(tmp_path: Path, name: str, content: str, told: str) -> None:
    with pytest.raises(TransformError, match=told):
        merge_seeds(workspace(tmp_path, name, content))
