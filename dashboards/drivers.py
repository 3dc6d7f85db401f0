"""Why a rate moved: which places in the data explain the change, as far as it is more than chance.

The question is asked of every member of every dimension and of every pair of members: did it miss more (or less) often
than its own history lets one expect? The expectation comes from a model of main effects over all dimensions, fitted to
the weeks before (so a shift of volume towards a difficult customer is mix, not a driver), levelled to the place's own
history, and moved as the members it overlaps with moved (`dashboards.movements`). The distance is the difference of
arcsine roots (Anscombe), which has the same spread at every rate, widened by the scatter between weeks that the history
of its dimensions shows; as that is estimated, it is read as a Student's t. The best explanation is taken, its rows are
expected to be as bad as they were, and the rest is asked again, until nothing is left that stands out among all places
asked (Bonferroni). A place and its parts compete, as in Adtributor and Squeeze: a part is told where the rest of the
place did not move, the wider place where its rest moved too, and what other drivers account for is dropped in the end.
Where all moved, but one place further than the others, that is told first, and the others share only what is left.

Effects add up exactly: history → mix → each driver → the change that all places share → chance = now.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import Final, Literal

import numpy as np
import polars as pl

from dashboards.movements import (
    LEAST_VOLUME,
    LEAST_WEEKS,
    USUAL_VARIANCE,
    Bools,
    Fit,
    Floats,
    Ints,
    crossed,
    fit,
    learn_scatter,
)

LEVELS: Final = (0.025, 0.01)
"""Chance of a false driver in one search among members, and among pairs, which are many more and scatter less."""

MOST_DRIVERS: Final = 6
_RIDGE: Final = 2.0
_ROUNDS: Final = 30
_PRIOR: Final = 4.0
"""Misses of expectation with which a place's own history is levelled: thin histories trust the model."""

_USUAL_GAPS: Final = 40
"""Steps from week to week of a dimension's members that weigh as much as what is known of all of its kind."""

_ALONG: Final = 2.5
"""Standard deviations from which the rest of a wider place counts as moved too."""

_NEEDLESS: Final = 0.75
"""Share of its distance that a driver must keep once the others are told, if it is less than the threshold."""

_WITHIN: Final = 0.98
"""Share of a place's volume that a wider place must hold."""

_MEDIAN: Final = 0.4549
"""Median of χ² with one degree of freedom."""

NO_PLACE: Final = ("(none)", "(multiple)")
"""Members that are no places: what never shipped has no carrier, which is how a miss shows, not where it comes from."""

Verdict = Literal["no_change", "drivers", "everywhere", "outside"]


@dataclass(frozen=True, slots=True)
class Driver:
    """A place that explains part of the change.

    Attributes:
        place: Dimension → member, one or two.
        same_as: Other descriptions of (nearly) the same rows.
        volume: Its denominator now.
        share: Its share of the whole denominator.
        rate_before: Its rate in its history.
        rate_expected: The rate that its history lets one expect of its rows now.
        rate_now: Its rate now.
        effect: What it adds to the change of the whole rate.
        distance: Standard deviations from the expectation.
    """

    place: tuple[tuple[str, str], ...]
    same_as: tuple[tuple[tuple[str, str], ...], ...]
    volume: float
    share: float
    rate_before: float
    rate_expected: float
    rate_now: float
    effect: float
    distance: float

    @property
    def words(self) -> str:
        """The place as people say it: `node DC East and carrier UPS`."""
        return " and ".join(f"{name.removesuffix('_id').replace('_', ' ')} {member}" for name, member in self.place)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a rate moved.

    Attributes:
        before: Rate of the history.
        now: Rate now.
        mix: Effect of a changed composition, at the history's rates.
        drivers: Places that stand out, the largest effect first.
        shared: Effect of what all places have in common.
        chance: The rest.
        verdict: `no_change` (no more than chance), `drivers`, `everywhere` (all places alike: the cause is outside
            these dimensions) or `outside` (a change, but no place and no common shift stands out).
        distance: Standard deviations of the whole rate from the expectation.
        scatter: Standard deviation of a member's rate from week to week beyond chance, at a rate of one half.
        places: How many places were asked.
    """

    before: float
    now: float
    mix: float
    drivers: tuple[Driver, ...]
    shared: float
    chance: float
    verdict: Verdict
    distance: float
    scatter: float
    places: int


def explain_change(history: pl.DataFrame, now: pl.DataFrame, dimensions: Sequence[str]) -> Explanation:
    """Explain the change of a ratio.

    Args:
        history: The weeks before. Columns: the dimensions (text), `week`, `numerator`, `denominator`;
            0 ≤ numerator ≤ denominator.
        now: The period asked about; same columns, `week` is not needed.
        dimensions: Dimensions to look through.

    Returns:
        The explanation. Without history or volume nothing stands out, and the verdict is `no_change`.
    """
    return _Search(history, now, dimensions).explain()


@dataclass(frozen=True, slots=True)
class _Grouping:
    """One or two dimensions: the place of each row as a code, and what the places add up to."""

    names: tuple[str, ...]
    codes: Ints
    past_codes: Ints
    count: int
    volume: Floats
    seen: Floats
    past_volume: Floats
    past_seen: Floats
    past_expected: Floats
    is_asked: Bools
    variance: float = 0.0
    """Scatter of pairs from week to week beyond chance and that of their members: a variance of arcsine roots."""

    freedom: float = np.inf
    """Degrees of freedom with which the scatter of its members is known."""

    threshold: float = np.inf
    """Distance from which a place stands out among all that are asked."""

    def sum(self, values: Floats) -> Floats:
        """Add up values of today's rows by place."""
        return np.bincount(self.codes, values, self.count).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Found:
    """A place that stands out, by so many standard deviations."""

    grouping: _Grouping
    code: int
    distance: float


class _Search:
    def __init__(self, history: pl.DataFrame, now: pl.DataFrame, dimensions: Sequence[str]) -> None:
        self._names = tuple(dimensions)
        told = pl.col("numerator", "denominator").sum()
        history = history.group_by(*self._names, "week", maintain_order=True).agg(told)
        now = now.group_by(self._names, maintain_order=True).agg(told)
        self._members, past, present = _encoded(history, now, self._names)
        self._past_codes, self._codes = past, present
        self._past_d, self._past_n = _column(history, "denominator"), _column(history, "numerator")
        self._d, self._n = _column(now, "denominator"), _column(now, "numerator")
        self._weeks = history["week"].rank("dense").to_numpy().astype(np.int64) - 1 if history.height else _none()

    def explain(self) -> Explanation:
        past_total, total = float(self._past_d.sum()), float(self._d.sum())
        before, now = _ratio(self._past_n.sum(), past_total), _ratio(self._n.sum(), total)
        if past_total <= 0 or total <= 0:
            return Explanation(before, now, 0.0, (), 0.0, now - before, "no_change", 0.0, 0.0, 0)
        past_rates, rates = self._expected_rates()
        self._learn(past_rates)
        groupings = _thresholds(self._scattered(self._groupings(past_rates), past_rates))
        places = sum(int(grouping.is_asked.sum()) for grouping in groupings)
        mix = float(self._d @ rates) / total - before
        overall = self._whole(self._fitted(rates, np.zeros(self._d.size, np.bool_)))
        drivers, shared = self._drivers(groupings, rates)
        told = sum(driver.effect for driver in drivers)
        verdict: Verdict = "drivers" if drivers else "everywhere" if shared else "no_change"
        if drivers and abs(shared) > sum(abs(driver.effect) for driver in drivers):
            verdict = "everywhere"
        if verdict == "no_change" and abs(overall) > _quantile(0.01):
            verdict = "outside"
        ordered = tuple(sorted(drivers, key=lambda driver: -abs(driver.effect)))
        chance = now - before - mix - shared - told
        scatter = 2 * sqrt(self._scatter.mean)
        return Explanation(before, now, mix, ordered, shared, chance, verdict, overall, scatter, places)

    def _learn(self, past_rates: Floats) -> None:
        """Learn how much weeks and members scatter."""
        sizes = [len(members) for members in self._members]
        # The only member of a dimension moves as the week itself does.
        nowhere = [
            [code for code, member in enumerate(members) if member in NO_PLACE or len(members) == 1]
            for members in self._members
        ]
        self._scatter = learn_scatter(
            self._past_codes, sizes, nowhere, self._weeks, self._past_d, self._past_n, past_rates
        )
        self._columns = self._scatter.columns(self._codes)

    def _fitted(self, rates: Floats, is_told: Bools) -> Fit:
        """Estimate the movements of the rows that no driver tells of yet."""
        volume, good = np.where(is_told, 0.0, self._d), np.where(is_told, 0.0, self._n)
        return fit(self._columns, volume, good, rates, self._scatter)

    def _whole(self, now: Fit) -> float:
        """Return how far all rows together are from what is expected of them."""
        past = np.full(1, self._past_d.sum())
        return float(
            self._far(now, _none(self._d.size), 1, (past, past, past), 0.0, float(self._scatter.freedom[0]))[0]
        )

    def _far(
        self, now: Fit, codes: Ints, count: int, past: tuple[Floats, Floats, Floats], variance: float, freedom: float
    ) -> Floats:
        """Return how far places are from what is expected of them, beyond what the others' movements explain.

        The distance is that of a normal variable as unlikely as the Student's t that it is: scatter is estimated.
        """
        held = now.weight / 4
        good = np.where(held > 0, self._n, 0.0)
        volume, seen, expected = (
            np.bincount(codes, part, count).astype(float) for part in (held, good, now.rates * held)
        )
        own, known = now.movements(codes, count, self._n)
        # What the fit gives the place of its own movement is taken back.
        taken = own * (1 - known / np.maximum(4 * volume, 1e-9))
        gap = _root(seen, volume) - _root(_levelled(past, expected, volume), volume) + taken
        chance = 1 / (4 * volume + 2) + 1 / (4 * past[0] + 2)
        scatter = np.maximum(1 / known - 1 / np.maximum(4 * volume, 1e-9), 0.0) + variance
        whole = chance + scatter
        return _as_normal(gap / np.sqrt(whole), freedom * (whole / np.maximum(scatter, 1e-12)) ** 2)

    def _drivers(self, groupings: Sequence[_Grouping], rates: Floats) -> tuple[list[Driver], float]:
        """Take the best explanation, expect its rows as they were, and ask the rest again; then drop the needless."""
        steps: list[_Found | None] = []
        # All rows together are asked as one more member is.
        alone = min((grouping.threshold for grouping in groupings), default=_quantile(LEVELS[0]))
        while True:
            moved, is_told, _ = self._replayed(steps, rates)
            now = self._fitted(moved, is_told)
            whole, best = self._whole(now), self._best(groupings, now)
            beyond = -np.inf if None in steps else whole**2 - alone**2
            if (best is None and beyond < 0) or sum(step is not None for step in steps) == MOST_DRIVERS:
                break
            if best is not None and best.distance**2 - best.grouping.threshold**2 > beyond:
                best = self._narrowed(groupings, best, moved, is_told)
                best = self._widened(groupings, best, moved, is_told)
                best.grouping.is_asked[best.code] = False
                steps.append(best)
            else:
                steps.append(self._apart(groupings, moved, is_told, float(np.sign(whole))))
        for step in list(steps):
            if step is None:
                continue
            others = [other for other in steps if other is not step]
            rows, past = step.grouping.codes == step.code, self._past(step.grouping, step.code)
            moved, is_told, _ = self._replayed(others, rates, rows)
            left = self._distance(rows, self._fitted(moved, is_told & ~rows), step.grouping, past)
            if abs(left) < min(step.grouping.threshold, _NEEDLESS * abs(step.distance)):
                steps = others
        _, _, effects = self._replayed(steps, rates)
        told = [(step, effect) for step, effect in zip(steps, effects, strict=True) if step is not None]
        drivers = [self._driver(groupings, step, rates, effect) for step, effect in told]
        return drivers, sum(effect for step, effect in zip(steps, effects, strict=True) if step is None)

    def _replayed(
        self, steps: Sequence[_Found | None], rates: Floats, aside: Bools | None = None
    ) -> tuple[Floats, Bools, list[float]]:
        """Let places (None: all that is not told yet) be as bad as they were, in turn.

        What all share is learnt without the rows `aside`, and expected of them too.

        Returns:
            The rates then, which rows a place told of, and what each step added to the whole rate.
        """
        is_told = np.zeros(self._d.size, np.bool_)
        effects = []
        for step in steps:
            rows = ~is_told if step is None else (step.grouping.codes == step.code) & ~is_told
            like = rows & ~aside if step is None and aside is not None else rows
            rates, effect = self._moved(rates, rows, like)
            effects.append(effect)
            if step is not None:
                is_told |= rows
        return rates, is_told, effects

    def _moved(self, rates: Floats, rows: Bools, like: Bools | None = None) -> tuple[Floats, float]:
        """Let rows be as bad as they (or the rows `like`) were; return the rates then and what it adds to the whole."""
        moved, those = rates.copy(), rows if like is None else like
        sums = (float(values[those].sum()) for values in (self._d, self._d * rates, self._n))
        moved[rows] = _shifted(rates[rows], *sums)
        return moved, float(self._d @ (moved - rates)) / float(self._d.sum())

    def _best(self, groupings: Sequence[_Grouping], now: Fit) -> _Found | None:
        """Return the place that stands out most among the rows that no driver tells of yet; null = none does."""
        best: _Found | None = None
        best_score = 0.0
        for grouping in groupings:
            distance = self._asked(grouping, now)
            score = _score(grouping, distance)
            code = int(np.argmax(score))
            if score[code] > best_score + 1e-9:
                best_score, best = float(score[code]), _Found(grouping, code, float(distance[code]))
        return best

    def _asked(self, grouping: _Grouping, now: Fit) -> Floats:
        """Return how far each place is from what is expected of its rows that no driver tells of yet."""
        history = grouping.past_volume, grouping.past_seen, grouping.past_expected
        distance = self._far(now, grouping.codes, grouping.count, history, grouping.variance, grouping.freedom)
        distance[~grouping.is_asked | (grouping.sum(now.weight) < 4 * LEAST_VOLUME)] = 0.0
        return distance

    def _apart(
        self,
        groupings: Sequence[_Grouping],
        rates: Floats,
        is_told: Bools,
        direction: float,
    ) -> _Found | None:
        """Return the place that moved furthest beyond the whole; null where all places moved alike.

        Told after the whole, it would leave the others a share of its own fall.
        """
        alike, _ = self._moved(rates, ~is_told)
        fits = self._fitted(rates, is_told), self._fitted(alike, is_told)
        if self._best(groupings, fits[1]) is None:
            return None
        best: _Found | None = None
        best_score = -np.inf
        for grouping in groupings:
            distance, beyond = (self._asked(grouping, now) * direction for now in fits)
            stands_out = (distance >= grouping.threshold) & (beyond >= _ALONG)
            score = np.where(stands_out, _score(grouping, beyond), -np.inf)
            code = int(np.argmax(score))
            if score[code] > best_score + 1e-9:
                best_score, best = float(score[code]), _Found(grouping, code, float(distance[code]) * direction)
        if best is not None:
            best.grouping.is_asked[best.code] = False
        return best

    def _narrowed(
        self,
        groupings: Sequence[_Grouping],
        found: _Found,
        rates: Floats,
        is_told: Bools,
    ) -> _Found:
        """Return the part of a place that stands out alone, where the rest of it did not move with it."""
        own, code = found.grouping, found.code
        rows = (own.codes == code) & ~is_told
        moved, _ = self._moved(rates, rows)
        fits = self._fitted(rates, is_told), self._fitted(moved, is_told)
        best, least = found, 0.0
        for grouping in groupings:
            volume, inside = (grouping.sum(self._d * those) for those in (~is_told, rows))
            is_part = grouping.is_asked & (inside >= _WITHIN * volume) & (inside >= LEAST_VOLUME)
            for part in np.flatnonzero(is_part).tolist():
                within = rows & (grouping.codes == part)
                distance = self._distance(within, fits[0], grouping, self._past(grouping, part))
                score = float(_score(grouping, np.array([distance]))[0])
                if score <= least:
                    continue
                past = self._past(own, code, grouping, part)
                still, wrong = (abs(self._distance(rows & ~within, now, own, past)) for now in fits)
                if still < _ALONG < wrong:
                    best, least = _Found(grouping, part, distance), score
        return best

    def _widened(
        self,
        groupings: Sequence[_Grouping],
        found: _Found,
        rates: Floats,
        is_told: Bools,
    ) -> _Found:
        """Return the widest place around one that stands out whose rest moved with it, as far."""
        own, code, direction = found.grouping, found.code, float(np.sign(found.distance))
        rows = (own.codes == code) & ~is_told
        volume = float(self._d[rows].sum())
        now, best, best_rest = self._fitted(rates, is_told), found, _ALONG
        for grouping in groupings:
            if len(grouping.names) > len(own.names):
                continue
            inside = grouping.sum(self._d * rows)
            around = int(np.argmax(inside))
            wide = (grouping.codes == around) & ~is_told
            if (
                not grouping.is_asked[around]
                or inside[around] < _WITHIN * volume
                or float(self._d[wide].sum()) * _WITHIN <= volume
            ):
                continue
            rest = self._distance(wide & ~rows, now, grouping, self._past(grouping, around, own, code))
            if rest * direction <= best_rest:
                continue
            moved, _ = self._moved(rates, wide)
            if abs(self._distance(rows, self._fitted(moved, is_told), own, self._past(own, code))) < own.threshold:
                best_rest = rest * direction
                whole = self._distance(wide, now, grouping, self._past(grouping, around))
                best = _Found(grouping, around, whole)
        return best if best is found else self._widened(groupings, best, rates, is_told)

    def _past(self, grouping: _Grouping, code: int, less: _Grouping | None = None, part: int = 0) -> Floats:
        """Return volume, seen and expected of a place's history, less those of a part of it."""
        past = np.array([grouping.past_volume[code], grouping.past_seen[code], grouping.past_expected[code]])
        if less is not None:
            past = past - [less.past_volume[part], less.past_seen[part], less.past_expected[part]]
        found: Floats = np.maximum(past, 0.0)
        return found

    def _distance(self, rows: Bools, now: Fit, grouping: _Grouping, past: Floats) -> float:
        """Return how far rows are from what is expected of them, as places of a grouping are asked."""
        history = tuple(np.array([0.0, part]) for part in past)
        found = self._far(
            now, rows.astype(np.int64), 2, (history[0], history[1], history[2]), grouping.variance, grouping.freedom
        )
        return float(found[1])

    def _driver(self, groupings: Sequence[_Grouping], found: _Found, rates: Floats, effect: float) -> Driver:
        grouping, code = found.grouping, found.code
        rows = grouping.codes == code
        volume = float(grouping.volume[code])
        return Driver(
            place=self._place(grouping, code),
            same_as=self._same(groupings, grouping, rows),
            volume=volume,
            share=volume / float(self._d.sum()),
            rate_before=_ratio(grouping.past_seen[code], grouping.past_volume[code]),
            rate_expected=_ratio(self._d[rows] @ rates[rows], volume),
            rate_now=_ratio(grouping.seen[code], volume),
            effect=effect,
            distance=found.distance,
        )

    def _same(
        self, groupings: Sequence[_Grouping], own: _Grouping, rows: Bools
    ) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Return the simplest other places that hold at least 95 % of the same volume and hardly anything else."""
        found = []
        inside = float(self._d[rows].sum())
        for grouping in groupings:
            if grouping is own or len(grouping.names) > len(own.names):
                continue
            code = int(np.argmax(np.bincount(grouping.codes[rows], self._d[rows], grouping.count)))
            both = float(self._d[rows & (grouping.codes == code)].sum())
            union = inside + float(self._d[grouping.codes == code].sum()) - both
            if both >= 0.95 * union:
                found.append(self._place(grouping, code))
        singles = [place for place in found if len(place) == 1]
        return tuple(singles or found[:3])

    def _place(self, grouping: _Grouping, code: int) -> tuple[tuple[str, str], ...]:
        parts = []
        for name in reversed(grouping.names):
            members = self._members[self._names.index(name)]
            code, own = divmod(code, len(members))
            parts.append((name, members[own]))
        return tuple(reversed(parts))

    def _groupings(self, past_rates: Floats) -> list[_Grouping]:
        """Return every dimension with more than one member, and every pair of such."""
        sizes = {name: len(members) for name, members in zip(self._names, self._members, strict=True)}
        varied = [name for name in self._names if sizes[name] > 1]
        groupings = []
        for names in itertools.chain(((name,) for name in varied), itertools.combinations(varied, 2)):
            codes, past_codes, count = _none(self._d.size), _none(self._past_d.size), 1
            is_place, least = np.ones(1, np.bool_), np.full(1, np.inf)
            for name in names:
                position = self._names.index(name)
                codes = codes * sizes[name] + self._codes[position]
                past_codes = past_codes * sizes[name] + self._past_codes[position]
                count *= sizes[name]
                own = np.array([member not in NO_PLACE for member in self._members[position]])
                is_place = (is_place[:, None] & own[None, :]).ravel()
                held = np.bincount(self._codes[position], self._d, sizes[name])
                least = np.minimum(least[:, None], held[None, :]).ravel()
            volume, seen = (np.bincount(codes, values, count).astype(float) for values in (self._d, self._n))
            past_volume, past_seen, past_expected = (
                np.bincount(past_codes, values, count).astype(float)
                for values in (self._past_d, self._past_n, past_rates * self._past_d)
            )
            groupings.append(
                _Grouping(
                    names, codes, past_codes, count, volume, seen, past_volume, past_seen, past_expected,
                    # A pair that holds all of one of its members is that member.
                    is_asked=is_place & (volume >= LEAST_VOLUME) & ((len(names) == 1) | (volume < _WITHIN * least)),
                )
            )  # fmt: skip
        return groupings

    def _expected_rates(self) -> tuple[Floats, Floats]:
        """Fit a logistic model of main effects to the history; return its rates for the rows of both periods."""
        offsets = np.concatenate([[0], np.cumsum([len(members) for members in self._members])])
        width = int(offsets[-1]) + 1

        def design(codes: Sequence[Ints]) -> Ints:
            return np.stack([code + offsets[k] + 1 for k, code in enumerate(codes)], axis=1) if codes else _none((0, 0))

        # Rows with the same members are one: the model is fitted to places, not to orders.
        places, inverse = np.unique(design(self._past_codes), axis=0, return_inverse=True)
        volume = np.bincount(inverse.ravel(), self._past_d)
        good = np.bincount(inverse.ravel(), self._past_n)
        columns = np.concatenate([np.zeros((places.shape[0], 1), np.int64), places], axis=1)
        # Members that are no places have no effect of their own.
        is_place = np.array([True, *(member not in NO_PLACE for member in itertools.chain(*self._members))])
        ridge = np.full(width, _RIDGE)
        ridge[0] = 1e-6
        weights = np.zeros(width)
        weights[0] = _logit((good.sum() + 0.5) / (volume.sum() + 1.0))
        for _ in range(_ROUNDS):
            rate = _expit(weights[columns].sum(axis=1))
            left = good - volume * rate
            slope = is_place * sum(np.bincount(column, left, width) for column in columns.T) - ridge * weights
            curve = crossed(columns, volume * rate * (1 - rate), width) * np.outer(is_place, is_place) + np.diag(ridge)
            step = np.linalg.solve(curve, slope)
            weights = weights + step
            if np.abs(step).max() < 1e-8:
                break

        def rates(codes: Sequence[Ints]) -> Floats:
            found: Floats = _expit(weights[0] + weights[design(codes)].sum(axis=1))
            return found

        return rates(self._past_codes), rates(self._codes)

    def _scattered(self, groupings: Sequence[_Grouping], past_rates: Floats) -> list[_Grouping]:
        """Give pairs the scatter that their members do not have: their own, levelled to that of all pairs.

        Successive weeks are compared, and the median is matched, so that faults in the history, and a level that moved
        there, do not blind the search.
        """
        freedom = dict(
            zip(self._names, (float(self._scatter.freedom[start]) for start in self._scatter.starts), strict=True)
        )
        pairs = [grouping for grouping in groupings if len(grouping.names) > 1]
        steps = self._steps(pairs, past_rates)
        found = [replace(one, freedom=freedom[one.names[0]]) for one in groupings if len(one.names) == 1]
        if not pairs:
            return found
        gaps, chance = (np.concatenate(parts) for parts in zip(*steps, strict=True))
        usual = _levelled_scatter(gaps, chance, USUAL_VARIANCE)
        return found + [
            replace(pair, variance=_levelled_scatter(*step, usual), freedom=min(freedom[name] for name in pair.names))
            for pair, step in zip(pairs, steps, strict=True)
        ]

    def _steps(self, pairs: Sequence[_Grouping], past_rates: Floats) -> list[tuple[Floats, Floats]]:
        """Return the squared steps of places from week to week, and what chance and their members make of them."""
        weeks = int(self._weeks.max()) + 1
        if weeks < LEAST_WEEKS:
            return [(np.zeros(0), np.zeros(0)) for _ in pairs]
        shape = [(weeks, pair.count) for pair in pairs]
        gaps, chances = [np.full(size, np.nan) for size in shape], [np.full(size, np.nan) for size in shape]
        columns = self._scatter.columns(self._past_codes)
        for week in range(weeks):
            part = self._weeks == week
            held, good = self._past_d[part], self._past_n[part]
            then = fit(columns[part], held, good, past_rates[part], self._scatter)
            for pair, gap, chance in zip(pairs, gaps, chances, strict=True):
                codes = pair.past_codes[part]
                volume = np.bincount(codes, held, pair.count)
                enough = volume >= LEAST_VOLUME
                own, known = then.movements(codes, pair.count, good)
                gap[week, enough] = own[enough]
                chance[week, enough] = 1 / known[enough]
        found = []
        for gap, chance in zip(gaps, chances, strict=True):
            step, spread = np.diff(gap, axis=0) ** 2 / 2, (chance[1:] + chance[:-1]) / 2
            asked = ~np.isnan(step)
            found.append((step[asked], spread[asked]))
        return found


def _score(grouping: _Grouping, distance: Floats) -> Floats:
    """Return what places speak for themselves beyond what the luckiest of all that are asked would."""
    found: Floats = (distance**2 - grouping.threshold**2) / 2
    return found


def _thresholds(groupings: Sequence[_Grouping]) -> list[_Grouping]:
    """Give places the distance that the luckiest of all members, or of all pairs, would hardly reach (Bonferroni)."""
    asked = [sum(int(one.is_asked.sum()) for one in groupings if len(one.names) == depth) for depth in (1, 2)]
    by_depth = [_quantile(level / max(count, 1)) for level, count in zip(LEVELS, asked, strict=True)]
    return [replace(one, threshold=by_depth[len(one.names) - 1]) for one in groupings]


def _levelled_scatter(gaps: Floats, chance: Floats, usual: float) -> float:
    """Return the variance beyond chance that gives the steps their median; few steps trust the usual one."""
    low, high = 0.0, 0.25
    for _ in range(50 if gaps.size else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if np.median(gaps / (chance + middle)) > _MEDIAN else (low, middle)
    return (low * gaps.size + usual * _USUAL_GAPS) / (gaps.size + _USUAL_GAPS)


def _encoded(
    history: pl.DataFrame, now: pl.DataFrame, names: Sequence[str]
) -> tuple[list[list[str]], list[Ints], list[Ints]]:
    """Return members, and the codes of both frames, dimension by dimension."""
    members, past, present = [], [], []
    for name in names:
        both = pl.concat([history[name].cast(pl.String), now[name].cast(pl.String)]).fill_null("(none)")
        known = sorted(both.unique().to_list())
        codes = both.replace_strict(known, list(range(len(known))), return_dtype=pl.Int64).to_numpy()
        members.append(known)
        past.append(codes[: history.height])
        present.append(codes[history.height :])
    return members, past, present


def _none(shape: int | tuple[int, ...] = 0) -> Ints:
    return np.zeros(shape, np.int64)


def _column(frame: pl.DataFrame, name: str) -> Floats:
    return frame[name].cast(pl.Float64).to_numpy()


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0


def _logit(rate: float) -> float:
    return float(np.log(rate / (1 - rate)))


def _expit(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -30, 30)))


def _levelled(history: tuple[Floats, Floats, Floats], expected: Floats, volume: Floats) -> Floats:
    """Level an expectation to the place's own history: the rarer outcome is scaled, thin histories trust the model."""
    past, past_seen, past_expected = history
    is_high = past_expected > past / 2
    known, modelled, rare = (
        np.where(is_high, whole - part, part)
        for whole, part in ((past, past_seen), (past, past_expected), (volume, expected))
    )
    rare = np.clip(rare * (known + _PRIOR) / (modelled + _PRIOR), 0.0, volume)
    found: Floats = np.where(is_high, volume - rare, rare)
    return found


def _root(part: Floats, volume: Floats) -> Floats:
    """Return the arcsine root of a share: its chance variance is 1/(4n+2) whatever the share (Anscombe)."""
    found: Floats = np.arcsin(np.sqrt((np.clip(part, 0, volume) + 0.375) / (volume + 0.75)))
    return found


def _as_normal(distance: Floats, freedom: Floats) -> Floats:
    """Return the normal distance that is as unlikely as a Student's t (Wallace's approximation)."""
    shrunk = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(distance**2 / freedom))
    found: Floats = np.sign(distance) * np.where(np.isfinite(freedom), shrunk, np.abs(distance))
    return found


def _shifted(rates: Floats, whole: float, expected: float, seen: float) -> Floats:
    """Return rates moved as far as a volume whose expectation is known and of which something else was seen.

    A fault takes the same share of what would have gone well from every row, a repair of what would have gone wrong.
    """
    if seen <= expected:
        return rates * (seen / expected if expected > 0 else 1.0)
    return 1 - (1 - rates) * ((whole - seen) / (whole - expected) if whole > expected else 1.0)


def _quantile(level: float) -> float:
    """Return the distance that chance exceeds, in either direction, with a probability."""
    low, high = 0.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        if 1 - erf(middle / sqrt(2)) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2
