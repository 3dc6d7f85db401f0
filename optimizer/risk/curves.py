"""Stage-time curves: how long a stage lasts, learned with the lines still in it; small groups lean on large ones.

A curve is a discrete survival function on steps of `STEP_HOURS`. Hazards are counted as Kaplan and Meier do: in each
step the lines that left it over the lines that were still there, so that a line still waiting counts for as long as it
has waited (right-censoring). A group's hazard leans on its parent's with the weight of `LEAN` lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEP_HOURS: Final = 4.0
STEPS: Final = 270
"""45 days: beyond them a stage has not ended for any deadline that matters."""

LEAN: Final = 3.0
"""Lines of a parent group that weigh in a group's hazard (chosen on the sample company's first weeks)."""


def hazards(hours: Floats, ended: npt.NDArray[np.bool_], weights: Floats, parent: Floats | None = None) -> Floats:
    """Return the hazard of each step: the share of those still there at its start who leave in it.

    Args:
        hours: Time in the stage, until its end or until the observation stopped.
        ended: Whether the stage ended (false = still in it: censored).
        weights: Weight of each line.
        parent: Hazards to lean on; None for none (a step nobody reached has hazard 0).
    """
    step = np.clip(np.floor(hours / STEP_HOURS), 0, STEPS - 1).astype(np.int64)
    left = np.bincount(step[ended], weights=weights[ended], minlength=STEPS)
    gone = np.bincount(step, weights=weights, minlength=STEPS)
    there = weights.sum() - np.concatenate([[0.0], np.cumsum(gone)[:-1]])
    # Lines censored within a step were there for half of it on average.
    exposed = np.maximum(there - (gone - left) / 2, left)
    if parent is None:
        alone: Floats = np.divide(left, exposed, out=np.zeros(STEPS), where=exposed > 0)
        return alone
    leaning: Floats = (left + LEAN * parent) / (exposed + LEAN)
    return leaning


def survival(hazard: Floats) -> Floats:
    """Return the share still in the stage at the start of each step, and at the end of the last."""
    return np.concatenate([[1.0], np.cumprod(1.0 - hazard)])


def quantile(hazard: Floats, share: float) -> float:
    """Return the hours after which a share of lines has left the stage (inf: not within the horizon)."""
    curve = survival(hazard)
    if curve[-1] > 1.0 - share:
        return float("inf")
    after = int(np.argmax(curve <= 1.0 - share))
    before = curve[after - 1]
    return STEP_HOURS * float(after - (1.0 - share - curve[after]) / (before - curve[after]))


def in_turn(first: Floats, then: Floats) -> Floats:
    """Return the hazards of two stages that follow each other, independent of each other, as of one.

    The first ends within a step at its middle on average, as in `chance_within`.
    """
    ends, done = -np.diff(survival(first)), 1.0 - survival(then)
    by = np.convolve(ends, (done[:-1] + done[1:]) / 2)[:STEPS]
    there = 1.0 - np.concatenate([[0.0], by])
    left = np.divide(-np.diff(there), there[:-1], out=np.zeros(STEPS), where=there[:-1] > _NEARLY_ALL)
    return np.clip(left, 0.0, 1.0)


_NEARLY_ALL: Final = 1e-12
"""Share still there below which a step counts as reached by nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves of one stage for a hierarchy of groups.

    Attributes:
        levels: Per level, coarse to fine: key, row (place in `table`).
        table: Hazards, one row per group.
        counts: Lines behind each row.
    """

    levels: tuple[pl.DataFrame, ...]
    table: Floats
    counts: Ints

    def rows(self, keys: Sequence[pl.Series]) -> Ints:
        """Return for each line the row of the finest group that is known.

        Args:
            keys: Per level, coarse to fine, the key of each line.
        """
        found = np.zeros(len(keys[0]), dtype=np.int64)
        for level, of_lines in zip(self.levels, keys, strict=True):
            here = (
                pl.DataFrame({"key": of_lines})
                .join(level, on="key", how="left", maintain_order="left")["row"]
                .fill_null(-1)
                .to_numpy()
            )
            found = np.where(here >= 0, here, found)
        return found


def learn(
    hours: Floats, ended: npt.NDArray[np.bool_], weights: Floats, keys: Sequence[pl.Series], *, fewest: int = 15
) -> Curves:
    """Learn the curves of a stage.

    Args:
        hours: Time in the stage of each line.
        ended: Whether it ended.
        weights: Weight of each line.
        keys: Per level, coarse to fine, the group key of each line; the first level is one group.
        fewest: Lines below which a group has no curve of its own.
    """
    table: list[Floats] = []
    counts: list[int] = []
    levels: list[pl.DataFrame] = []
    parents = np.full(len(hours), -1, dtype=np.int64)
    for number, of_lines in enumerate(keys):
        coded = pl.DataFrame({"key": of_lines}).with_columns((pl.col("key").rank("dense") - 1).alias("place"))
        names, place = coded.unique("place").sort("place")["key"], coded["place"].cast(pl.Int64).to_numpy()
        sizes = np.bincount(place, minlength=len(names))
        order = np.argsort(place, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        known: list[tuple[str, int]] = []
        following = parents.copy()
        for group in np.flatnonzero((sizes >= fewest) | (number == 0)):
            members = order[bounds[group] : bounds[group + 1]]
            above = table[parents[members[0]]] if number else None
            table.append(hazards(hours[members], ended[members], weights[members], above))
            counts.append(len(members))
            known.append((names[int(group)], len(table) - 1))
            following[members] = len(table) - 1
        parents = following
        levels.append(pl.DataFrame(known, schema={"key": pl.String, "row": pl.Int64}, orient="row"))
    if not table:
        table, counts = [np.zeros(STEPS)], [0]
    return Curves(tuple(levels), np.vstack(table), np.array(counts, dtype=np.int64))


def chance_within(
    ages: Floats, slack: Floats, stage: Floats, rest: Floats | None, *, which: Ints, which_rest: Ints
) -> Floats:
    """Return the chance that the present stage and the rest end within the slack, given the age in the present stage.

    P = Σ_x P(stage ends in step a+x | still there at a) · P(rest ≤ slack − x), in steps; within a step the end is
    taken to be even.

    Args:
        ages: Hours in the present stage.
        slack: Hours to the deadline.
        stage: Hazards of the present stage, one row per group.
        rest: Hazards from the end of the present stage to the measured event; None when the stage ends in it.
        which: Row of `stage` of each line.
        which_rest: Row of `rest` of each line.
    """
    found = np.zeros(len(ages))
    age = np.clip(np.floor(ages / STEP_HOURS), 0, STEPS - 1).astype(np.int64)
    room = np.clip(slack / STEP_HOURS, 0.0, float(STEPS))
    pairs = which * (1 if rest is None else len(rest)) + which_rest
    for pair in np.unique(pairs):
        lines = np.flatnonzero(pairs == pair)
        hazard = stage[which[lines[0]]]
        curve = survival(hazard)
        after = None if rest is None else 1.0 - survival(rest[which_rest[lines[0]]])
        found[lines] = _within(age[lines], room[lines], curve, after)
    return found


def _within(age: Ints, room: Floats, curve: Floats, after: Floats | None) -> Floats:
    steps = np.arange(STEPS + 1)
    there = np.maximum(curve[age], 1e-12)
    if after is None:
        return np.clip(1.0 - np.interp(np.minimum(age + room, STEPS), steps, curve) / there, 0.0, 1.0)
    density = -np.diff(curve)
    offset = np.arange(STEPS)
    chance = np.zeros(len(age))
    reach = int(np.ceil(room.max(initial=0.0)))
    for ahead in range(min(reach, STEPS)):
        at = age + ahead
        inside = (at < STEPS) & (room > offset[ahead])
        if not inside.any():
            break
        left = np.maximum(room[inside] - ahead - 0.5, 0.0)
        chance[inside] += density[at[inside]] * np.interp(left, steps, after)
    return np.clip(chance / there, 0.0, 1.0)
