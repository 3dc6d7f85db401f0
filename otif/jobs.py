"""One function per job: what a command or a schedule runs. Jobs join the rooms; they hold no rule of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from storage.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from pipelines.landing import BatchReport
    from pipelines.transform import BuildReport


def run_ingest(
    settings: Settings,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    mapping: Path | None = None,
    on_batch: Callable[[BatchReport], None] = lambda _: None,
) -> list[BatchReport]:
    """Land everything new under the paths. See `pipelines.landing.ingest`."""
    from pipelines.landing import ingest

    return ingest(settings, paths, source=source, mapping=mapping, on_batch=on_batch)


def run_build(settings: Settings, as_of: datetime, *, full: bool = False) -> BuildReport:
    """Land what people decided, build, predict the open lines, publish, and note the exceptions in the ledger.

    See `pipelines.transform.build`, `otif.risk` and `otif.exceptions`.
    """
    from otif.disputes import land_decisions
    from otif.exceptions import note_exceptions
    from otif.risk import write_risks
    from pipelines.transform import build

    land_decisions(settings)
    report = build(settings, as_of, full=full, finish=write_risks)
    note_exceptions(settings, as_of=as_of)
    return report


def serve_dashboards(settings: Settings, *, host: str, port: int) -> int:
    """Run the dashboards until they are stopped.

    Returns:
        The exit code of Streamlit.
    """
    environment = os.environ | {"OTIF_HOME": str(settings.home), "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
    command = [
        sys.executable, "-m", "streamlit", "run", str(PROJECT_ROOT / "dashboards" / "app.py"),
        "--server.address", host, "--server.port", str(port), "--server.headless", "true",
    ]  # fmt: skip
    try:
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
    except KeyboardInterrupt:
        return 0
