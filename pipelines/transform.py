"""Runs dbt and publishes: landed events → marts → a new read-only publication.

dbt runs as a subprocess, because in-process it keeps the DuckDB handle open (ADR 0003).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pipelines.errors import TransformError
from pipelines.landing import prepare_landing
from pipelines.lineage import published_views, row_models, write_lineage
from pipelines.restatements import record_restatements
from storage.duck import Connection, connect, writer_lock
from storage.publish import publish
from storage.settings import PROJECT_ROOT, Settings

_NO_TELEMETRY: Final = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        publication: The published file.
        as_of: Instant the build looks from (aware, UTC).
        models: Models and seeds built.
        tests: Data tests passed.
        warnings: Names of tests that warned.
        seconds: Wall time including publication.
        restated: Published figures of past weeks that changed: KPIs × weeks.
    """

    publication: Path
    as_of: datetime
    models: int
    tests: int
    warnings: tuple[str, ...]
    seconds: float
    restated: int = 0


def build(
    settings: Settings,
    as_of: datetime,
    *,
    full_refresh: bool = False,
    threads: int = 2,
    finish: Callable[[Connection, datetime], None] | None = None,
) -> BuildReport:
    """Build all models as of an instant and publish the marts.

    Args:
        settings: Workspace.
        as_of: Aware instant; events after it are not seen.
        full_refresh: Rebuild seeds and incremental models from scratch.
        threads: dbt threads.
        finish: What is still to be computed from the models and published with them; given the database and the as-of.

    Raises:
        TransformError: dbt failed; the message names the nodes and the log. Nothing was published.
        StorageBusyError: Another process is writing.
    """
    started = time.perf_counter()
    with writer_lock(settings, purpose="building"):
        connection = connect(settings.database)
        prepare_landing(connection)
        # dbt keeps the columns of a seed table it has made; seeds are small, so they are made anew each time.
        connection.execute("drop schema if exists seeds cascade")
        connection.close()
        results = run_dbt(settings, "build", as_of=as_of, full_refresh=full_refresh, threads=threads)
        if finish is not None:
            connection = connect(settings.database)
            try:
                finish(connection, as_of)
            finally:
                connection.close()
        stamp = f"{as_of:%Y%m%dT%H%M%S}-{time.time_ns():020d}"
        models = row_models(_target(settings) / "manifest.json", results, build_variables(settings, as_of))
        connection = connect(settings.database)
        write_lineage(connection, models)
        restated = record_restatements(settings, connection, publication_id=stamp)
        connection.close()
        publication = publish(settings, publication_id=stamp, views=published_views(results))
    nodes = [(row["unique_id"].split(".")[0], row["status"], row["unique_id"].split(".")[2]) for row in results]
    return BuildReport(
        publication=publication,
        as_of=as_of,
        models=sum(kind in ("model", "seed") for kind, _, _ in nodes),
        tests=sum(kind == "test" and status == "pass" for kind, status, _ in nodes),
        warnings=tuple(name for _, status, name in nodes if status == "warn"),
        seconds=time.perf_counter() - started,
        restated=restated,
    )


def merge_seeds(settings: Settings) -> Path:
    """Lay the workspace's seeds over the product's: a file of the same name replaces the default.

    Returns:
        The folder that dbt reads its seeds from.
    """
    merged = settings.var / "dbt" / "seeds"
    shutil.rmtree(merged, ignore_errors=True)
    shutil.copytree(PROJECT_ROOT / "data" / "seeds", merged)
    own = settings.home / "seeds"
    if own.is_dir():
        known = {path.name for path in merged.glob("*.csv")}
        for path in sorted(own.glob("*.csv")):
            if path.name not in known:
                message = f"{path}: no seed of that name; known: {', '.join(sorted(known))}"
                raise TransformError(message)
            shutil.copyfile(path, merged / path.name)
    return merged


def build_variables(settings: Settings, as_of: datetime) -> dict[str, str | int]:
    """Return the variables that a build passes to the models."""
    fiscal = settings.fiscal
    return {
        "as_of": f"{as_of:%Y-%m-%d %H:%M:%S}",
        "company_zone": settings.company.zone,
        "company_currency": settings.company.currency,
        "company_country": settings.company.country,
        "week_start": settings.company.week_start,
        "fiscal_pattern": fiscal.pattern,
        "fiscal_ends_on": fiscal.ends_on,
        "fiscal_year_end_month": fiscal.year_end_month,
        "fiscal_year_end": fiscal.year_end,
        "fiscal_named_after": fiscal.named_after,
    }


def _target(settings: Settings) -> Path:
    return settings.var / "dbt" / "target"


def dbt_command(
    settings: Settings, command: str, *, as_of: datetime, full_refresh: bool = False, threads: int = 2
) -> tuple[list[str], dict[str, str]]:
    """Return the dbt command line and its environment; the command may have two words (`docs generate`)."""
    target = _target(settings)
    variables = json.dumps(build_variables(settings, as_of))
    arguments = [
        sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--log-path", str(settings.var / "dbt" / "logs"),
        *command.split(), "--project-dir", str(PROJECT_ROOT), "--profiles-dir", str(PROJECT_ROOT),
        "--target-path", str(target), "--threads", str(threads), "--vars", variables,
    ]  # fmt: skip
    if command == "build":
        arguments += ["--exclude-resource-type", "unit_test"]
    if full_refresh:
        arguments.append("--full-refresh")
    environment = (
        os.environ
        | _NO_TELEMETRY
        | {
            "OTIF_DUCKDB": str(settings.database),
            "OTIF_SEEDS": os.path.relpath(merge_seeds(settings), PROJECT_ROOT),
        }
    )
    return arguments, environment


def run_dbt(
    settings: Settings, command: str, *, as_of: datetime, full_refresh: bool = False, threads: int = 2
) -> list[dict[str, Any]]:
    """Run one dbt command on the workspace.

    Returns:
        The `results` list of dbt's run_results.json.

    Raises:
        TransformError: dbt failed.
    """
    arguments, environment = dbt_command(settings, command, as_of=as_of, full_refresh=full_refresh, threads=threads)
    outcome = _target(settings) / "run_results.json"
    outcome.unlink(missing_ok=True)
    finished = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    results: list[dict[str, Any]] = json.loads(outcome.read_text())["results"] if outcome.exists() else []
    if finished.returncode != 0:
        failed = [row for row in results if row["status"] in ("error", "fail")]
        shown = "\n".join(f"  {row['unique_id']}: {(row.get('message') or '').strip()}" for row in failed[:10])
        shown = shown or finished.stdout[-3000:] + finished.stderr[-1000:]
        message = (
            f"dbt {command} failed; nothing was published.\n{shown}\n"
            f"Full log: {settings.var / 'dbt' / 'logs' / 'dbt.log'}"
        )
        raise TransformError(message)
    return results
