"""Chooses reserves by sample average, safety stock by newsvendor; draws service against stranded stock.

Reserves: for each SKU, units kept for each channel but the cheapest, such that the expected loss of the coming week is
least over the samples (two stages: keep now, sell as it comes). Channel by channel over quantiles of its own
demand, twice round; of equals the smaller.
Safety stock: units no channel may take because stock in the feeds is behind reality by `lag_hours`. An oversold unit
costs what an unserved one costs and the cancellation on top; a unit held back loses its margin. The quantile of the
lag's demand at c_over / (c_over + c_hold); nothing where the week's stock is hardly ever sold out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from optimizer.buffers.history import Floats, History, Ints
from optimizer.buffers.week import sell

SAMPLES: Final = 200
QUANTILES: Final = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
FACTORS: Final = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
CANCEL_CENTS: Final = 1_800
"""What a cancellation costs on top of the lost sale: contact and churn as in the allocation's weights."""

LAG_HOURS: Final = 24.0
"""Hours by which the stock that channels see is behind (assumption: a nightly feed)."""

RARELY: Final = 0.02
"""Chance of selling out below which nothing is held back against overselling."""

RESERVES: Final = pl.Schema(
    {"sku": pl.String(), "channel": pl.String(), "units": pl.Int64(), "stock": pl.Int64(), "saved_cents": pl.Int64()}
)
"""One row per SKU and channel with a reserve; `saved_cents` is what the SKU's reserves save a week on average."""

SAFETY: Final = pl.Schema({"sku": pl.String(), "units": pl.Int64(), "sell_out": pl.Float64()})
"""One row per SKU with stock held back for no channel; `sell_out` is the chance that the week sells out."""

CURVE: Final = pl.Schema(
    {
        "factor": pl.Float64(),
        "units": pl.Int64(),
        "protected_fill": pl.Float64(),
        "other_fill": pl.Float64(),
        "stranded_units": pl.Float64(),
        "lost_cents": pl.Int64(),
    }
)
"""One row per factor on all reserves: expected fill of the protected and the other channels, stranded units, loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What to keep back: RESERVES and SAFETY frames, and the reserves as an array (SKUs × channels)."""

    reserves: pl.DataFrame
    safety: pl.DataFrame
    units: Ints


def decide(history: History, stock: Ints, *, seed: int = 1, count: int = SAMPLES) -> Chosen:
    """Choose reserves and safety stock for the week after the history.

    Args:
        history: What is known (see `History.before`).
        stock: Units for the week by SKU: usable stock and confirmed receipts.
        seed: Random seed of the samples.
        count: Samples per SKU.
    """
    samples = history.samples(count=count, seed=seed)
    units = np.zeros((len(history.skus), len(history.channels)), dtype=np.int64)
    reserves, safety = [], []
    for place, sku in enumerate(history.skus):
        there, demand, lost = int(stock[place]), samples[place], history.lost_cents[place]
        units[place] = best_reserves(there, demand, ranks=history.ranks, lost_cents=lost)
        saved = _saved(there, demand, units[place], history.ranks, lost)
        reserves += [
            (sku, channel, int(kept), there, saved)
            for channel, kept in zip(history.channels, units[place], strict=True)
            if kept
        ]
        sold_out = float((demand.sum(axis=(1, 2)) >= there).mean())
        held = min(_against_overselling(demand, lost, sold_out), there)
        if held:
            safety.append((sku, held, sold_out))
    return Chosen(
        pl.DataFrame(reserves, schema=RESERVES, orient="row"), pl.DataFrame(safety, schema=SAFETY, orient="row"), units
    )


def best_reserves(stock: int, demand: Ints, *, ranks: Ints, lost_cents: Ints) -> Ints:
    """Return the reserves per channel with the least average loss over the samples (shape samples, channels, days)."""
    channels = demand.shape[1]
    kept = np.zeros(channels, dtype=np.int64)
    totals = demand.sum(axis=2)
    if stock <= 0 or int(totals.sum(axis=1).max(initial=0)) <= stock:
        return kept
    order = np.argsort(-lost_cents, kind="stable")[:-1]
    best = _loss(stock, demand, kept, ranks, lost_cents)
    for _ in range(2):
        for channel in order:
            for units in _levels(totals[:, channel], stock - int(kept.sum() - kept[channel])):
                tried = kept.copy()
                tried[channel] = units
                loss = _loss(stock, demand, tried, ranks, lost_cents)
                if loss < best or (loss == best and units < kept[channel]):
                    best, kept = loss, tried
    return kept


def _levels(totals: Ints, room: int) -> Sequence[int]:
    found = np.quantile(totals, QUANTILES, method="higher").astype(np.int64)
    return sorted({int(units) for units in np.minimum(found, max(room, 0))})


def _loss(stock: int, demand: Ints, reserves: Ints, ranks: Ints, lost_cents: Ints) -> int:
    total: int = sell(stock, demand, reserves, ranks=ranks, lost_cents=lost_cents).lost.sum().item()
    return total


def _saved(stock: int, demand: Ints, reserves: Ints, ranks: Ints, lost_cents: Ints) -> int:
    none = np.zeros_like(reserves)
    both = [_loss(stock, demand, kept, ranks, lost_cents) for kept in (none, reserves)]
    return round((both[0] - both[1]) / len(demand))


def _against_overselling(demand: Ints, lost_cents: Ints, sold_out: float) -> int:
    if sold_out < RARELY:
        return 0
    days = max(1, round(LAG_HOURS / 24))
    lag = demand.sum(axis=1)[:, :days].sum(axis=1) * (LAG_HOURS / 24 / days)
    hold = max(float(lost_cents.mean()) - CANCEL_CENTS, 1.0)
    over = float(lost_cents.mean()) + CANCEL_CENTS
    return int(np.quantile(lag, over / (over + hold), method="lower"))


def regret_curve(history: History, stock: Ints, chosen: Chosen, *, seed: int = 2, count: int = SAMPLES) -> pl.DataFrame:
    """Return the CURVE frame: all reserves scaled together, judged on samples that they were not chosen on."""
    samples = history.samples(count=count, seed=seed)
    rows = [
        _curve_row(history, stock, samples, np.rint(chosen.units * factor).astype(np.int64), factor, chosen.units > 0)
        for factor in FACTORS
    ]
    return pl.DataFrame(rows, schema=CURVE, orient="row")


def _curve_row(
    history: History,
    stock: Ints,
    samples: Ints,
    units: Ints,
    factor: float,
    protected: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> tuple[float | int, ...]:
    served: Floats = np.zeros((2, 2))
    stranded, lost = 0.0, 0
    for place in range(len(history.skus)):
        if not protected[place].any():
            continue
        week = sell(
            int(stock[place]), samples[place], units[place], ranks=history.ranks, lost_cents=history.lost_cents[place]
        )
        asked = samples[place].sum(axis=2)
        for side, mask in enumerate((protected[place], ~protected[place])):
            served[side] += (week.served[:, mask].mean(axis=0).sum(), asked[:, mask].mean(axis=0).sum())
        stranded += float(week.unused.mean())
        lost += round(float(week.lost.mean()))
    fills = [float(part[0] / part[1]) if part[1] else float("nan") for part in served]
    return factor, int(units.sum()), fills[0], fills[1], stranded, lost
