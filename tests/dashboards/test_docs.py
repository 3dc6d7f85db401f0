"""The page list of the documentation is the page list of the router."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_page_is_documented_and_every_documented_page_exists(project_root: Path) -> None:
    router = (project_root / "dashboards" / "app.py").read_text(encoding="utf-8")
    documented = (project_root / "docs" / "pages.md").read_text(encoding="utf-8")
    routed = dict(re.findall(r'st\.Page\("app_pages/(\w+)\.py", title="([^"]+)"', router))
    rows = re.findall(r"^\| ([^|]+?) \| `dashboards/app_pages/(\w+)\.py`", documented, flags=re.MULTILINE)
    assert {name: title for title, name in rows} == routed
    files = {path.stem for path in (project_root / "dashboards" / "app_pages").glob("*.py")}
    assert files == set(routed)


def test_no_module_here_hides_a_top_level_package(project_root: Path) -> None:
    # Streamlit puts this folder first on the import path.
    names = {path.stem for path in (project_root / "dashboards").iterdir()}
    assert not names & {"pipelines", "models", "optimizer", "storage", "otif", "data", "tests"}


def test_usage_statistics_stay_off(project_root: Path) -> None:
    config = (project_root / "dashboards" / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    assert "gatherUsageStats = false" in config
