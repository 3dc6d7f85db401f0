"""Calibration: from what the curves say to a probability that holds, learned on days later than the curves.

log-odds of a miss = rise · ln p − fall · ln(1 − p) + offset + Σ coefficient · situation

with p the curves' chance of a miss, and situations that the curves cannot know (on hold, no stock behind it …). It is
learned on days that the curves had not seen, and leans on changing nothing: a line comes again on each of its days and
the lines of an order share their fate, so that thousands of rows are some dozens of orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from optimizer.risk.curves import Floats

FLOOR: Final = 0.002
"""Least and (as 1 − FLOOR) greatest probability said: no history here is long enough for more."""

FEWEST: Final = 200
"""Rows below which nothing is learned."""

RIDGE: Final = 100.0
"""Pull towards changing nothing, in rows (chosen on two simulated companies, seeds 7 and 21)."""

_STEPS: Final = 50
_BACK: Final = 12


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve over the chance; the default changes nothing.

    Attributes:
        rise: Slope on ln p.
        fall: Slope on −ln(1 − p).
        offset: Added to the log-odds.
        situations: Added where a situation is given, one per column; empty = none is counted.
    """

    rise: float = 1.0
    fall: float = 1.0
    offset: float = 0.0
    situations: tuple[float, ...] = ()

    def __call__(self, chance: Floats, situations: Floats) -> Floats:
        """Return the calibrated chance of a miss (NaN stays NaN).

        Args:
            chance: What the curves say.
            situations: Rows × situations.
        """
        counted = self.situations or (0.0,) * situations.shape[1]
        odds = _design(chance, situations) @ np.array([self.rise, self.fall, self.offset, *counted])
        return np.clip(_logistic(odds), FLOOR, 1 - FLOOR)


def fit_calibration(chance: Floats, situations: Floats, outcome: Floats) -> Calibration:
    """Learn the coefficients by penalised maximum likelihood.

    Args:
        chance: What the curves say: chance of a miss.
        situations: Rows × situations.
        outcome: 1 = missed, 0 = kept.
    """
    known = ~np.isnan(chance)
    if int(known.sum()) < FEWEST:
        return Calibration()
    design, outcome = _design(chance, situations)[known], outcome[known]
    start = np.array([1.0, 1.0] + [0.0] * (design.shape[1] - 2))
    found, loss = start, _loss(design, outcome, start, start)
    for _ in range(_STEPS):
        said = _logistic(design @ found)
        bend = design.T @ (design * (said * (1 - said))[:, None]) + RIDGE * np.eye(len(found))
        step = np.linalg.solve(bend, design.T @ (outcome - said) - RIDGE * (found - start))
        size, before = 1.0, loss
        for _ in range(_BACK):
            loss = _loss(design, outcome, found + size * step, start)
            if loss <= before:
                break
            size /= 2
        found = found + size * step
        if before - loss < 1e-7:
            break
    rise, fall, offset, *rest = (float(part) for part in found)
    return Calibration(max(rise, 0.0), max(fall, 0.0), offset, tuple(rest))


def log_odds(chance: Floats) -> Floats:
    """Return the log-odds of chances, kept off 0 and 1 by `FLOOR` (NaN stays NaN)."""
    safe = np.clip(chance, FLOOR, 1 - FLOOR)
    odds: Floats = np.log(safe) - np.log1p(-safe)
    return odds


def _design(chance: Floats, situations: Floats) -> Floats:
    safe = np.clip(chance, FLOOR, 1 - FLOOR)
    return np.column_stack([np.log(safe), -np.log1p(-safe), np.ones(len(safe)), situations])


def _logistic(odds: Floats) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
    return chance


def _loss(design: Floats, outcome: Floats, found: Floats, start: Floats) -> float:
    odds = design @ found
    fit = float((np.logaddexp(0.0, odds) - outcome * odds).sum())
    return fit + RIDGE / 2 * float(((found - start) ** 2).sum())
