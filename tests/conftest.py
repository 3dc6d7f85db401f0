"""Fixtures that every test may use."""

from __future__ import annotations

import fcntl
import os
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
    """Workspace of the sample company after ingest and build: made once per run, for reading only.

    Workers share it: the first to come builds it under a lock, the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "sample-company"
    with (shared / "sample-company.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            from otif.jobs import run_build, run_ingest
            from otif.workspace import SAMPLE, create_sample_workspace

            settings = create_sample_workspace(home)
            run_ingest(settings, [SAMPLE / "inbox"])
            run_build(settings, settings.resolve_as_of())
            (home / "ready").touch()
    return home
