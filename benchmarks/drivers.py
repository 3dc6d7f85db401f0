"""How well the search for drivers finds planted faults, and how often it sees some where there are none.

Made-up companies of realistic sizes: seven dimensions that depend on each other (a customer has its channel, a carrier
its nodes), rates that differ by member, weeks that scatter more than chance. Faults are planted in one member or in a
pair; a finding counts if it names exactly the planted place, or one that holds the same rows.

    python -m benchmarks.drivers [companies per row]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
import polars as pl

from benchmarks.harness import machine
from dashboards.drivers import Explanation, explain_change

DIMENSIONS = ("channel", "customer_id", "node_id", "carrier", "region", "category", "seller_id")
WEEKS = 9
"""Eight weeks of history and the week asked about."""


def company(seed: int, orders: int) -> tuple[pl.DataFrame, np.random.Generator]:
    """Return orders of nine weeks with a true rate each (column `rate`), no fault planted.

    Args:
        seed: Seed.
        orders: Orders a week.
    """
    chance = np.random.default_rng(seed)
    count = orders * WEEKS
    week = np.repeat(np.arange(WEEKS), orders)
    customer = chance.choice(6, count, p=chance.dirichlet(np.full(6, 3.0)))
    channel = np.array([0, 0, 1, 1, 2, 2])[customer]
    node = (channel + chance.choice(4, count, p=[0.5, 0.3, 0.15, 0.05])) % 4
    carrier = (node * 2 + chance.choice(5, count, p=[0.4, 0.3, 0.15, 0.1, 0.05])) % 5
    region = chance.choice(10, count, p=chance.dirichlet(np.full(10, 2.0)))
    category = chance.choice(8, count, p=chance.dirichlet(np.full(8, 2.0)))
    seller = np.zeros(count, int)
    codes = {"channel": channel, "customer_id": customer, "node_id": node, "carrier": carrier, "region": region,
             "category": category, "seller_id": seller}  # fmt: skip
    odds = np.full(count, -2.0) + 0.3 * chance.standard_normal()
    for name, code in codes.items():
        size = int(code.max()) + 1
        odds += 0.35 * chance.standard_normal(size)[code]
        if name != "seller_id":  # weeks differ by member more than chance does
            odds += 0.12 * chance.standard_normal((size, WEEKS))[code, week]
    rate = 1 - 1 / (1 + np.exp(-odds))
    frame = pl.DataFrame({name: [f"{name[:3]}{value}" for value in code] for name, code in codes.items()})
    return frame.with_columns(week=pl.Series(week), rate=pl.Series(rate)), chance


def drawn(frame: pl.DataFrame, chance: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw the outcomes; return history and week."""
    good = chance.random(frame.height) < frame["rate"].to_numpy()
    told = frame.with_columns(numerator=pl.Series(good.astype(float)), denominator=pl.lit(1.0))
    return told.filter(pl.col("week") < WEEKS - 1), told.filter(pl.col("week") == WEEKS - 1)


def planted(
    frame: pl.DataFrame, chance: np.random.Generator, width: int, drop: float
) -> tuple[pl.DataFrame, pl.Series]:
    """Let a place of so many dimensions fail in the last week; return the orders and which of the week's are in it."""
    last = frame.filter(pl.col("week") == WEEKS - 1)
    while True:
        names = chance.choice(DIMENSIONS[:-1], width, replace=False)
        row = last.row(int(chance.integers(last.height)), named=True)
        hit = pl.all_horizontal([pl.col(str(name)) == row[str(name)] for name in names])
        share = last.select(hit.mean()).item()
        # Large enough to matter, small enough not to be everything; a pair must be less than either of its members.
        alone = [last.select((pl.col(str(name)) == row[str(name)]).mean()).item() for name in names]
        if 0.03 <= share <= 0.4 and (width == 1 or share < 0.7 * min(alone)):
            break
    at_fault = (pl.col("week") == WEEKS - 1) & hit
    hurt = frame.with_columns(rate=pl.when(at_fault).then(pl.col("rate") * (1 - drop)).otherwise(pl.col("rate")))
    return hurt, last.select(hit.alias("hit"))["hit"]


def is_right(found: Explanation, now: pl.DataFrame, rows: pl.Series) -> list[bool]:
    """Return for each driver whether its rows are the planted ones (nine tenths of both)."""
    verdicts = []
    for driver in found.drivers:
        own = now.select(pl.all_horizontal([pl.col(name) == member for name, member in driver.place]).alias("own"))[
            "own"
        ]
        verdicts.append(bool((own & rows).sum() >= 0.9 * (own | rows).sum()))
    return verdicts


def row(name: str, seeds: Sequence[int], orders: int, width: int, drop: float) -> str:
    """Measure one row of the table."""
    right = wrong = missed = 0
    started = time.perf_counter()
    for seed in seeds:
        frame, chance = company(seed, orders)
        rows = pl.Series([False] * orders)
        if width:
            frame, rows = planted(frame, chance, width, drop)
        history, now = drawn(frame, chance)
        verdicts = is_right(explain_change(history, now, DIMENSIONS), now, rows)
        right += any(verdicts)
        wrong += len(verdicts) - sum(verdicts)
        missed += bool(width) and not any(verdicts)
    seconds = (time.perf_counter() - started) / len(seeds)
    if not width:
        return f"| {name} | {orders} | – | {wrong} false drivers in {len(seeds)} weeks | – | {seconds:.2f} s |"
    precision = right / max(right + wrong, 1)
    return f"| {name} | {orders} | {drop:.0%} | {precision:.2f} | {right / (right + missed):.2f} | {seconds:.2f} s |"


def main() -> None:
    """Print the table."""
    companies = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 7000
    seeds = range(first, first + companies)
    print(f"Machine: {machine()}. Command: `python -m benchmarks.drivers {companies}`. Seeds {first}….\n")
    print("| planted | orders a week | rate falls by | precision | recall | per week |")
    print("|---|---|---|---|---|---|")
    for orders in (1000, 5000, 20000):
        print(row("nothing", seeds, orders, 0, 0.0), flush=True)
    for orders, drop in ((1000, 0.5), (5000, 0.3), (20000, 0.2)):
        print(row("one member", seeds, orders, 1, drop), flush=True)
    for orders, drop in ((1000, 0.6), (5000, 0.4), (20000, 0.3)):
        print(row("a pair", seeds, orders, 2, drop), flush=True)


if __name__ == "__main__":
    main()
