"""Causes of misses against the truth of simulated companies: single causes, shared ones, sums, planted faults.

    python -m benchmarks.attribution --seeds 30 31     # simulate, build and compare these companies
    python -m benchmarks.attribution --built HOME …    # compare workspaces that are built already

A miss has a single cause where nothing else cost the line any day. A planted fault is found where its cause is among
the three that took most of the blame in its weeks; beside it stands its rank in the truth, which may be lower.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from otif.jobs import run_build, run_ingest
from pipelines.simulator.run import simulate
from storage.publish import open_published
from storage.settings import Settings

ORDERS = 5_000
TOP = 3


def compared(home: Path) -> list[str]:
    """Return the rows of a company's table: misses, sums, and each planted fault.

    Args:
        home: A simulated workspace that is built.
    """
    truth: dict[str, Any] = json.loads(gzip.decompress((home / "truth" / "truth.json.gz").read_bytes()))
    with open_published(Settings.load(home)) as connection:
        blamed = connection.execute(
            "select order_id, line_id, strftime(due_date, '%G-W%V'), miss_cause, share from marts.fct_miss_causes "
            "where is_headline"
        ).fetchall()
        main_causes = connection.execute(
            "select order_id, line_id, miss_cause from marts.fct_line_assessments where is_headline"
        ).fetchall()
        uneven = connection.execute(
            "select count(*) from (select sum(share) as shares from marts.fct_miss_causes "
            "group by order_id, line_id, profile_id) where abs(shares - 1) > 1e-12"
        ).fetchall()[0][0]
    told = {(order, line): cause for order, line, cause in main_causes}
    weeks = {(order, line): week for order, line, week, *_ in blamed}
    ours: defaultdict[str, Counter[str]] = defaultdict(Counter)
    theirs: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for _, _, week, cause, share in blamed:
        ours[week][cause] += share
    single, mixed = [], []
    for miss in truth["missed_lines"]:
        key = (miss["order_id"], miss["line_id"])
        theirs[weeks.get(key, "")][miss["cause"]] += 1
        (mixed if miss["also"] else single).append(told.get(key) in (miss["cause"], *miss["also"]))
    unnamed = sum(causes["unknown"] + causes["data"] for causes in ours.values())
    unknown = unnamed / sum(causes.total() for causes in ours.values())
    rows = [
        f"{home.name} | {sum(single)} of {len(single)}, {sum(single) / len(single):.1%} | "
        f"{sum(mixed)} of {len(mixed)}, {sum(mixed) / len(mixed):.1%} | {unknown:.1%} | {uneven}"
    ]
    for fault in truth["faults"]:
        if not fault["cause"]:
            continue  # a late ASN makes nobody's goods late
        own, true = (_rank(causes, fault) for causes in (ours, theirs))
        rows.append(f"  {fault['fault']}: {fault['cause']} is {own}. of its weeks, {true}. in the truth")
        if own > TOP:
            rows[-1] += "  ← not found" if true <= TOP else "  ← not among the first in the truth either"
    return rows


def _rank(causes: dict[str, Counter[str]], fault: dict[str, Any]) -> int:
    together: Counter[str] = Counter()
    for week, shares in causes.items():
        if fault["from_week"] <= week <= fault["to_week"]:
            together += shares
    return 1 + sum(share > together[fault["cause"]] for share in together.values())


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=(30, 31), help="seeds of the companies to simulate")
    parser.add_argument("--built", type=Path, nargs="*", help="simulated workspaces that are built already")
    given = parser.parse_args()
    print("company | single causes right | one of several named | unknown | lines whose shares are not 1")
    for home in given.built or ():
        print("\n".join(compared(home)), flush=True)
    for seed in () if given.built else given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / f"seed-{seed}"
            simulate(home, orders=ORDERS, seed=seed, weeks=26)
            settings = Settings.load(home)
            run_ingest(settings, [home / "inbox"])
            run_build(settings, settings.resolve_as_of())
            print("\n".join(compared(home)), flush=True)


if __name__ == "__main__":
    main()
