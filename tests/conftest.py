"""Fixtures that every test may use."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from storage.duck import Connection

ROOT = Path(__file__).resolve().parent.parent
MadeOnce = Callable[[str, Callable[[Path], object]], Path]
Land = Callable[["Connection", str, list[dict[str, Any]]], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker make the sample company while the others test what can do without it, and end with small files."""
    rooms = (ROOT / "tests" / "models", ROOT / "tests" / "optimizer")
    waits = {item.path for item in items if "sample_home" in getattr(item, "fixturenames", ())}

    def turn(item: pytest.Item) -> int:
        if item.path.name == "test_sample_pages.py":
            return 0
        if item.path in waits:
            return 2
        return 1 if any(item.path.is_relative_to(room) for room in rooms) else 3

    items.sort(key=turn)


@pytest.fixture(scope="session")
def land() -> Land:
    """Put events into the landing tables without a file; what a row leaves out of the envelope has defaults."""
    import polars as pl

    from storage.contracts import conform, event_table

    def landed(connection: Connection, family: str, rows: list[dict[str, Any]]) -> None:
        table = event_table(family)
        envelope = {"time_quality": "instant", "source": "edi", "source_ref": "golden#1"}
        told = [envelope | {"observed_at": row["event_at"]} | row for row in rows]
        frame = conform(pl.DataFrame(told, infer_schema_length=None), family)
        connection.register("golden", frame.to_arrow())
        named = [name for name in table.names if name not in ("event_id", "batch_id")]
        connection.execute(
            f"insert into {table.table} (event_id, batch_id, {', '.join(named)}) "
            f"select {table.id_expression()}, 'golden', {', '.join(named)} from golden"
        )
        connection.unregister("golden")

    return landed


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
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Return the folder of a name, filled by the function once per run.

    Workers share it: the first to come fills it under a lock, the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.made"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                fill(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def sample_home(made_once: MadeOnce) -> Path:
    """Workspace that `otif demo` leaves behind, for reading only (copy it to write).

    OTIF_SAMPLE_HOME names a workspace that a demonstration made before, while working on pages.
    """
    if given := os.environ.get("OTIF_SAMPLE_HOME"):
        return Path(given)

    def demonstrate(home: Path) -> None:
        command = [sys.executable, "-m", "otif.cli", "demo", "--dir", str(home)]
        told = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"}, cwd=ROOT
        )
        assert told.returncode == 0, told.stderr + told.stdout
        (home.parent / "demo.out").write_text(told.stdout)

    return made_once("sample-company", demonstrate)


@pytest.fixture(scope="session")
def demo_output(sample_home: Path) -> str:
    """What `otif demo` printed."""
    told = sample_home.parent / "demo.out"
    if not told.exists():
        pytest.skip("OTIF_SAMPLE_HOME names a workspace, not a run: what the demonstration printed is not kept there")
    return told.read_text()
