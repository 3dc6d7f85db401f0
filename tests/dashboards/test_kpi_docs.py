"""The catalogue of KPIs as a page."""

from __future__ import annotations

from pathlib import Path

from dashboards.reports.kpi_docs import render


def test_the_page_says_what_the_catalogue_says(project_root: Path) -> None:
    page = render(project_root / "data" / "seeds")
    assert (project_root / "docs" / "kpis.md").read_text(encoding="utf-8") == page, (
        "docs/kpis.md is out of date: python -m dashboards.reports.kpi_docs > docs/kpis.md"
    )
