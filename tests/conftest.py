"""Fixtures that every test may use."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real public data sets that are not part of the repository."""
    folder = Path(os.environ.get("OTIF_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets are not here ({folder}); set OTIF_SHARED_DATA to run these tests")
    return folder


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Workspace that `otif demo` leaves behind: made once per run, for reading only (copy it to write).

    Workers share it: the first to come runs the demonstration under a lock, the others wait for it.
    OTIF_SAMPLE_HOME names a workspace that a demonstration made before, while working on pages.
    """
    if given := os.environ.get("OTIF_SAMPLE_HOME"):
        return Path(given)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "sample-company"
    with (shared / "sample-company.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "demo.out").exists():
            command = [sys.executable, "-m", "otif.cli", "demo", "--dir", str(home)]
            told = subprocess.run(
                command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"}, cwd=ROOT
            )
            assert told.returncode == 0, told.stderr + told.stdout
            (shared / "demo.out").write_text(told.stdout)
    return home


@pytest.fixture(scope="session")
def demo_output(sample_home: Path) -> str:
    """What `otif demo` printed."""
    told = sample_home.parent / "demo.out"
    if not told.exists():
        pytest.skip("OTIF_SAMPLE_HOME names a workspace, not a run: what the demonstration printed is not kept there")
    return told.read_text()
