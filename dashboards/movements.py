"""How members move from week to week, and what of a place's movement the others it overlaps with explain.

A row's arcsine root of a rate is what its history lets one expect, plus a movement of the week, plus a movement of each
of its members; the movements scatter around 0, by as much as their dimension is seen to scatter in the history (a
generalised linear mixed model, link arcsine root, fitted as penalised least squares). A place is asked about what is
left once the others' movements are estimated, so that the luck of its customers is not taken for a fault of a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

USUAL_VARIANCE: Final = 0.0005
"""About two points of scatter at a rate of 90 %."""

LEAST_WEEKS: Final = 3
"""Weeks of history below which the usual scatter is assumed."""

LEAST_VOLUME: Final = 8.0
"""Denominator below which a place is not asked."""

_USUAL_WEIGHT: Final = 40.0
"""Movements of one dimension that weigh as much as what is known of all dimensions."""

_CUT: Final = 2.5
"""Standard deviations at which a movement of the history counts no further: it is a fault, not scatter."""

_STILL: Final = 1e-9
"""Variance of what has no movement of its own."""

_REFITS: Final = 4
"""Times that rates are moved while scatter is learned, and rounds in between."""

_ROUNDS: Final = 5
_STEPS: Final = 8
"""Newton steps of a fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """How much weeks scatter, beyond chance.

    Attributes:
        starts: First column of each dimension's members; column 0 is the week itself.
        variance: Variance of each column's movement (arcsine roots).
        freedom: Degrees of freedom with which it is known.
    """

    starts: tuple[int, ...]
    variance: Floats
    freedom: Floats

    @property
    def mean(self) -> float:
        """Mean variance of the members that move; the usual one where none does."""
        moves = self.variance[1:][self.variance[1:] > 2 * _STILL]
        return float(moves.mean()) if moves.size else USUAL_VARIANCE

    def columns(self, codes: Sequence[Ints]) -> Ints:
        """Return the columns of rows, whose members are given dimension by dimension: rows × (1 + dimensions)."""
        size = codes[0].size if codes else 0
        return np.stack(
            [np.zeros(size, np.int64), *(code + start for code, start in zip(codes, self.starts, strict=True))], axis=1
        )


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The movements of some rows of one week.

    Attributes:
        columns: Columns of the rows.
        weight: Four times their volume: the inverse of their chance variance; 0 = left out.
        rates: What is expected of the rows with all movements.
        spread: Covariance of what is not known of the movements.
    """

    columns: Ints
    weight: Floats
    rates: Floats
    spread: Floats

    def movements(self, codes: Ints, count: int, good: Floats) -> tuple[Floats, Floats]:
        """Return each place's own movement beyond those of all columns, and the inverse of its variance.

        Args:
            codes: Place of each row.
            count: How many places.
            good: Numerators of the rows.

        Returns:
            Movements (arcsine roots) and inverse variances by place; next to nothing is known of places with less than
            `LEAST_VOLUME`.
        """
        width = self.spread.shape[0]
        whole = np.bincount(codes, self.weight, count)
        asked = np.flatnonzero(whole >= 4 * LEAST_VOLUME)
        number = np.full(count, -1)
        number[asked] = np.arange(asked.size)
        rows = np.flatnonzero(number[codes] >= 0)
        shared = np.zeros(asked.size * width)
        for column in self.columns[rows].T:
            shared += np.bincount(number[codes[rows]] * width + column, self.weight[rows], shared.size)
        mixed = shared.reshape(asked.size, width)
        known = np.full(count, _STILL)
        known[asked] = np.maximum(whole[asked] - ((mixed @ self.spread) * mixed).sum(axis=1), _STILL)
        left = np.where(self.weight > 0, 2 * (good - self.weight / 4 * self.rates) / _slope(self.rates), 0.0)
        return np.bincount(codes, left, count) / known, known


def fit(columns: Ints, volume: Floats, good: Floats, rates: Floats, scatter: Scatter) -> Fit:
    """Estimate the movements of rows.

    Args:
        columns: From `Scatter.columns`.
        volume: Denominators; 0 = leave the row out.
        good: Numerators.
        rates: What the history lets one expect.
        scatter: How much the columns scatter.
    """
    weight = 4 * volume
    spread = _inverse(crossed(columns, weight, scatter.variance.size), scatter.variance, scatter.starts)
    usual, moved = _angle(rates), np.zeros(scatter.variance.size)
    for _ in range(_STEPS):
        moved = spread @ _pull(columns, volume, good, usual, moved)
    return Fit(columns, weight, _rate(usual + moved[columns].sum(axis=1)), spread)


def learn_scatter(
    codes: Sequence[Ints], sizes: Sequence[int], nowhere: Sequence[Sequence[int]], weeks: Ints,
    volume: Floats, good: Floats, rates: Floats,
) -> Scatter:  # fmt: skip
    """Learn how much members move from week to week.

    Args:
        codes: Members of the history's rows, dimension by dimension.
        sizes: How many members each dimension has.
        nowhere: Members that are no places, dimension by dimension: they have no movement of their own.
        weeks: Week of each row, from 0 on.
        volume: Denominators.
        good: Numerators.
        rates: Rates of the history without movements.

    Returns:
        The scatter; with fewer than `LEAST_WEEKS` weeks the usual one.
    """
    starts = tuple((1 + np.concatenate([[0], np.cumsum(sizes)[:-1]])).astype(int).tolist()) if sizes else ()
    width = 1 + sum(sizes)
    kinds = np.repeat(np.arange(len(sizes) + 1), [1, *sizes])
    usual = Scatter(starts, np.full(width, USUAL_VARIANCE), np.full(width, _USUAL_WEIGHT))
    for start, members in zip(starts, nowhere, strict=True):
        usual.variance[[start + member for member in members]] = _STILL
    count = int(weeks.max()) + 1 if weeks.size else 0
    if count < LEAST_WEEKS:
        return usual
    columns, angle = usual.columns(codes), _angle(rates)
    parts = [weeks == week for week in range(count)]
    shared = [crossed(columns[part], 4 * volume[part], width) for part in parts]
    moved = np.zeros((count, width))
    variance, freedom, moves = usual.variance.copy(), usual.freedom, usual.variance > _STILL
    for _ in range(_REFITS):
        pulls = [
            _pull(columns[part], volume[part], good[part], angle[part], moved[number])
            for number, part in enumerate(parts)
        ]
        for _ in range(_ROUNDS):
            known = np.zeros((count, width))
            for number in range(count):
                spread = _inverse(shared[number], variance, starts)
                moved[number] = spread @ pulls[number]
                known[number] = np.maximum(1 - np.diag(spread) / variance, 0.0)
            squares = np.minimum(moved**2, _CUT**2 * variance * known)
            # The history's own mean was taken out of its movements.
            found, seen = (
                np.bincount(kinds[moves], part[:, moves].sum(axis=0), len(sizes) + 1) * share
                for part, share in ((squares, 1.0), (known, 1 - 1 / count))
            )
            # The week itself is known from few weeks: it leans on the usual, as all dimensions together do.
            pooled = (found[1:].sum() + _USUAL_WEIGHT * USUAL_VARIANCE) / (seen[1:].sum() + _USUAL_WEIGHT)
            levelled = (found + _USUAL_WEIGHT * pooled) / (seen + _USUAL_WEIGHT)
            variance[moves] = levelled[kinds][moves]
            freedom = (seen + _USUAL_WEIGHT)[kinds].astype(np.float64)
    # What is asked about is set against the history's mean, which moved too.
    return Scatter(starts, variance * (1 + 1 / count), freedom)


def _angle(rates: Floats) -> Floats:
    found: Floats = np.arcsin(np.sqrt(np.clip(rates, 1e-4, 1 - 1e-4)))
    return found


def _rate(angles: Floats) -> Floats:
    found: Floats = np.sin(np.clip(angles, 0.01, np.pi / 2 - 0.01)) ** 2
    return found


def _inverse(shared: Floats, variance: Floats, starts: tuple[int, ...]) -> Floats:
    """Invert what is known of the movements.

    No row has two members of a dimension, so the largest one's part is diagonal, and only the others are inverted as a
    matrix (Schur complement): a thousand customers take an eighth of the time.
    """
    known = shared + np.diag(1 / variance)
    if not starts:
        return np.linalg.inv(known).astype(np.float64)
    first, last = max(pairwise((*starts, variance.size)), key=lambda bounds: bounds[1] - bounds[0])
    inside = slice(first, last)
    others = np.concatenate([np.arange(first), np.arange(last, variance.size)])
    own = known.diagonal()[inside]
    between = known[others, inside] / own
    core = np.linalg.inv(known[np.ix_(others, others)] - between @ known[inside, others])
    found = np.empty_like(known)
    lean = core @ between
    found[np.ix_(others, others)] = core
    found[others, inside] = -lean
    found[inside, others] = -lean.T
    found[inside, inside] = between.T @ lean + np.diag(1 / own)
    return found


def _slope(rates: Floats) -> Floats:
    found: Floats = np.sqrt(rates * (1 - rates))
    return found


def crossed(columns: Ints, weight: Floats, width: int) -> Floats:
    """Return the weight that every two columns share.

    Args:
        columns: Columns of the rows: rows × columns of a row.
        weight: Weight of each row.
        width: How many columns there are.
    """
    cells = (columns[:, :, None] * width + columns[:, None, :]).ravel()
    shared = np.bincount(cells, np.repeat(weight, columns.shape[1] ** 2), width**2)
    return shared.reshape(width, width).astype(np.float64)


def _pull(columns: Ints, volume: Floats, good: Floats, usual: Floats, moved: Floats) -> Floats:
    """Return what pulls at each column, were its movement 0."""
    movement = moved[columns].sum(axis=1)
    rates = _rate(usual + movement)
    left = 2 * (good - volume * rates) / _slope(rates) + 4 * volume * movement
    found = np.zeros(moved.size)
    for column in columns.T:
        found += np.bincount(column, left, moved.size)
    return found
