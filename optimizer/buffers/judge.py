"""Judges buffers on weeks they were not chosen on: regret against hindsight, beside the rules people use.

Every policy sees only the weeks before the one it is judged on, and the same stock. Regret is what it loses more than
one who had known the week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from optimizer.buffers.decide import decide
from optimizer.buffers.history import History, Ints
from optimizer.buffers.week import hindsight, sell

Policy = Callable[[History, Ints], Ints]
"""From what is known and the stock by SKU to the units kept, SKUs × channels."""

FIXED_SHARE: Final = 0.2
"""Share of stock that the fixed rule keeps, over the protected channels by their demand (a common default)."""

SHORT_WEEKS: Final = 4
MEDIUM_WEEKS: Final = 13

JUDGED: Final = pl.Schema(
    {
        "policy": pl.String(),
        "week": pl.Int64(),
        "lost_cents": pl.Int64(),
        "regret_cents": pl.Int64(),
        "unserved_units": pl.Int64(),
        "stranded_units": pl.Int64(),
    }
)
"""One row per policy and week. `stranded_units`: reserved and unused at the end while other channels went without."""

WORTHLESS: Final = pl.Schema(
    {
        "sku": pl.String(),
        "channel": pl.String(),
        "units": pl.Int64(),
        "protected_units": pl.Int64(),
        "cost_units": pl.Int64(),
        "protected_nothing": pl.Boolean(),
        "weeks": pl.Int64(),
    }
)
"""One row per reserve in force: units its channel got because of it, and units other channels lost to it."""


def policies(*, seed: int = 1) -> Mapping[str, Policy]:
    """Return the policies that are judged, by name."""
    return {
        "sample average": lambda history, stock: decide(history, stock, seed=seed).units,
        "fixed 20 % of stock": _fixed_share,
        f"average of {SHORT_WEEKS} weeks": lambda history, _: _average(history, SHORT_WEEKS),
        f"average of {MEDIUM_WEEKS} weeks": lambda history, _: _average(history, MEDIUM_WEEKS),
        "no buffer": lambda history, _: np.zeros(history.lost_cents.shape, dtype=np.int64),
    }


def _protected(history: History) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Every channel but the cheapest of the SKU: the same that the decision may protect."""
    return np.asarray(history.lost_cents > history.lost_cents.min(axis=1, keepdims=True))


def _average(history: History, weeks: int) -> Ints:
    recent = history.units[:, :, -weeks:].sum(axis=3)
    mean = recent.mean(axis=2) if recent.shape[2] else np.zeros(history.lost_cents.shape)
    return np.where(_protected(history), np.rint(mean), 0).astype(np.int64)


def _fixed_share(history: History, stock: Ints) -> Ints:
    mean = history.units.sum(axis=3).mean(axis=2) * _protected(history)
    share = mean / np.maximum(mean.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray(np.floor(FIXED_SHARE * stock[:, None] * share).astype(np.int64))


def judge(
    history: History, stock: Ints, *, weeks: Sequence[int], tried: Mapping[str, Policy] | None = None
) -> pl.DataFrame:
    """Return the JUDGED frame.

    Args:
        history: All weeks; each is judged with only those before it known.
        stock: Units for the week by SKU and week, shape (SKUs, weeks of the history).
        weeks: Numbers of the weeks to judge.
        tried: Policies by name; default `policies()`.
    """
    rows = []
    for week in weeks:
        known = history.before(week)
        for name, policy in (tried or policies()).items():
            kept = policy(known, stock[:, week])
            rows.append((name, week, *_lived(history, stock[:, week], kept, week)))
    return pl.DataFrame(rows, schema=JUDGED, orient="row")


def _lived(history: History, stock: Ints, kept: Ints, week: int) -> tuple[int, int, int, int]:
    lost = regret = unserved = stranded = 0
    for place in range(len(history.skus)):
        demand, cents = history.units[place, :, week][None], history.lost_cents[place]
        outcome = sell(int(stock[place]), demand, kept[place], ranks=history.ranks, lost_cents=cents)
        lost += int(outcome.lost[0])
        regret += int(outcome.lost[0] - hindsight(int(stock[place]), demand, cents)[0])
        unserved += int(demand.sum() - outcome.served.sum())
        stranded += int(outcome.unused[0])
    return lost, regret, unserved, stranded


def worthless(history: History, stock: Ints, reserves: pl.DataFrame, *, weeks: Sequence[int]) -> pl.DataFrame:
    """Return the WORTHLESS frame: each reserve of today replayed over past weeks, with it and without it.

    Args:
        history: Demand.
        stock: Units for the week by SKU and week.
        reserves: sku, channel, units: what is in force; rows of unknown SKUs or channels protected nothing.
        weeks: Numbers of the weeks to replay.
    """
    held = np.zeros(history.lost_cents.shape, dtype=np.int64)
    places = {
        (sku, channel): (a, b) for a, sku in enumerate(history.skus) for b, channel in enumerate(history.channels)
    }
    rows = list(reserves.select("sku", "channel", pl.col("units").cast(pl.Int64)).iter_rows())
    for sku, channel, units in rows:
        if (sku, channel) in places:
            held[places[sku, channel]] += units
    answers = []
    for sku, channel, units in rows:
        gained = cost = 0
        if (sku, channel) in places:
            place, mine = places[sku, channel]
            bare = held[place].copy()
            bare[mine] = 0
            for week in weeks:
                demand, there = history.units[place, :, week][None], int(stock[place, week])
                cents, ranks = history.lost_cents[place], history.ranks
                with_it, without = (
                    sell(there, demand, kept, ranks=ranks, lost_cents=cents).served[0] for kept in (held[place], bare)
                )
                gained += int(with_it[mine] - without[mine])
                cost += int(without.sum() - without[mine] - with_it.sum() + with_it[mine])
        answers.append((sku, channel, units, gained, cost, gained <= 0, len(weeks)))
    return pl.DataFrame(answers, schema=WORTHLESS, orient="row").sort(
        "cost_units", "units", "sku", "channel", descending=[True, True, False, False]
    )
