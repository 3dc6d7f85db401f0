"""Random numbers one at a time, from a numpy generator in blocks: the process asks for millions of single draws."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np

BLOCK: Final = 1 << 14


class Draws:
    """A stream of uniform draws. The same seed and stream always give the same sequence."""

    __slots__ = ("_block", "_generator", "_position")

    def __init__(self, seed: int, stream: int) -> None:
        self._generator = np.random.default_rng([seed, stream])
        self._block: list[float] = []
        self._position = 0

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        position = self._position
        if position == len(self._block):
            self._block = self._generator.random(BLOCK).tolist()
            position = 0
        self._position = position + 1
        return self._block[position]

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.uniform()

    def whole(self, low: int, high: int) -> int:
        """Return an integer in [low, high], both ends included."""
        return low + int((high - low + 1) * self.uniform())

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.uniform() < probability

    def index(self, cumulative: Sequence[float]) -> int:
        """Return an index drawn by cumulative weights that end at 1."""
        return min(bisect_right(cumulative, self.uniform()), len(cumulative) - 1)


def cumulate(weights: Sequence[float]) -> list[float]:
    """Return cumulative shares of weights, for `Draws.index`."""
    total = float(sum(weights))
    sums = np.cumsum(np.asarray(weights, dtype=float) / total).tolist()
    return [float(value) for value in sums]
