"""The rooms are top-level packages of one private distribution: their names must belong to us alone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOMS = ("otif", "pipelines", "optimizer", "dashboards", "storage")


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_resolves_inside_the_checkout(room: str, project_root: Path) -> None:
    found = importlib.util.find_spec(room)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).is_relative_to(project_root)


@pytest.mark.parametrize("room", ROOMS)
def test_no_other_installed_distribution_provides_a_room(room: str) -> None:
    assert set(packages_distributions().get(room, [])) <= {"otif-control-tower"}


def test_nothing_in_dashboards_shadows_a_room(project_root: Path) -> None:
    # Streamlit puts the script's folder first on sys.path.
    names = {path.stem for path in (project_root / "dashboards").iterdir()}
    assert names.isdisjoint(ROOMS)


def test_tests_are_no_package(project_root: Path) -> None:
    assert not list((project_root / "tests").rglob("__init__.py"))


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys, otif.cli\n"
        "heavy = {'polars', 'duckdb', 'pandas', 'great_expectations', 'streamlit', 'ortools', 'sqlalchemy', 'altair'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_pages_do_not_reach_great_expectations(project_root: Path) -> None:
    script = "import sys, dashboards.queries; print('great_expectations' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=project_root)
    assert shown.stdout.strip() == "False"
