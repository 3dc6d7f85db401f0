"""dbt's exposures are the pages, the report and the commands, and they name what these really read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

# Published tables that are no models: the build writes them itself.
NOT_MODELS = {
    "kpi_models",
    "kpi_lineage",
    "kpi_restatements",
    "publication",
    "fct_line_risks",
    "risk_reliability",
    "risk_scores",
}
# The model publishes under another name.
NAMES = {"kpi_catalogue_current": "kpi_catalogue"}


@pytest.fixture(scope="module")
def exposures(project_root: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load((project_root / "models" / "_exposures.yml").read_text(encoding="utf-8"))
    return list(document["exposures"])


def refs(exposure: dict[str, Any]) -> set[str]:
    return {re.fullmatch(r"ref\('(\w+)'\)", ref)[1] for ref in exposure["depends_on"]}  # type: ignore[index]


def test_every_page_is_an_exposure_and_no_other_page_is(project_root: Path, exposures: list[dict[str, Any]]) -> None:
    router = (project_root / "dashboards" / "app.py").read_text(encoding="utf-8")
    pages = dict(re.findall(r'st\.Page\("app_pages/(\w+)\.py", title="([^"]+)"', router))
    exposed = {row["name"].removeprefix("page_"): row["label"] for row in exposures if row["name"].startswith("page_")}
    assert exposed == pages


def test_every_exposure_points_at_a_file_and_at_models(project_root: Path, exposures: list[dict[str, Any]]) -> None:
    models = {path.stem for path in (project_root / "models").rglob("*.sql")}
    for row in exposures:
        assert (project_root / row["url"]).is_file(), row["name"]
        assert refs(row) <= models, row["name"]
        assert row["owner"]["name"]


def test_every_table_that_a_question_reads_is_exposed(project_root: Path, exposures: list[dict[str, Any]]) -> None:
    exposed = {NAMES.get(name, name) for row in exposures for name in refs(row)} | NOT_MODELS
    read = {
        table: path.name
        for folder in ("dashboards/queries", "dashboards/reports")
        for path in (project_root / folder).glob("*.py")
        for table in re.findall(r"\b(?:marts|metrics)\.([a-z_]+)", path.read_text(encoding="utf-8"))
    }
    assert {table: file for table, file in read.items() if table not in exposed} == {}
