"""docs/walk-through.md on the sample company: every command runs, and what the page says is what they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest


def commands(page: str) -> list[list[str]]:
    return [line.split()[1:] for line in page.splitlines() if line.startswith("    otif --home demo ")]


@pytest.fixture(scope="module")
def printed(project_root, sample_home, tmp_path_factory):
    """What each command of the page prints, by its name and first argument."""
    page = (project_root / "docs" / "walk-through.md").read_text()
    home = tmp_path_factory.mktemp("walk-through") / "demo"
    shutil.copytree(sample_home, home, ignore=shutil.ignore_patterns("inbox", "dbt", "otif.duckdb"))
    outputs = {}
    for arguments in commands(page):
        own = ["--home", str(home), *arguments[2:]]
        run = subprocess.run(
            [sys.executable, "-m", "otif.cli", *own], capture_output=True, text=True, check=False,
            env=os.environ | {"COLUMNS": "200"}, cwd=project_root,
        )  # fmt: skip
        assert run.returncode == 0, f"{' '.join(arguments)}: {run.stderr}"
        outputs[arguments[2]] = outputs.get(arguments[2], "") + run.stdout
    return outputs


def test_every_command_of_the_walk_through_prints_something(printed):
    assert set(printed) == {"kpis", "why", "order", "exceptions", "at-risk", "allocate"}
    assert all(text.strip() for text in printed.values())


def test_the_walk_through_quotes_what_the_commands_print(printed, project_root):
    page = (project_root / "docs" / "walk-through.md").read_text()
    quoted = [
        line.strip() for line in page.splitlines() if line.startswith("    ") and not line.startswith("    otif ")
    ]
    shown = {re.sub(r"\s+", " ", line.strip()) for text in printed.values() for line in text.splitlines()}
    assert len(quoted) > 4
    assert [line for line in quoted if re.sub(r"\s+", " ", line) not in shown] == []


def test_the_figures_of_the_walk_through_are_those_of_the_sample_company(printed):
    assert "27 / 57" in printed["kpis"]
    assert "92.5 %" in printed["kpis"]
    assert "82.1 %" in printed["kpis"]
    assert re.search(r"Pick pack delay\s+5\.0\s+20\s+\+15\.0", printed["why"])
    assert "shipments-2026-W41.csv.gz" in printed["order"] or "shipments-2026-W40.csv.gz" in printed["order"]
