"""The KPI marts on TPC-H, against one hand-written DuckDB script that computes the same numbers from the same events.

Per scale factor (1 = 1.5 million orders, 6 million lines, 19 million events): generate the tables, land their events
(`benchmarks.tpch_events`), build the models that the KPI values and durations need with dbt, run
`benchmarks/tpch_script.sql`, prove that both say the same, land one more day, build again, prove it again. The models
do more than the script: they look for repeated, corrected, late and contradicting events of many sources, keep every
order, line and piece with its times, and give every miss a cause.

Processor seconds (user and system) and the peak memory of each stage, which is a process of its own. Data tests are
not part of it. `tpchgen-cli` has to stand beside the Python that runs this, or the Parquet files in the folder.

    python -m benchmarks.tpch                          scale factors 0.1 and 1
    python -m benchmarks.tpch 1 10 --folder DIR        these; files stay in the folder and are used again
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from benchmarks.harness import Result
from benchmarks.tpch_events import AS_OF, NEXT_DAY, generate, land
from pipelines.transform import make_models, run_dbt
from storage.duck import connect
from storage.settings import PROJECT_ROOT, Settings

SCALES: Final = (0.1, 1.0)
SELECTION: Final = ("+kpi_values", "+kpi_durations")
"""What the KPI marts are here: every model that the KPI values and the stages of hours depend on."""

_SCRIPT: Final = PROJECT_ROOT / "benchmarks" / "tpch_script.sql"
_KEYS: Final = (
    "kpi_id, profile_id, is_headline, period_date, channel, channel_type, customer_id, node_id, carrier, region, "
    "category, seller_id, currency"
)

_DIFFERENT_VALUES: Final = f"""
select count(*) from script.kpi_values as ours full outer join otif.metrics.kpi_values as theirs using ({_KEYS})
where
    ours.observations is distinct from theirs.observations
    or ours.is_provisional is distinct from theirs.is_provisional
    or not coalesce(abs(ours.numerator - theirs.numerator) <= 1e-9 * greatest(abs(theirs.numerator), 1), false)
    or not coalesce(abs(ours.denominator - theirs.denominator) <= 1e-9 * greatest(abs(theirs.denominator), 1), false)
"""

_DIFFERENT_TIMES: Final = """
with theirs as (
    select
        stage_id, channel, cast(date_trunc('week', cohort_date) as date) as captured_week, count(*) as orders,
        quantile_cont(hours, 0.5) as median_hours, quantile_cont(hours, 0.9) as p90_hours
    from otif.metrics.kpi_durations
    where kpi_id = 'cycle_time' and stage_id <> 'capture_to_deliver_net' and hours is not null
    group by all
)

select count(*) from script.cycle_times as ours full outer join theirs using (stage_id, channel, captured_week)
where
    ours.orders is distinct from theirs.orders
    or not coalesce(abs(ours.median_hours - theirs.median_hours) < 1e-6, false)
    or not coalesce(abs(ours.p90_hours - theirs.p90_hours) < 1e-6, false)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage took.

    Attributes:
        seconds: Processor seconds, user and system, of the process and its children.
        peak: Largest resident memory of one of them, in GB.
        said: What the stage said: its last line, as JSON.
    """

    seconds: float
    peak: float
    said: dict[str, float]


def run(scales: tuple[float, ...] = SCALES, folder: Path | None = None) -> list[Result]:
    """Measure and compare.

    Args:
        scales: Scale factors.
        folder: Where the files stay; default is a temporary folder that is removed.
    """
    root = folder or Path(tempfile.mkdtemp())
    try:
        return [result for scale in scales for result in _measure(scale, root / f"sf{scale:g}")]
    finally:
        if folder is None:
            shutil.rmtree(root)


def _measure(scale: float, home: Path) -> list[Result]:
    home.mkdir(parents=True, exist_ok=True)
    _stage("generate", home, AS_OF, scale)
    events = _stage("land", home, AS_OF, scale).said["events"]
    marts = _stage("build", home, AS_OF, scale)
    start_up = _stage("start", home, AS_OF, scale)
    script = _stage("script", home, AS_OF, scale)
    cells = _stage("compare", home, AS_OF, scale).said["cells"]
    _stage("land", home, NEXT_DAY, scale)
    day = _stage("build", home, NEXT_DAY, scale)
    _stage("script", home, NEXT_DAY, scale)
    _stage("compare", home, NEXT_DAY, scale)
    data = f"TPC-H SF {scale:g}, {events:,.0f} events, {cells:,.0f} KPI cells"
    return [
        Result(
            name="build the KPI marts",
            data=data,
            peer="one DuckDB script",
            ours=marts.seconds,
            theirs=script.seconds,
            unit="CPU s",
            note=f"{marts.seconds / script.seconds:.1f} times the script's time, start-up {start_up.seconds:.1f} s; "
            f"peak {marts.peak:.1f} GB, script's {script.peak:.1f} GB; workspace {marts.said['gigabytes']:.1f} GB",
        ),
        Result(
            name="build one more day",
            data=data,
            peer="the build before",
            ours=day.seconds,
            theirs=marts.seconds,
            unit="CPU s",
            note=f"{'incremental' if day.said['incremental'] else 'full'}, "
            f"{(day.seconds - start_up.seconds) / marts.seconds:.1%} of the full build besides start-up; "
            f"peak {day.peak:.1f} GB",
        ),
    ]


def _stage(name: str, home: Path, as_of: datetime, scale: float) -> Cost:
    """Run a stage in a process of its own and tell what it took."""
    arguments = [sys.executable, "-m", "benchmarks.tpch", f"{scale:g}", "--folder", str(home), "--stage", name]
    started = time.perf_counter()
    with subprocess.Popen([*arguments, "--as-of", as_of.isoformat()], stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        message = f"stage {name} at scale factor {scale:g} failed with {process.returncode}"
        raise RuntimeError(message)
    said = json.loads(output.splitlines()[-1])
    cost = Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6, said)
    print(
        f"SF {scale:g} as of {as_of:%Y-%m-%d} {name}: {cost.seconds:.1f} CPU s, "
        f"{time.perf_counter() - started:.1f} s by the clock, peak {cost.peak:.1f} GB {said or ''}",
        file=sys.stderr,
        flush=True,
    )
    return cost


def _generate(settings: Settings, _: datetime, scale: float) -> dict[str, float]:
    generate(settings.home / "tables", scale)
    return {}


def _land(settings: Settings, until: datetime, _: float) -> dict[str, float]:
    """Land everything before the first as-of into a new database, or the day since then."""
    settings.var.mkdir(parents=True, exist_ok=True)
    if until == AS_OF:
        settings.database.unlink(missing_ok=True)
    connection = connect(settings.database)
    events = land(connection, settings.home / "tables", None if until == AS_OF else AS_OF, until)
    connection.close()
    return {"events": events}


def _start(settings: Settings, as_of: datetime, _: float) -> dict[str, float]:
    """Make one view: what dbt costs whatever the data."""
    run_dbt(settings, "run", "--select", "stg_landing__batches", as_of=as_of, threads=1)
    return {}


def _build(settings: Settings, as_of: datetime, _: float) -> dict[str, float]:
    plan, results = make_models(settings, as_of, *SELECTION, threads=1)
    for row in sorted(results, key=lambda row: -row["execution_time"])[:12]:
        print(f"    {row['execution_time']:8.1f} s {row['unique_id'].split('.')[-1]}", file=sys.stderr)
    return {
        "models": len(results),
        "gigabytes": settings.database.stat().st_size / 1e9,
        "incremental": float(not plan.why_full),
    }


def _script(settings: Settings, as_of: datetime, _: float) -> dict[str, float]:
    path = settings.home / "script.duckdb"
    path.unlink(missing_ok=True)
    connection = connect(path)
    connection.execute("set memory_limit = '50%'")
    connection.execute(f"attach '{settings.database}' as source (read_only)")
    connection.execute(f"set variable as_of = timestamp '{as_of:%Y-%m-%d}'")
    connection.execute(_SCRIPT.read_text(encoding="utf-8").replace(" landing.", " source.landing."))
    connection.close()
    return {}


def _compare(settings: Settings, _as_of: datetime, _: float) -> dict[str, float]:
    """Prove that the script and the marts say the same.

    Raises:
        AssertionError: They do not.
    """
    connection = connect()
    connection.execute(f"attach '{settings.home / 'script.duckdb'}' as script (read_only)")
    connection.execute(f"attach '{settings.database}' as otif (read_only)")
    for what, query in (("KPI values", _DIFFERENT_VALUES), ("cycle times", _DIFFERENT_TIMES)):
        [(different,)] = connection.execute(query).fetchall()
        if different:
            message = f"{different} {what} of the marts and of the script differ"
            raise AssertionError(message)
    [(cells,)] = connection.execute("select count(*) from otif.metrics.kpi_values").fetchall()
    return {"cells": cells}


_STAGES: Final[dict[str, Callable[[Settings, datetime, float], dict[str, float]]]] = {
    "generate": _generate,
    "land": _land,
    "start": _start,
    "build": _build,
    "script": _script,
    "compare": _compare,
}


def main() -> None:
    """Run the benchmark, or one stage of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scales", nargs="*", type=float, default=SCALES)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--stage", choices=tuple(_STAGES), help="only this stage; --folder is its scale factor's own")
    parser.add_argument("--as-of", type=datetime.fromisoformat, default=AS_OF)
    options = parser.parse_args()
    if options.stage:
        if options.folder is None:
            parser.error("--stage needs --folder")
        said = _STAGES[options.stage](Settings(home=options.folder.resolve()), options.as_of, options.scales[0])
        print(json.dumps(said))
        return
    for result in run(tuple(options.scales), options.folder):
        figures = f"{result.ours:.1f} {result.unit}, {result.peer} {result.theirs:.1f}"
        print(f"{result.name} ({result.data}): {figures}; {result.note}", flush=True)


if __name__ == "__main__":
    main()
