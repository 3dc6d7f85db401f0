"""Stage times of a history: which lines share a curve, what has been learned, and what it says of open lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from optimizer.risk.curves import STEP_HOURS, Curves, Floats, Ints, chance_within, in_turn, learn, quantile, survival
from optimizer.risk.history import STAGES, History

HALF_LIFE_DAYS: Final = 28.0
"""Days after which a line's stage time counts half: nodes and carriers change within a month or two."""

KEYS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "captured": ((), ("event",), ("event", "channel"), ("event", "channel", "customer")),
    "approved": ((), ("event",), ("event", "channel"), ("event", "channel", "place")),
    "released": (
        (), ("event",), ("event", "place"), ("event", "place", "channel"), ("event", "place", "channel", "day"),
    ),
    "packed": ((), ("event",), ("event", "place"), ("event", "place", "carrier"), ("event", "place", "carrier", "day")),
    "accepted": (
        (), ("event",), ("event", "carrier"), ("event", "carrier", "lane"), ("event", "carrier", "lane", "place"),
        ("event", "carrier", "lane", "place", "day"),
    ),
}  # fmt: skip
"""Groups of a stage's curve, coarse to fine."""

REST_KEYS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "captured": ((), ("event",), ("event", "channel"), ("event", "channel", "lane")),
    "approved": ((), ("event",), ("event", "channel"), ("event", "channel", "lane")),
    "released": (
        (), ("event",), ("event", "channel"), ("event", "channel", "lane"), ("event", "channel", "lane", "place"),
    ),
    "packed": (
        (), ("event",), ("event", "carrier"), ("event", "carrier", "lane"), ("event", "carrier", "lane", "place"),
    ),
}  # fmt: skip
"""Groups of the curve from a stage's end to the measured event."""


_ACCEPTED: Final = STAGES.index("accepted")


@dataclass(frozen=True, slots=True, eq=False)
class StageTimes:
    """Curves per stage: how long it lasts, and how long it is from its end to the measured event, or to the hand-over.

    A stage that always ends with the hand-over has no curve to it.
    """

    stage: dict[int, Curves]
    rest: dict[int, Curves]
    to_carrier: dict[int, Curves]

    def of(self, rows: pl.DataFrame, zone: str, *, by_service: bool = False) -> pl.DataFrame:
        """Say what the curves say of open lines.

        Args:
            rows: From `snapshots`.
            zone: Zone of weekdays.
            by_service: The way from the hand-over is that of each row's carrier and service, whichever comes to carry
                lines like it.

        Returns:
            Per row, in order: `age_hours`; `still_there` (share of lines that stay longer than its age); `chance` (to
            reach the measured event by the window's end); `early` (before its start, 0 where early is no miss);
            `typical_hours`, `slow_hours` (median and p90 of the stage in its group); `lines_behind` them.
        """
        rows = with_keys(rows, zone)
        size = len(rows)
        out = {
            name: np.zeros(size)
            for name in ("age_hours", "still_there", "chance", "early", "typical_hours", "slow_hours", "lines_behind")
        }
        stage = rows["stage"].to_numpy()
        age, slack = _hours(rows, "entered_at", "at"), _hours(rows, "at", "window_end_at")
        to_start = np.nan_to_num(_hours(rows, "at", "window_start_at"), nan=0.0)
        # Before its time to start a line has age 0 and less room.
        waits = np.maximum(-age, 0.0)
        out["age_hours"] = np.maximum(age, 0.0)
        for number in np.unique(stage):
            lines = np.flatnonzero(stage == number)
            part = rows[lines.tolist()]
            curves = self.stage.get(int(number))
            if curves is None:
                out["still_there"][lines] = 1.0
                out["chance"][lines] = np.nan
                continue
            which = curves.rows(_keys(part, KEYS[STAGES[number]]))
            table, which_rest = self._onward(int(number), part, by_service=by_service)
            ages = out["age_hours"][lines]
            for name, room in (("chance", slack), ("early", to_start)):
                out[name][lines] = chance_within(
                    ages, np.maximum(room[lines] - waits[lines], 0.0), curves.table, table,
                    which=which, which_rest=which_rest,
                )  # fmt: skip
            for group in np.unique(which):
                mine = which == group
                hazard = curves.table[group]
                curve = survival(hazard)
                out["still_there"][lines[mine]] = np.interp(ages[mine] / STEP_HOURS, np.arange(len(curve)), curve)
                out["typical_hours"][lines[mine]] = quantile(hazard, 0.5)
                out["slow_hours"][lines[mine]] = quantile(hazard, 0.9)
                out["lines_behind"][lines[mine]] = curves.counts[group]
        return pl.DataFrame(out)

    def _onward(self, number: int, part: pl.DataFrame, *, by_service: bool) -> tuple[Floats | None, Ints]:
        """Return hazards from a stage's end to the measured event, and the row of each line."""
        transit = self.stage.get(_ACCEPTED)
        if by_service and transit is not None and number < _ACCEPTED:
            # Nobody knows yet on which weekday it will be handed over.
            unsaid = part.with_columns(pl.lit(None, pl.String).alias("k_day"))
            which = transit.rows(_keys(unsaid, KEYS["accepted"]))
            before = self.to_carrier.get(number)
            if before is None:
                return transit.table, which
            pairs = np.column_stack([before.rows(_keys(part, REST_KEYS[STAGES[number]])), which])
            kinds, found = np.unique(pairs, axis=0, return_inverse=True)
            return np.vstack([in_turn(before.table[a], transit.table[b]) for a, b in kinds]), found.ravel()
        rest = self.rest.get(number)
        if rest is None:
            return None, np.zeros(len(part), dtype=np.int64)
        return rest.table, rest.rows(_keys(part, REST_KEYS[STAGES[number]]))


def learn_stages(history: History, passed: pl.DataFrame, until: datetime) -> StageTimes:
    """Learn all curves from what was known at an instant; lines still in a stage count as censored there."""
    units = history.units.join(passed, on="unit").filter(pl.col("said_at") <= until)
    now = pl.lit(until, pl.Datetime("us"))
    measured = pl.when(pl.col("measured_known") <= now).then("measured_at")
    stage: dict[int, Curves] = {}
    rest: dict[int, Curves] = {}
    to_carrier: dict[int, Curves] = {}
    for number, milestone in enumerate(STAGES):
        later = [
            pl.when(pl.col(f"{name}_known") <= now).then(f"{name}_at") for name in STAGES[number + 1 :]
        ] + [measured]  # fmt: skip
        entered = pl.max_horizontal(
            f"{milestone}_at", *(["ship_window_start_at"] if number < STAGES.index("released") else [])
        )
        spells = (
            units.filter(pl.col(f"{milestone}_known") <= now)
            .with_columns(
                entered.alias("entered_at"),
                pl.min_horizontal(*later).alias("left_at"),
                measured.alias("done_at"),
                pl.when(pl.col("accepted_known") <= now).then("accepted_at").alias("handed_at"),
                ((pl.col("lost_known") <= now).fill_null(value=False)).alias("is_lost"),
                now.alias("at"),
            )
            .filter(pl.col("entered_at") <= now)
        )
        # A line that is measured as soon as it is handed over has no stage after that.
        spells = spells.filter(~((pl.lit(milestone) == pl.col("measured_event")).fill_null(value=False)))
        if spells.is_empty():
            continue
        spells = with_keys(spells, history.zone)
        stage[number] = _curves(spells, "entered_at", "left_at", KEYS[milestone], until)
        if milestone in REST_KEYS:
            onward = spells.filter(pl.col("left_at").is_not_null())
            if not onward.is_empty():
                rest[number] = _curves(onward, "left_at", "done_at", REST_KEYS[milestone], until)
            if (onward["handed_at"] > onward["left_at"]).any():
                to_carrier[number] = _curves(onward, "left_at", "handed_at", REST_KEYS[milestone], until)
    return StageTimes(stage, rest, to_carrier)


def _curves(spells: pl.DataFrame, start: str, end: str, levels: tuple[tuple[str, ...], ...], until: datetime) -> Curves:
    now = pl.lit(until, pl.Datetime("us"))
    frame = spells.with_columns(
        pl.when(pl.col(end).is_not_null())
        .then((pl.col(end) - pl.col(start)).dt.total_seconds())
        .when(pl.col("is_lost"))
        .then(10.0**9)
        .otherwise((now - pl.col(start)).dt.total_seconds())
        .truediv(3600)
        .clip(lower_bound=0.0)
        .alias("_hours"),
        ((now - pl.col(start)).dt.total_seconds() / 86_400).alias("_ago"),
    )
    hours = frame["_hours"].to_numpy()
    ended = frame[end].is_not_null().to_numpy()
    weights = 0.5 ** (np.maximum(frame["_ago"].to_numpy(), 0.0) / HALF_LIFE_DAYS)
    return learn(hours, ended, weights, _keys(frame, levels))


def with_keys(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Add the texts that groups are made of."""
    weekday = pl.col("entered_at").dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.weekday()
    return rows.with_columns(
        pl.when(pl.col("measured_event") == "accepted")
        .then(pl.lit("accepted"))
        .otherwise(pl.lit("there"))
        .alias("k_event"),
        pl.col("channel").alias("k_channel"),
        pl.col("customer_id").fill_null("").alias("k_customer"),
        pl.coalesce("node_id", "seller_id").fill_null("").alias("k_place"),
        pl.format("{} {}", pl.col("carrier").fill_null(""), pl.col("service").fill_null("")).alias("k_carrier"),
        pl.col("lane_zone").fill_null("").alias("k_lane"),
        weekday.cast(pl.String).alias("k_day"),
    )  # fmt: skip


def _keys(rows: pl.DataFrame, levels: tuple[tuple[str, ...], ...]) -> list[pl.Series]:
    return [
        rows.select(pl.concat_str([f"k_{name}" for name in level], separator="\x1f").alias("key")).to_series()
        if level
        else pl.Series("key", [""] * len(rows), dtype=pl.String)
        for level in levels
    ]


def _hours(rows: pl.DataFrame, start: str, end: str) -> Floats:
    spans = rows.select((pl.col(end) - pl.col(start)).dt.total_microseconds().cast(pl.Float64) / 3.6e9)
    hours: Floats = spans.to_series().to_numpy()
    return hours
