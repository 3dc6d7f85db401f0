"""The model: stage-time curves and their calibration on later days; learned from scratch each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.risk.calibrate import Calibration, fit_calibration, log_odds
from optimizer.risk.curves import Floats
from optimizer.risk.history import STAGES, History, passings
from optimizer.risk.snapshots import snapshots
from optimizer.risk.stages import StageTimes, learn_stages

Flags = npt.NDArray[np.bool_]

CALIBRATE_WEEKS: Final = 4
"""Weeks before the present whose outcomes calibrate: of all windows that ended in them."""

EARLIER_WEEKS: Final = 2
"""Weeks before these in which their lines were seen too: who looks only at lines seen lately sees few from far off."""

WARM_UP_DAYS: Final = 28
"""Days of history before the first calibration week: the curves need something to be learned from."""

FEWEST_LINES: Final = 200
FEWEST_MISSES: Final = 30
"""Decided lines, and misses among them, below which nothing is predicted."""


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """The open lines of a week's days, seen with curves learned at its start.

    Attributes:
        start: First instant.
        rows: From `snapshots`, with what the curves say of them (`StageTimes.of`).
    """

    start: datetime
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class RiskModel:
    """A fitted model.

    Attributes:
        until: What it knows.
        times: Stage-time curves.
        calibration: From the curves' chance to a probability.
        zone: Zone of weekdays.
    """

    until: datetime
    times: StageTimes
    calibration: Calibration
    zone: str

    def predict(self, rows: pl.DataFrame, *, by_service: bool = False) -> pl.DataFrame:
        """Return the rows with what the curves say of them and `probability` of a miss.

        Args:
            rows: From `snapshots`.
            by_service: See `StageTimes.of`.

        Returns:
            The rows; `probability` is null where no line has gone through the stage yet.
        """
        said = rows.hstack(self.times.of(rows, self.zone, by_service=by_service))
        return said.with_columns(probabilities(said, self.calibration).fill_nan(None))


class Learner:
    """Learns weeks of a history once and hands them to fits and to judgement."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.passed = passings(history)
        self._weeks: dict[datetime, Week] = {}

    def too_thin(self, until: datetime) -> str:
        """Return why the history up to an instant is too thin to predict from; empty = it is not."""
        units = self.history.units
        decided = units.filter((pl.col("window_end_at") <= until) & pl.col("is_missed").is_not_null())
        misses = int(decided["is_missed"].sum())
        if len(decided) < FEWEST_LINES or misses < FEWEST_MISSES:
            return (
                f"{len(decided)} lines whose window has ended, {misses} of them missed; a prediction needs "
                f"{FEWEST_LINES} and {FEWEST_MISSES}"
            )
        have, need = (until - _first(units)).days, WARM_UP_DAYS + 7 * CALIBRATE_WEEKS
        return "" if have >= need else f"{have} days of history; a prediction needs {need}"

    def week(self, start: datetime) -> Week:
        """Return the open lines of the seven days from an instant, seen with curves learned at it."""
        if start not in self._weeks:
            days = [start + timedelta(days=number) for number in range(7)]
            rows = snapshots(self.history, self.passed, days)
            times = learn_stages(self.history, self.passed, start)
            self._weeks[start] = Week(start, rows.hstack(times.of(rows, self.history.zone)))
        return self._weeks[start]

    def calibration(self, until: datetime) -> Calibration:
        """Learn the calibration from the lines whose window ended in the weeks before an instant."""
        starts = [until - timedelta(days=7 * back) for back in range(CALIBRATE_WEEKS + EARLIER_WEEKS, 0, -1)]
        seen = pl.concat([self.week(start).rows for start in starts])
        rows = decided(seen, until).filter(pl.col("window_end_at") > until - timedelta(days=7 * CALIBRATE_WEEKS))
        return fit_calibration(miss_chance(rows), situations(rows), rows["is_missed"].cast(pl.Float64).to_numpy())

    def model(self, until: datetime) -> RiskModel:
        """Fit on what was known at an instant."""
        times = learn_stages(self.history, self.passed, until)
        return RiskModel(until, times, self.calibration(until), self.history.zone)

    def open_lines(self, at: datetime) -> pl.DataFrame:
        """Return the open lines of an instant (see `snapshots`)."""
        return snapshots(self.history, self.passed, [at])


def _first(units: pl.DataFrame) -> datetime:
    first = units["captured_at"].min()
    if not isinstance(first, datetime):
        message = "a history without lines has no first day; ask `too_thin` first"
        raise TypeError(message)
    return first


def decided(rows: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Return the rows whose outcome was known at an instant."""
    return rows.filter((pl.col("window_end_at") <= until) & pl.col("is_missed").is_not_null())


def probabilities(rows: pl.DataFrame, calibration: Calibration) -> pl.Series:
    """Return the calibrated probability of a miss of rows that carry what the curves say."""
    return pl.Series("probability", calibration(miss_chance(rows), situations(rows)))


def miss_chance(rows: pl.DataFrame) -> Floats:
    """Return the curves' chance of a miss: not inside the window (NaN where there is no curve)."""
    inside = rows["chance"].to_numpy() - rows["early"].to_numpy()
    missed: Floats = np.clip(1.0 - inside, 0.0, 1.0)
    return missed


def situations(rows: pl.DataFrame) -> Floats:
    """Return what calibration looks at beside the curves.

    On hold; no stock behind it; judged by the hand-over; judged by the arrival; weeks to the deadline (at most three)
    of a line that is not released yet, alone and times the log-odds of its chance: what is far off is less certain.
    """
    held, short = flags(rows)
    weeks = (pl.col("window_end_at") - pl.col("at")).dt.total_seconds() / (7 * 86_400)
    told = rows.select(
        (pl.col("measured_event") == "accepted").cast(pl.Float64).alias("handed"),
        (pl.col("measured_event") == "arrived").cast(pl.Float64).alias("arrived"),
        pl.when(pl.col("stage") < STAGES.index("released")).then(weeks.clip(0.0, 3.0)).otherwise(0.0).alias("far"),
    )
    doubt = told["far"].to_numpy() * np.nan_to_num(log_odds(miss_chance(rows)))
    return np.column_stack([held, short, told.to_numpy(), doubt])


def flags(rows: pl.DataFrame) -> tuple[Flags, Flags]:
    """Return whether lines are on hold, and whether they wait for stock that is not there."""
    waits = pl.col("stage") < STAGES.index("released")
    found = rows.select(
        (pl.col("held") & waits).fill_null(value=False).alias("held"),
        (waits & (pl.col("level") - pl.col("busy") < pl.col("queue"))).fill_null(value=False).alias("short"),
    )
    return found["held"].to_numpy(), found["short"].to_numpy()
