"""Runs dbt and publishes: landed events → marts → a new read-only publication.

dbt runs as a subprocess, because in-process it keeps the DuckDB handle open (ADR 0003).
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipelines import increments
from pipelines.dbt_failures import failure_in_words
from pipelines.errors import TransformError
from pipelines.landing import prepare_landing
from pipelines.lineage import published_views, row_models, write_lineage
from pipelines.restatements import record_restatements
from storage.duck import Connection, connect, writer_lock
from storage.errors import NotPublishedError
from storage.publish import current_publication, publish
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
        kind: `full`, `incremental` or `current`: nothing was to be done.
        why_full: Why a full build began from scratch.
        last_event_at: The youngest event seen (aware, UTC); null = none.
    """

    publication: Path
    as_of: datetime
    models: int
    tests: int
    warnings: tuple[str, ...]
    seconds: float
    restated: int = 0
    kind: str = "full"
    why_full: str = ""
    last_event_at: datetime | None = None


def build(
    settings: Settings,
    as_of: datetime,
    *,
    full: bool = False,
    tests: bool = True,
    threads: int = 2,
    finish: Callable[[Connection, datetime], None] | None = None,
) -> BuildReport:
    """Build the models as of an instant and publish the marts: on top of the last build where that is safe.

    Args:
        settings: Workspace.
        as_of: Aware instant; events after it are not seen.
        full: Build everything from scratch, whatever the last build left.
        tests: Run the data tests.
        threads: dbt threads.
        finish: What is still to be computed from the models and published with them; given the database and the as-of.

    Raises:
        TransformError: dbt failed; the message names the nodes and the log. Nothing was published.
        StorageBusyError: Another process is writing.
    """
    started = time.perf_counter()
    with writer_lock(settings, purpose="building"):
        plan, results = _make(settings, as_of, full=full, tests=tests, threads=threads, published=_published(settings))
        if plan.is_current:
            return BuildReport(
                current_publication(settings), as_of, 0, 0, (), time.perf_counter() - started, kind="current"
            )
        if finish is not None:
            connection = connect(settings.database)
            try:
                finish(connection, as_of)
            finally:
                connection.close()
        stamp = f"{as_of:%Y%m%dT%H%M%S}-{time.time_ns():020d}"
        manifest = _target(settings) / "manifest.json"
        models = row_models(manifest, results, build_variables(settings))
        connection = connect(settings.database)
        write_lineage(connection, models)
        restated = record_restatements(settings, connection, publication_id=stamp)
        (youngest,) = connection.execute("select max(last_event_at) from marts.data_freshness").fetchone() or (None,)
        connection.close()
        publication = publish(settings, publication_id=stamp, views=published_views(manifest, results))
        _complete(settings, plan, publication.name)
    nodes = [(row["unique_id"].split(".")[0], row["status"], row["unique_id"].split(".")[2]) for row in results]
    return BuildReport(
        publication=publication,
        as_of=as_of,
        models=sum(kind in ("model", "seed") for kind, _, _ in nodes),
        tests=sum(kind == "test" and status == "pass" for kind, status, _ in nodes),
        warnings=tuple(name for _, status, name in nodes if status == "warn"),
        seconds=time.perf_counter() - started,
        restated=restated,
        kind="full" if plan.why_full else "incremental",
        why_full=plan.why_full,
        last_event_at=youngest and youngest.replace(tzinfo=UTC),
    )


def make_models(
    settings: Settings, as_of: datetime, *select: str, full: bool = False, threads: int = 2
) -> tuple[increments.Plan, list[dict[str, Any]]]:
    """Build some models without data tests and publish nothing: for benchmarks and proofs.

    Args:
        settings: Workspace.
        as_of: Aware instant.
        select: What dbt is to select; the same selection as the last time stands on what that made.
        full: Build from scratch.
        threads: dbt threads.

    Returns:
        How it went, and the `results` list of dbt's run_results.json.
    """
    with writer_lock(settings, purpose="building some models"):
        plan, results = _make(settings, as_of, select=select, full=full, threads=threads)
        if not plan.is_current:
            _complete(settings, plan, "")
    return plan, results


def _make(
    settings: Settings,
    as_of: datetime,
    *,
    select: Sequence[str] = (),
    full: bool,
    tests: bool = False,
    threads: int,
    published: str = "",
) -> tuple[increments.Plan, list[dict[str, Any]]]:
    """Run dbt, on top of the last build where that is safe."""
    mark = increments.fingerprint(settings, merge_seeds(settings), select)
    plan = _begin(settings, as_of, mark, published=published, full=full)
    if plan.is_current:
        return plan, []
    results = _run(settings, plan, select, tests=tests, threads=threads)
    connection = connect(settings.database)
    start_over = increments.must_start_over(connection, plan)
    connection.close()
    if start_over:
        plan = replace(
            _begin(settings, as_of, mark, published=published, full=True), why_full="a fact about all orders changed"
        )
        results = _run(settings, plan, select, tests=tests, threads=threads)
    return plan, results


def _begin(settings: Settings, as_of: datetime, mark: str, *, published: str, full: bool) -> increments.Plan:
    """Decide how to build, and clear what a full build makes anew."""
    connection = connect(settings.database)
    try:
        prepare_landing(connection)
        plan = increments.begin(connection, as_of, mark, published=published, full=full)
        if plan.why_full:
            # dbt keeps the columns of a seed table it has made; seeds are small, so they are made anew.
            connection.execute("drop schema if exists seeds cascade")
    finally:
        connection.close()
    return plan


def _run(
    settings: Settings, plan: increments.Plan, select: Sequence[str], *, tests: bool, threads: int
) -> list[dict[str, Any]]:
    """Run dbt on what has to be made. Seeds and their tests stand: seeds that changed make a full build."""
    options = ["--exclude-resource-type", "unit_test"]
    if not tests:
        options += ["--exclude-resource-type", "test"]
    if not plan.why_full:
        options += ["--exclude", f"path:{_seeds(settings)}"]
    if select:
        options += ["--select", *select, *increments.ENDS_INCREMENT]
    return run_dbt(settings, "build", *options, full_refresh=bool(plan.why_full), threads=threads)


def _complete(settings: Settings, plan: increments.Plan, publication: str) -> None:
    connection = connect(settings.database)
    increments.complete(connection, plan, publication=publication)
    connection.close()


def _published(settings: Settings) -> str:
    """Return the name of the publication that readers see, empty without one."""
    try:
        path = current_publication(settings)
    except NotPublishedError:
        return ""
    return path.name if path.exists() else ""


def _seeds(settings: Settings) -> str:
    """Return the folder of the merged seeds as dbt knows it: relative to the project."""
    return os.path.relpath(settings.var / "dbt" / "seeds", PROJECT_ROOT)


def merge_seeds(settings: Settings) -> Path:
    """Lay the workspace's seeds over the product's: a file of the same name replaces the default.

    A column that the workspace's file lacks, because it is older than the column, is blank.

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
            _lay_over(path, merged / path.name)
    return merged


def _lay_over(own: Path, merged: Path) -> None:
    """Put a workspace's seed in the place of the product's; a column that it lacks is blank."""
    with merged.open(encoding="utf-8", newline="") as handle:
        expected = next(csv.reader(handle))
    with own.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))
    lacking = [name for name in expected if rows and name not in rows[0]]
    if not lacking:
        shutil.copyfile(own, merged)
        return
    with merged.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow([*rows[0], *lacking])
        writer.writerows([*row, *("" for _ in lacking)] for row in rows[1:] if row)


def build_variables(settings: Settings) -> dict[str, str | int]:
    """Return the variables that a build passes to the models.

    They change with the settings only: other values make dbt read the whole project anew. The instant that a build
    looks from stands in the database.
    """
    fiscal = settings.fiscal
    return {
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
    settings: Settings,
    command: str,
    *options: str,
    as_of: datetime | None = None,
    full_refresh: bool = False,
    threads: int = 2,
) -> tuple[list[str], dict[str, str]]:
    """Return the dbt command line and its environment.

    Args:
        settings: Workspace.
        command: May have two words (`docs generate`).
        options: Further arguments of dbt.
        as_of: Let the models look from this instant; by default from where the last build looked.
        full_refresh: Make every model from scratch.
        threads: dbt threads.
    """
    if as_of is not None:
        connection = connect(settings.database)
        increments.write_context(connection, as_of.replace(tzinfo=None))
        connection.close()
    merge_seeds(settings)
    arguments = [
        sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--log-path", str(settings.var / "dbt" / "logs"),
        "--log-level-file", "info",  # every statement at length would cost an eighth of the run
        *command.split(), "--project-dir", str(PROJECT_ROOT), "--profiles-dir", str(PROJECT_ROOT),
        "--target-path", str(_target(settings)), "--threads", str(threads),
        "--vars", json.dumps(build_variables(settings)), *options,
    ]  # fmt: skip
    if full_refresh:
        arguments.append("--full-refresh")
    environment = (
        os.environ
        | _NO_TELEMETRY
        | {
            "OTIF_DUCKDB": str(settings.database),
            "OTIF_SEEDS": _seeds(settings),
        }
    )
    # Compiling dbt's modules costs a third of its start. Who wants no bytecode beside the code has it in his cache.
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        environment["PYTHONPYCACHEPREFIX"] = str(cache / "otif" / "bytecode")
    return arguments, environment


def run_dbt(
    settings: Settings,
    command: str,
    *options: str,
    as_of: datetime | None = None,
    full_refresh: bool = False,
    threads: int = 2,
) -> list[dict[str, Any]]:
    """Run one dbt command on the workspace, see `dbt_command`.

    Returns:
        The `results` list of dbt's run_results.json.

    Raises:
        TransformError: dbt failed.
    """
    arguments, environment = dbt_command(
        settings, command, *options, as_of=as_of, full_refresh=full_refresh, threads=threads
    )
    outcome = _target(settings) / "run_results.json"
    outcome.unlink(missing_ok=True)
    finished = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    results: list[dict[str, Any]] = json.loads(outcome.read_text())["results"] if outcome.exists() else []
    if finished.returncode != 0:
        failed = [row for row in results if row["status"] in ("error", "fail")]
        shown = _in_words(settings, failed[:10]) or finished.stdout[-3000:] + finished.stderr[-1000:]
        message = (
            f"dbt {command} failed; nothing was published.\n{shown}\n"
            f"Full log: {settings.var / 'dbt' / 'logs' / 'dbt.log'}"
        )
        raise TransformError(message)
    return results


def _in_words(settings: Settings, failed: Sequence[dict[str, Any]]) -> str:
    if not failed:
        return ""
    nodes = json.loads((_target(settings) / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    with connect(settings.database, read_only=True) as connection:
        return "\n".join(f"  {failure_in_words(row, nodes.get(row['unique_id'], {}), connection)}" for row in failed)
