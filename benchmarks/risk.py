"""At-risk predictions on held-out weeks: simulated companies whose seeds nothing was tuned on, and Olist's real orders.

    python -m benchmarks.risk --seeds 22 23      # simulate, build and judge these companies
    python -m benchmarks.risk --olist FOLDER     # and Olist's CSV folders
    python -m benchmarks.risk --built HOME …     # judge workspaces that are built already

Peers: always saying the lens's usual share of misses, the same per lens and channel, and the curves without
calibration. Each held-out week is predicted from what was known at its start. Brier scores: less is better.

A calibration error is never 0, however good the chances are: outcomes scatter around them, and together where lines
share an order or a day. So each has beside it the error that chances without fault would have had on as many lines.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.harness import Result
from optimizer.risk import Learner, judge, reliability, scores
from optimizer.risk.judge import BINS
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
DRAWS = 400
"""Draws behind an interval and a floor."""

Floats = npt.NDArray[np.float64]


def run(seeds: Sequence[int] = SEEDS) -> list[Result]:
    """Simulate, build and judge each company."""
    results = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            simulate(Path(folder), orders=ORDERS, seed=seed, weeks=26)
            settings = Settings.load(Path(folder))
            run_ingest(settings, [Path(folder) / "inbox"])
            run_build(settings, settings.resolve_as_of())
            results += _results(judged(settings, WEEKS), f"{ORDERS:,} orders, seed {seed}")
    return results


def judged(settings: Settings, weeks: int) -> pl.DataFrame:
    """Return the judged rows of a built workspace's headline lenses, with `order_id` and the day the window ends."""
    with open_published(settings) as connection:
        history = read_history(connection)
        as_of: datetime = connection.execute("select as_of from marts.build_info").fetchall()[0][0]
    told = history.units.select("unit", "order_id", pl.col("window_end_at").dt.date().alias("due_on"))
    return judge(Learner(history), as_of, weeks=weeks).filter("is_headline").join(told, on="unit")


def calibration_floor(rows: pl.DataFrame, together: str) -> tuple[float, float]:
    """Return the calibration error that chances without fault would have on such rows: on average, and of ten nine.

    The errors of a bin, freed of their mean, get a random sign for all rows that share their fate (wild bootstrap).

    Args:
        rows: From `judged`.
        together: Column by which rows share their fate.
    """
    said, outcome, place, fate = _errors(rows, together)
    errors = said - outcome
    errors -= (np.bincount(place, errors) / np.bincount(place))[place]
    sums = np.zeros((int(fate.max()) + 1, BINS))
    np.add.at(sums, (fate, place), errors)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (DRAWS, len(sums)))
    found = np.abs(signs @ sums).sum(axis=1) / len(rows)
    return float(found.mean()), float(np.quantile(found, 0.9))


def calibration_interval(rows: pl.DataFrame, together: str) -> tuple[float, float]:
    """Return how far the calibration error scatters: nine of ten draws of groups with replacement.

    A draw adds scatter of its own, so that its error is larger; the spread of the draws is set around the error.
    """
    _, _, _, fate = _errors(rows, together)
    members = np.split(np.argsort(fate, kind="stable"), np.cumsum(np.bincount(fate))[:-1])
    draw = np.random.default_rng(0)
    found = np.array([
        _calibration(rows[np.concatenate([members[number] for number in drawn]).tolist()])
        for drawn in draw.integers(0, len(members), (DRAWS, len(members)))
    ])  # fmt: skip
    low, high = _calibration(rows) + np.quantile(found, (0.05, 0.95)) - found.mean()
    return max(float(low), 0.0), float(high)


def _calibration(rows: pl.DataFrame) -> float:
    row = scores(rows).row(0, named=True)
    return float(row["calibration_gap"] / row["rows"])


def _errors(rows: pl.DataFrame, together: str) -> tuple[Floats, Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    said, outcome = rows["probability"].to_numpy(), rows["is_missed"].cast(pl.Float64).to_numpy()
    place = np.empty(len(rows), np.int64)
    for number, members in enumerate(np.array_split(np.argsort(said, kind="stable"), BINS)):
        place[members] = number
    fate = (rows[together].rank("dense") - 1).cast(pl.Int64).to_numpy()
    return said, outcome, place, fate


def _results(rows: pl.DataFrame, data: str) -> Iterator[Result]:
    row = scores(rows).row(0, named=True)
    curves = ((rows["by_curves"] - rows["is_missed"].cast(pl.Float64)) ** 2).sum()
    peers = {
        "the usual share of the lens": row["squared_error_base"],
        "the usual share of lens and channel": row["squared_error_channel"],
        "curves without calibration": float(curves),
    }
    gap = _calibration(rows)
    low, high = calibration_interval(rows, "due_on")
    floors = ", ".join(
        f"{mean:.3f} (nine of ten up to {most:.3f}) where {name} share their fate"
        for (mean, most), name in (
            (calibration_floor(rows, "order_id"), "orders"), (calibration_floor(rows, "due_on"), "days"),
        )
    )  # fmt: skip
    for peer, error in peers.items():
        yield Result(
            name="Brier score of a miss",
            data=f"{data}, {rows['at'].n_unique()} held-out days, {row['rows']:,} line-days",
            peer=peer,
            ours=row["squared_error"] / row["rows"],
            theirs=error / row["rows"],
            unit="",
            note=f"calibration error {gap:.3f}, nine of ten draws {low:.3f} to {high:.3f}; without fault {floors}",
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
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS, help="seeds of the companies to simulate")
    parser.add_argument("--olist", type=Path, help="folder with Olist's CSV files")
    parser.add_argument("--built", type=Path, nargs="*", help="workspaces that are built already")
    given = parser.parse_args()
    if given.built:
        for home in given.built:
            settings = Settings.load(home)
            weeks = OLIST_WEEKS if settings.company.name == "Olist" else WEEKS
            _show(judged(settings, weeks), home.name)
        return
    for result in run(given.seeds):
        print(f"{result.data} | {result.peer} | {result.ours:.4f} | {result.theirs:.4f} | {result.note}")
    if given.olist:
        with tempfile.TemporaryDirectory() as home:
            _show(judged(_olist(given.olist, Path(home)), OLIST_WEEKS), "Olist")


if __name__ == "__main__":
    main()
