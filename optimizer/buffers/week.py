"""One week of selling from one pile of stock under reserves, many samples at once; and the best one could have done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.buffers.history import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """What came of it: units served per sample and channel, reserved units left unused, and lost cents per sample."""

    served: Ints
    unused: Ints
    lost: Ints

    @property
    def stranded(self) -> Ints:
        """Reserved units left at the end while other channels went without, per sample."""
        return self.unused


def sell(stock: int, demand: Ints, reserves: Ints, *, ranks: Ints, lost_cents: Ints) -> Week:
    """Serve a week day by day.

    Every day channels come by rank; a channel draws on its own reserve first and never on another's. A reserve that is
    drawn on is smaller from then on, as in the allocation.

    Args:
        stock: Units there are for the week.
        demand: Shape (samples, channels, days).
        reserves: Units kept per channel.
        ranks: Lower first.
        lost_cents: Cost of a unit not served, per channel.
    """
    samples, channels, days = demand.shape
    left = np.full(samples, stock, dtype=np.int64)
    kept = np.repeat(reserves[None, :], samples, axis=0)
    served = np.zeros((samples, channels), dtype=np.int64)
    order = np.lexsort((np.arange(channels), ranks))
    for day in range(days):
        for channel in order:
            others = kept.sum(axis=1) - kept[:, channel]
            taken = np.minimum(demand[:, channel, day], np.maximum(left - others, 0))
            left -= taken
            kept[:, channel] = np.maximum(kept[:, channel] - taken, 0)
            served[:, channel] += taken
    short = demand.sum(axis=2) - served
    lost = short @ lost_cents
    unused = np.minimum(np.minimum(kept.sum(axis=1), left), short.sum(axis=1))
    return Week(served, unused, lost)


def hindsight(stock: int, demand: Ints, lost_cents: Ints) -> Ints:
    """Return the least that could have been lost per sample, the week known beforehand: dearest units first."""
    total = demand.sum(axis=2)
    left = np.full(total.shape[0], stock, dtype=np.int64)
    lost = np.zeros(total.shape[0], dtype=np.int64)
    for channel in np.argsort(-lost_cents, kind="stable"):
        taken = np.minimum(total[:, channel], left)
        left -= taken
        lost += (total[:, channel] - taken) * lost_cents[channel]
    return lost
