"""dbt's own documentation builds: every model, column and exposure can be browsed."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.transform import dbt_command
from storage.settings import Settings


@pytest.mark.exhaustive
def test_the_documentation_builds_with_every_exposure(
    golden_settings: Settings, golden_as_of: datetime, tmp_path: Path
) -> None:
    settings = Settings.load(Path(shutil.copytree(golden_settings.home, tmp_path / "golden")))
    arguments, environment = dbt_command(settings, "docs generate", as_of=golden_as_of)
    finished = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout
    target = settings.var / "dbt" / "target"
    catalogue = json.loads((target / "catalog.json").read_text())
    assert "model.otif.kpi_values" in catalogue["nodes"]
    exposures = json.loads((target / "manifest.json").read_text())["exposures"]
    assert "exposure.otif.page_passport" in exposures
