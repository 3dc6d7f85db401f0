"""Channel reserves chosen by sample average against the rules people use, on held-out weeks of simulated companies.

Peers: 20 % of stock, the average week of the last 4 and the last 13 weeks, no buffer. Same weeks, same stock; figures
are regret against hindsight, so less is better. Seeds that nothing was tuned on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.harness import Result
from otif.buffers import advise_buffers
from otif.jobs import run_build, run_ingest
from pipelines.simulator.run import simulate
from storage.settings import Settings

SEEDS = (101, 202, 303)
ORDERS = 5_000
WEEKS = 8
OURS = "sample average"


def run() -> list[Result]:
    """Simulate, build and judge each company."""
    results = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            simulate(Path(folder), orders=ORDERS, seed=seed, weeks=26)
            settings = Settings.load(Path(folder))
            run_ingest(settings, [Path(folder) / "inbox"])
            run_build(settings, settings.resolve_as_of())
            results += _judged(settings, seed)
    return results


def _judged(settings: Settings, seed: int) -> list[Result]:
    regret = dict(advise_buffers(settings, weeks=WEEKS).regret().select("policy", "regret_cents").iter_rows())
    ours = regret.pop(OURS) / 100
    return [
        Result(
            name="regret of channel reserves",
            data=f"{ORDERS:,} orders, seed {seed}, {WEEKS} held-out weeks",
            peer=peer,
            ours=ours,
            theirs=theirs / 100,
            unit="$",
            note="less is better",
        )
        for peer, theirs in sorted(regret.items())
    ]


def main() -> None:
    """Print the comparisons."""
    for result in run():
        print(f"{result.data} | {result.peer} | {result.ours:,.0f} | {result.theirs:,.0f} | {result.ratio:.2f}")


if __name__ == "__main__":
    main()
