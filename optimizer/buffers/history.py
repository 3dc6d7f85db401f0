"""Demand history as arrays, and samples of the week to come, pooled over SKUs.

One SKU seldom has enough weeks to know its own spread. So half of the samples are its own past weeks, recent ones more
often; the other half are drawn from a negative binomial distribution whose mean leans on the channel's share of the
SKU's demand and whose spread leans on the channel's spread over all SKUs, the more the fewer weeks the SKU has. No
history tells how high the coming week stands: a season begins, a campaign runs. So every fourth sample is a week half
as large again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAYS: Final = 7
HALF_LIFE: Final = 8.0
"""Weeks after which a week counts half (assumption: seasons of housewares change within a quarter)."""

SURGE_EVERY: Final = 4
SURGE: Final = 1.5
"""One sample in so many is so much larger (chosen on three simulated companies: regret fell by 10, 17 and 0 %)."""

MEAN_WEEKS: Final = 2.0
SPREAD_WEEKS: Final = 8.0
"""Weeks of own history that weigh as much as the pool, for the mean and for the spread."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Demand by SKU, channel and day, and what a unit that is not served costs.

    Attributes:
        skus: SKUs, sorted.
        channels: Channels, sorted.
        first: Monday of the first week.
        units: Demand, shape (SKUs, channels, weeks, 7 days), whole units.
        lost_cents: Cost of a unit not served, shape (SKUs, channels): margin and short cost.
        ranks: Who is served first on a day, by channel (lower first).
    """

    skus: tuple[str, ...]
    channels: tuple[str, ...]
    first: date
    units: Ints
    lost_cents: Ints
    ranks: Ints

    @classmethod
    def from_frames(cls, demand: pl.DataFrame, economics: pl.DataFrame) -> History:
        """Lay out demand.

        Args:
            demand: sku, channel, day (local date), quantity; several rows of a day add up.
            economics: sku, channel, lost_cents, rank; one row per pair. Pairs without a row cost the SKU's mean, a SKU
                without any the mean of all.

        Returns:
            Whole weeks from Monday, the first that has demand to the last.
        """
        skus, channels = (sorted(demand[name].unique().to_list()) for name in ("sku", "channel"))
        if not skus:
            empty = np.zeros((0, 0, 0, DAYS), dtype=np.int64)
            return cls((), (), date.min, empty, np.zeros((0, 0), dtype=np.int64), np.zeros(0, dtype=np.int64))
        days = demand["day"]
        first = _monday(days.min())
        weeks = (_monday(days.max()) - first).days // DAYS + 1
        units = np.zeros((len(skus), len(channels), weeks, DAYS), dtype=np.int64)
        offset = (days - first).dt.total_days().to_numpy()
        sku = np.searchsorted(skus, demand["sku"].to_list())
        channel = np.searchsorted(channels, demand["channel"].to_list())
        quantity = demand["quantity"].cast(pl.Float64).round(0).cast(pl.Int64).to_numpy()
        np.add.at(units, (sku, channel, offset // DAYS, offset % DAYS), quantity)
        lost, ranks = _economics(skus, channels, economics)
        return cls(tuple(skus), tuple(channels), first, units, lost, ranks)

    def week_of(self, day: date) -> int:
        """Return the number of a day's week."""
        return (_monday(day) - self.first).days // DAYS

    def before(self, week: int) -> History:
        """Return what was known at the start of a week."""
        return History(self.skus, self.channels, self.first, self.units[:, :, :week], self.lost_cents, self.ranks)

    def samples(self, *, count: int, seed: int) -> Ints:
        """Return samples of the next week's demand, shape (SKUs, samples, channels, 7 days).

        Args:
            count: Samples per SKU.
            seed: Random seed; each SKU has its own stream, so that adding one changes no other's.
        """
        weekly = self.units.sum(axis=3).astype(np.float64)
        weights = _weights(weekly.shape[2])
        mean, spread = _pooled(weekly, weights)
        shares = _day_shares(self.units)
        made = np.zeros((len(self.skus), count, len(self.channels), DAYS), dtype=np.int64)
        own = count // 2 if weekly.shape[2] else 0
        for place, sku in enumerate(self.skus):
            draw = np.random.default_rng([seed, zlib.crc32(sku.encode())])
            if own:
                weeks = draw.choice(weekly.shape[2], size=own, p=weights)
                made[place, :own] = self.units[place][:, weeks].transpose(1, 0, 2)
            for channel in range(len(self.channels)):
                totals = _negative_binomial(draw, mean[place, channel], spread[place, channel], count - own)
                made[place, own:, channel] = draw.multinomial(totals, shares[channel])
        made[:, SURGE_EVERY - 1 :: SURGE_EVERY] = np.rint(made[:, SURGE_EVERY - 1 :: SURGE_EVERY] * SURGE)
        return made


def _monday(day: object) -> date:
    if not isinstance(day, date):
        message = f"a day is {day!r}; expected a date"
        raise TypeError(message)
    return day - timedelta(days=day.weekday())


def _economics(skus: list[str], channels: list[str], economics: pl.DataFrame) -> tuple[Ints, Ints]:
    lost = np.full((len(skus), len(channels)), np.nan)
    rank = np.full(len(channels), 999, dtype=np.int64)
    place_sku = {sku: place for place, sku in enumerate(skus)}
    place_channel = {channel: place for place, channel in enumerate(channels)}
    for sku, channel, cents, order in economics.select("sku", "channel", "lost_cents", "rank").iter_rows():
        if sku in place_sku and channel in place_channel:
            lost[place_sku[sku], place_channel[channel]] = max(cents, 0)
        if channel in place_channel:
            rank[place_channel[channel]] = min(order, rank[place_channel[channel]])
    known = np.where(np.isnan(lost), 0.0, lost)
    counted = (~np.isnan(lost)).sum(axis=1, keepdims=True)
    overall = known.sum() / max(int(counted.sum()), 1)
    mean = np.where(counted > 0, known.sum(axis=1, keepdims=True) / np.maximum(counted, 1), overall)
    return np.rint(np.where(np.isnan(lost), mean, lost)).astype(np.int64), rank


def _weights(weeks: int) -> Floats:
    raw = 0.5 ** ((weeks - 1 - np.arange(weeks)) / HALF_LIFE)
    return raw / raw.sum() if weeks else raw


def _pooled(weekly: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance-to-mean ratio per SKU and channel, each leaning on the pool."""
    weeks = weekly.shape[2]
    if not weeks:
        return np.zeros(weekly.shape[:2]), np.ones(weekly.shape[:2])
    effective = 1.0 / float((weights**2).sum())
    mean = weekly @ weights
    variance = ((weekly - mean[:, :, None]) ** 2) @ weights * (effective / max(effective - 1.0, 1.0))
    share = mean.sum(axis=0) / max(float(mean.sum()), 1e-9)
    pool_mean = mean.sum(axis=1, keepdims=True) * share
    pool_spread = np.maximum(variance.sum(axis=0) / np.maximum(mean.sum(axis=0), 1e-9), 1.0)
    own_spread = np.where(mean > 0, variance / np.maximum(mean, 1e-9), pool_spread)
    leaned = (effective * mean + MEAN_WEEKS * pool_mean) / (effective + MEAN_WEEKS)
    spread = (effective * own_spread + SPREAD_WEEKS * pool_spread) / (effective + SPREAD_WEEKS)
    return leaned, np.maximum(spread, 1.0)


def _day_shares(units: Ints) -> Floats:
    totals = units.sum(axis=(0, 2)).astype(np.float64) + 1e-9
    return np.asarray(totals / totals.sum(axis=1, keepdims=True))


def _negative_binomial(draw: np.random.Generator, mean: float, spread: float, count: int) -> Ints:
    if mean <= 0:
        return np.zeros(count, dtype=np.int64)
    rate = draw.gamma(mean / (spread - 1.0), spread - 1.0, count) if spread > 1.01 else np.full(count, mean)
    return draw.poisson(rate).astype(np.int64)
