"""Why a rate moved: which places in the data explain the change, as far as it is more than chance.

The question is asked of every member of every dimension and of every pair of members: did it miss more (or less) often
than its own history lets one expect? The expectation comes from a model of main effects over all dimensions, fitted to
the weeks before (so a shift of volume towards a difficult customer is mix, not a driver), levelled to the place's own
history. The distance is the difference of arcsine roots (Anscombe), which has the same spread at every rate, widened by
the scatter between weeks that the history of its dimensions shows. The best explanation is taken, its rows are expected
to be as bad as they were, and the rest is asked again, until nothing is left that stands out among all places asked
(Bonferroni). A place and its parts compete, as in Adtributor and Squeeze: a part is told where the rest of the place
did not move, the wider place where its rest moved too, and what other drivers account for is dropped in the end. Where
all moved, but one place further than the others, that place is told first, and the others share only what is left.

Effects add up exactly: history → mix → each driver → the change that all places share → chance = now.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL: Final = 0.03
"""Chance of one false driver in the whole search, were the scatter known; it is estimated, which makes it some 5 %."""

MOST_DRIVERS: Final = 6
LEAST_VOLUME: Final = 8.0
"""Denominator below which a place is not asked."""

_RIDGE: Final = 2.0
_ROUNDS: Final = 30
_PRIOR: Final = 4.0
"""Misses of expectation with which a place's own history is levelled: thin histories trust the model."""

LEAST_WEEKS: Final = 3
"""Weeks of history below which the usual scatter is assumed."""

_USUAL_VARIANCE: Final = 0.0005
"""About two points of scatter at a rate of 90 %."""

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
    is_asked: npt.NDArray[np.bool_]
    variance: float = 0.0
    """Scatter of its places from week to week beyond chance: a variance of arcsine roots."""

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
        groupings = self._scattered(self._groupings(past_rates), past_rates)
        single = [grouping.variance for grouping in groupings if len(grouping.names) == 1]
        variance = float(np.mean(single)) if single else _USUAL_VARIANCE
        places = sum(int(grouping.is_asked.sum()) for grouping in groupings)
        mix = float(self._d @ rates) / total - before
        overall = self._whole(rates, variance, np.ones(self._d.size, np.bool_))
        drivers, shared = self._drivers(groupings, rates, variance, _quantile(LEVEL / max(places, 1)))
        told = sum(driver.effect for driver in drivers)
        verdict: Verdict = "drivers" if drivers else "everywhere" if shared else "no_change"
        if drivers and abs(shared) > sum(abs(driver.effect) for driver in drivers):
            verdict = "everywhere"
        if verdict == "no_change" and abs(overall) > _quantile(0.01):
            verdict = "outside"
        ordered = tuple(sorted(drivers, key=lambda driver: -abs(driver.effect)))
        chance = now - before - mix - shared - told
        return Explanation(before, now, mix, ordered, shared, chance, verdict, overall, 2 * sqrt(variance), places)

    def _whole(self, rates: Floats, variance: float, rows: npt.NDArray[np.bool_]) -> float:
        """Return how far rows together are from what is expected of them."""
        parts = ((self._d * rates)[rows], self._n[rows], self._d[rows], self._past_d)
        expected, seen, volume, past_volume = (np.array([part.sum()]) for part in parts)
        return float(_distances(expected, seen, volume, past_volume, variance)[0])

    def _drivers(
        self, groupings: Sequence[_Grouping], rates: Floats, variance: float, threshold: float
    ) -> tuple[list[Driver], float]:
        """Take the best explanation, expect its rows as they were, and ask the rest again; then drop the needless."""
        steps: list[_Found | None] = []
        while True:
            moved, is_told, _ = self._replayed(steps, rates)
            whole, best = self._whole(moved, variance, ~is_told), self._best(groupings, moved, is_told)
            place = abs(best.distance) if best else 0.0
            if max(abs(whole), place) < threshold or sum(step is not None for step in steps) == MOST_DRIVERS:
                break
            if best is not None and place > abs(whole):
                best = self._narrowed(groupings, best, moved, is_told, threshold)
                best = self._widened(groupings, best, moved, is_told, threshold)
                best.grouping.is_asked[best.code] = False
                steps.append(best)
            else:
                steps.append(self._apart(groupings, moved, is_told, threshold, float(np.sign(whole))))
        for step in list(steps):
            if step is None:
                continue
            others = [other for other in steps if other is not step]
            rows, past = step.grouping.codes == step.code, self._past(step.grouping, step.code)
            moved, _, _ = self._replayed(others, rates, rows)
            left = self._distance(rows, moved, step.grouping.variance, past)
            if abs(left) < min(threshold, _NEEDLESS * abs(step.distance)):
                steps = others
        _, _, effects = self._replayed(steps, rates)
        told = [(step, effect) for step, effect in zip(steps, effects, strict=True) if step is not None]
        drivers = [self._driver(groupings, step, rates, effect) for step, effect in told]
        return drivers, sum(effect for step, effect in zip(steps, effects, strict=True) if step is None)

    def _replayed(
        self, steps: Sequence[_Found | None], rates: Floats, aside: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Floats, npt.NDArray[np.bool_], list[float]]:
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

    def _moved(
        self, rates: Floats, rows: npt.NDArray[np.bool_], like: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Floats, float]:
        """Let rows be as bad as they (or the rows `like`) were; return the rates then and what it adds to the whole."""
        moved, those = rates.copy(), rows if like is None else like
        sums = (float(values[those].sum()) for values in (self._d, self._d * rates, self._n))
        moved[rows] = _shifted(rates[rows], *sums)
        return moved, float(self._d @ (moved - rates)) / float(self._d.sum())

    def _best(self, groupings: Sequence[_Grouping], rates: Floats, is_told: npt.NDArray[np.bool_]) -> _Found | None:
        """Return the place that stands out most among the rows that no driver tells of yet."""
        best: _Found | None = None
        best_score = 0.0
        for grouping in groupings:
            distance = self._asked(grouping, rates, is_told)
            score = _score(grouping, distance)
            code = int(np.argmax(score))
            if score[code] > best_score + 1e-9:
                best_score, best = float(score[code]), _Found(grouping, code, float(distance[code]))
        return best

    def _asked(self, grouping: _Grouping, rates: Floats, is_told: npt.NDArray[np.bool_]) -> Floats:
        """Return how far each place is from what is expected of its rows that no driver tells of yet."""
        volume, seen = grouping.sum(self._d * ~is_told), grouping.sum(self._n * ~is_told)
        history = grouping.past_volume, grouping.past_seen, grouping.past_expected
        expected = _levelled(history, grouping.sum(rates * self._d * ~is_told), volume)
        distance = _distances(expected, seen, volume, grouping.past_volume, grouping.variance)
        distance[~grouping.is_asked | (volume < LEAST_VOLUME)] = 0.0
        return distance

    def _apart(
        self,
        groupings: Sequence[_Grouping],
        rates: Floats,
        is_told: npt.NDArray[np.bool_],
        threshold: float,
        direction: float,
    ) -> _Found | None:
        """Return the place that moved furthest beyond the whole; null where all places moved alike.

        Told after the whole, it would leave the others a share of its own fall.
        """
        alike, _ = self._moved(rates, ~is_told)
        rest = self._best(groupings, alike, is_told)
        if rest is None or abs(rest.distance) < threshold:
            return None
        best: _Found | None = None
        best_score = 0.0
        for grouping in groupings:
            distance, beyond = (self._asked(grouping, values, is_told) * direction for values in (rates, alike))
            beyond[(distance < threshold) | (beyond < _ALONG)] = 0.0
            score = _score(grouping, beyond)
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
        is_told: npt.NDArray[np.bool_],
        threshold: float,
    ) -> _Found:
        """Return the part of a place that stands out alone, where the rest of it did not move with it."""
        own, code = found.grouping, found.code
        rows = (own.codes == code) & ~is_told
        moved, _ = self._moved(rates, rows)
        best, least = found, threshold
        for grouping in groupings:
            volume, inside = (grouping.sum(self._d * those) for those in (~is_told, rows))
            is_part = grouping.is_asked & (inside >= _WITHIN * volume) & (inside >= LEAST_VOLUME)
            for part in np.flatnonzero(is_part).tolist():
                within = rows & (grouping.codes == part)
                distance = self._distance(within, rates, grouping.variance, self._past(grouping, part))
                if abs(distance) <= least:
                    continue
                past = self._past(own, code, grouping, part)
                still, wrong = (
                    abs(self._distance(rows & ~within, values, own.variance, past)) for values in (rates, moved)
                )
                if still < _ALONG < wrong:
                    best, least = _Found(grouping, part, distance), abs(distance)
        return best

    def _widened(
        self,
        groupings: Sequence[_Grouping],
        found: _Found,
        rates: Floats,
        is_told: npt.NDArray[np.bool_],
        threshold: float,
    ) -> _Found:
        """Return the widest place around one that stands out whose rest moved with it, as far."""
        own, code, direction = found.grouping, found.code, float(np.sign(found.distance))
        rows = (own.codes == code) & ~is_told
        volume = float(self._d[rows].sum())
        best, best_rest = found, _ALONG
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
            rest = self._distance(wide & ~rows, rates, grouping.variance, self._past(grouping, around, own, code))
            if rest * direction <= best_rest:
                continue
            moved, _ = self._moved(rates, wide)
            if abs(self._distance(rows, moved, own.variance, self._past(own, code))) < threshold:
                best_rest = rest * direction
                whole = self._distance(wide, rates, grouping.variance, self._past(grouping, around))
                best = _Found(grouping, around, whole)
        return best if best is found else self._widened(groupings, best, rates, is_told, threshold)

    def _past(self, grouping: _Grouping, code: int, less: _Grouping | None = None, part: int = 0) -> Floats:
        """Return volume, seen and expected of a place's history, less those of a part of it."""
        past = np.array([grouping.past_volume[code], grouping.past_seen[code], grouping.past_expected[code]])
        if less is not None:
            past = past - [less.past_volume[part], less.past_seen[part], less.past_expected[part]]
        found: Floats = np.maximum(past, 0.0)
        return found

    def _distance(self, rows: npt.NDArray[np.bool_], rates: Floats, variance: float, past: Floats) -> float:
        """Return how far rows are from what their rates and their history let one expect."""
        volume, seen, expected = (np.array([values[rows].sum()]) for values in (self._d, self._n, self._d * rates))
        known, known_seen, known_expected = past[:1], past[1:2], past[2:]
        levelled = _levelled((known, known_seen, known_expected), expected, volume)
        return float(_distances(levelled, seen, volume, known, variance)[0])

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
        self, groupings: Sequence[_Grouping], own: _Grouping, rows: npt.NDArray[np.bool_]
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
        matrix = np.zeros((places.shape[0], width))
        np.put_along_axis(matrix, places, 1.0, axis=1)
        matrix[:, 0] = 1.0
        # Members that are no places have no effect of their own.
        nowhere = [k + 1 for k, member in enumerate(itertools.chain(*self._members)) if member in NO_PLACE]
        matrix[:, nowhere] = 0.0
        ridge = np.full(width, _RIDGE)
        ridge[0] = 1e-6
        weights = np.zeros(width)
        weights[0] = _logit((good.sum() + 0.5) / (volume.sum() + 1.0))
        for _ in range(_ROUNDS):
            rate = _expit(matrix @ weights)
            slope = matrix.T @ (good - volume * rate) - ridge * weights
            curve = (matrix * (volume * rate * (1 - rate))[:, None]).T @ matrix + np.diag(ridge)
            step = np.linalg.solve(curve, slope)
            weights = weights + step
            if np.abs(step).max() < 1e-8:
                break

        def rates(codes: Sequence[Ints]) -> Floats:
            found: Floats = _expit(weights[0] + weights[design(codes)].sum(axis=1))
            return found

        return rates(self._past_codes), rates(self._codes)

    def _scattered(self, groupings: Sequence[_Grouping], past_rates: Floats) -> list[_Grouping]:
        """Give every grouping the scatter of its places: its own, levelled to that of all groupings of its depth.

        Successive weeks are compared, and the median is matched, so that faults in the history, and a level that moved
        there, do not blind the search.
        """
        steps = [self._steps(grouping, past_rates) for grouping in groupings]
        found = []
        for grouping, (gaps, chance) in zip(groupings, steps, strict=True):
            depth = len(grouping.names)
            alike = [step for other, step in zip(groupings, steps, strict=True) if len(other.names) == depth]
            pooled, pooled_chance = (np.concatenate(parts) for parts in zip(*alike, strict=True))
            usual = _levelled_scatter(pooled, pooled_chance, _USUAL_VARIANCE * depth)
            found.append(replace(grouping, variance=_levelled_scatter(gaps, chance, usual)))
        return found

    def _steps(self, grouping: _Grouping, past_rates: Floats) -> tuple[Floats, Floats]:
        """Return the squared steps of its places from week to week, and what chance makes of them."""
        weeks = int(self._weeks.max()) + 1
        if weeks < LEAST_WEEKS:
            return np.zeros(0), np.zeros(0)
        key, size = grouping.past_codes * weeks + self._weeks, grouping.count * weeks
        volume, seen, expected = (
            np.bincount(key, values, size).astype(float)
            for values in (self._past_d, self._past_n, past_rates * self._past_d)
        )
        gap = (_root(seen, volume) - _root(expected, volume)).reshape(-1, weeks)
        chance = (1 / (4 * volume + 2)).reshape(-1, weeks)
        enough = (volume >= LEAST_VOLUME).reshape(-1, weeks)
        asked = enough[:, 1:] & enough[:, :-1]
        return np.diff(gap)[asked] ** 2 / 2, (chance[:, 1:] + chance[:, :-1])[asked] / 2


def _score(grouping: _Grouping, distance: Floats) -> Floats:
    """Return what places speak for themselves; pairs are many more than members, and asked at the price of that."""
    found: Floats = distance**2 / 2 - (len(grouping.names) - 1) * np.log(max(int(grouping.is_asked.sum()), 1))
    return found


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


def _distances(expected: Floats, seen: Floats, volume: Floats, past_volume: Floats, variance: float) -> Floats:
    """Return how far counts are from what is expected, in standard deviations; both sides are uncertain."""
    chance = 1 / (4 * volume + 2) + 1 / (4 * past_volume + 2)
    found: Floats = (_root(seen, volume) - _root(expected, volume)) / np.sqrt(chance + variance)
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
