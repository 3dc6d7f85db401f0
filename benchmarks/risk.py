"""At-risk predictions on held-out weeks: simulated companies whose seeds nothing was tuned on, and Olist's real orders.

    python -m benchmarks.risk                    # simulate, build and judge the seeds
    python -m benchmarks.risk --olist FOLDER     # and Olist's CSV folders
    python -m benchmarks.risk --built HOME …     # judge workspaces that are built already

Peers: always saying the lens's usual share of misses, the same per lens and channel, and the curves without
calibration. Each held-out week is predicted from what was known at its start. Brier scores: less is better.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.harness import Result
from optimizer.risk import Learner, judge, reliability, scores
from otif.jobs import run_build, run_ingest
from otif.risk import read_history
from pipelines.simulator.run import simulate
from storage.publish import open_published
from storage.settings import PROJECT_ROOT, Settings

SEEDS = (22, 23)
ORDERS = 5_000
WEEKS = 6
OLIST_WEEKS = 26
OLIST_AS_OF = "2018-09-01"


def run() -> list[Result]:
    """Simulate, build and judge each company."""
    results = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            simulate(Path(folder), orders=ORDERS, seed=seed, weeks=26)
            settings = Settings.load(Path(folder))
            run_ingest(settings, [Path(folder) / "inbox"])
            run_build(settings, settings.resolve_as_of())
            results += _results(judged(settings, WEEKS), f"{ORDERS:,} orders, seed {seed}")
    return results


def judged(settings: Settings, weeks: int) -> pl.DataFrame:
    """Return the judged rows of a built workspace's headline lenses."""
    with open_published(settings) as connection:
        history = read_history(connection)
        as_of: datetime = connection.execute("select as_of from marts.build_info").fetchall()[0][0]
    return judge(Learner(history), as_of, weeks=weeks).filter("is_headline")


def _results(rows: pl.DataFrame, data: str) -> Iterator[Result]:
    row = scores(rows).row(0, named=True)
    curves = ((rows["by_curves"] - rows["is_missed"].cast(pl.Float64)) ** 2).sum()
    peers = {
        "the usual share of the lens": row["squared_error_base"],
        "the usual share of lens and channel": row["squared_error_channel"],
        "curves without calibration": float(curves),
    }
    gap = row["calibration_gap"] / row["rows"]
    for peer, error in peers.items():
        yield Result(
            name="Brier score of a miss",
            data=f"{data}, {rows['at'].n_unique()} held-out days, {row['rows']:,} line-days",
            peer=peer,
            ours=row["squared_error"] / row["rows"],
            theirs=error / row["rows"],
            unit="",
            note=f"expected calibration error {gap:.3f}",
        )


def _olist(folder: Path, home: Path) -> Settings:
    (home / "otif.toml").write_text(
        '[company]\nname = "Olist"\nzone = "America/Sao_Paulo"\ncurrency = "BRL"\n', encoding="utf-8"
    )
    settings = Settings.load(home)
    parts = sorted({path.parent for path in folder.rglob("olist_orders_dataset.csv")})
    for part in parts:
        run_ingest(settings, [part], mapping=PROJECT_ROOT / "mappings" / "olist.yml")
    run_build(settings, settings.resolve_as_of(OLIST_AS_OF).astimezone(UTC))
    return settings


def _show(rows: pl.DataFrame, name: str) -> None:
    for result in _results(rows, name):
        better = 1 - result.ours / result.theirs
        print(f"{result.data} | {result.peer} | {result.ours:.4f} | {result.theirs:.4f} | {better:.0%} | {result.note}")
    for by in (["horizon"], ["profile_id"]):
        for row in scores(rows, by).iter_rows(named=True):
            ours, base = row["squared_error"] / row["rows"], row["squared_error_base"] / row["rows"]
            print(
                f"  {row[by[0]]}: {row['rows']:,} line-days, {row['misses']:,} misses, Brier {ours:.4f} against "
                f"{base:.4f}, calibration error {row['calibration_gap'] / row['rows']:.3f}"
            )
    bins = reliability(rows).with_columns(pl.col("said") / pl.col("rows"), pl.col("misses") / pl.col("rows"))
    print(
        "  said → happened: "
        + ", ".join(f"{said:.2f} → {out:.2f}" for said, out in bins.select("said", "misses").rows())
    )


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--olist", type=Path, help="folder with Olist's CSV files")
    parser.add_argument("--built", type=Path, nargs="*", help="workspaces that are built already")
    given = parser.parse_args()
    if given.built:
        for home in given.built:
            settings = Settings.load(home)
            weeks = OLIST_WEEKS if settings.company.name == "Olist" else WEEKS
            _show(judged(settings, weeks), home.name)
        return
    for result in run():
        print(f"{result.data} | {result.peer} | {result.ours:.4f} | {result.theirs:.4f} | {result.note}")
    if given.olist:
        with tempfile.TemporaryDirectory() as home:
            _show(judged(_olist(given.olist, Path(home)), OLIST_WEEKS), "Olist")


if __name__ == "__main__":
    main()
