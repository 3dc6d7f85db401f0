"""Calibration: from what the curves say to a probability that holds, learned on days later than the curves.

log-odds of a miss = rise · ln p − fall · ln(1 − p) + offset + held · (on hold) + short · (no stock behind it)

with p the curves' chance of a miss. It is learned on days that the curves had not seen, and leans hard on changing
nothing: a line comes again on each of its days and the lines of an order share their fate, so that thousands of rows
are some dozens of orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from optimizer.risk.curves import Floats

FLOOR: Final = 0.002
"""Least and (as 1 − FLOOR) greatest probability said: no history here is long enough for more."""

FEWEST: Final = 200
"""Rows below which nothing is learned."""

RIDGE: Final = 500.0
"""Pull towards changing nothing, in rows (chosen on two simulated companies, seeds 7 and 21)."""

_START: Final = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
_STEPS: Final = 50
_BACK: Final = 12

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The five coefficients; the default changes nothing."""

    rise: float = 1.0
    fall: float = 1.0
    offset: float = 0.0
    held: float = 0.0
    short: float = 0.0

    def __call__(self, chance: Floats, held: Flags, short: Flags) -> Floats:
        """Return the calibrated chance of a miss (NaN stays NaN)."""
        odds = _design(chance, held, short) @ np.array([self.rise, self.fall, self.offset, self.held, self.short])
        return np.clip(_logistic(odds), FLOOR, 1 - FLOOR)


def fit_calibration(chance: Floats, held: Flags, short: Flags, outcome: Floats) -> Calibration:
    """Learn the coefficients by penalised maximum likelihood.

    Args:
        chance: What the curves say: chance of a miss.
        held: The line was on hold.
        short: The line waited for stock that was not there.
        outcome: 1 = missed, 0 = kept.
    """
    known = ~np.isnan(chance)
    if int(known.sum()) < FEWEST:
        return Calibration()
    design, outcome = _design(chance, held, short)[known], outcome[known]
    found, loss = _START.copy(), _loss(design, outcome, _START)
    for _ in range(_STEPS):
        said = _logistic(design @ found)
        bend = design.T @ (design * (said * (1 - said))[:, None]) + RIDGE * np.eye(len(found))
        step = np.linalg.solve(bend, design.T @ (outcome - said) - RIDGE * (found - _START))
        size, before = 1.0, loss
        for _ in range(_BACK):
            loss = _loss(design, outcome, found + size * step)
            if loss <= before:
                break
            size /= 2
        found = found + size * step
        if before - loss < 1e-7:
            break
    rise, fall, offset, on_hold, no_stock = (float(part) for part in found)
    return Calibration(max(rise, 0.0), max(fall, 0.0), offset, on_hold, no_stock)


def _design(chance: Floats, held: Flags, short: Flags) -> Floats:
    safe = np.clip(chance, FLOOR, 1 - FLOOR)
    return np.column_stack([np.log(safe), -np.log1p(-safe), np.ones(len(safe)), held, short])


def _logistic(odds: Floats) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
    return chance


def _loss(design: Floats, outcome: Floats, found: Floats) -> float:
    odds = design @ found
    fit = float((np.logaddexp(0.0, odds) - outcome * odds).sum())
    return fit + RIDGE / 2 * float(((found - _START) ** 2).sum())
