"""dbt's own unit tests: every one of models/**/*.yml is run against a built database and must pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from pipelines.transform import run_dbt
from storage.settings import Settings


@pytest.mark.slow
def test_every_dbt_unit_test_passes(sample_home: Path, tmp_path: Path, project_root: Path) -> None:
    home = Path(shutil.copytree(sample_home, tmp_path / "company", ignore=shutil.ignore_patterns("published", "mail")))
    settings = Settings.load(home)
    written = [
        unit_test["name"]
        for path in (project_root / "models").rglob("*.yml")
        for unit_test in (yaml.safe_load(path.read_text()) or {}).get("unit_tests", ())
    ]
    assert len(written) == len(set(written))
    results = run_dbt(settings, "test", as_of=settings.resolve_as_of(), select="test_type:unit")
    assert {row["status"] for row in results} == {"pass"}
    assert sorted(row["unique_id"].split(".")[-1] for row in results) == sorted(written)


def test_the_golden_figures_of_the_specification_are_among_them(project_root: Path) -> None:
    text = "".join(path.read_text() for path in (project_root / "models").rglob("*.yml"))
    for order in ("O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8", "O9", "O10", "O11"):
        assert order in text, f"golden order {order} has no unit test"
