"""The reason for a line's risk in words, and the next step, with the probability once it is done.

A step's effect is asked of the same curves: the line as it would stand had the step been done now. Only the one step
that lies ahead of the line is offered; what nobody here can hasten (a parcel under way) has none.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from optimizer.risk.calibrate import FLOOR
from optimizer.risk.history import STAGES
from optimizer.risk.model import RiskModel, flags

HOLD: Final = "Decide on the hold"
STOCK: Final = "Find stock or move units to it"
PLAN: Final = "Plan its release for the hour it may leave"
STEPS: Final = {
    "approved": "Have it approved now",
    "released": "Release it to a node now",
    "packed": "Have it picked and packed now",
    "accepted": "Have it handed over to the carrier now",
}
"""What can be done next, by the stage it leads to."""

NO_STEP: Final = "Ask the carrier for a trace and tell the customer"


def act(model: RiskModel, predicted: pl.DataFrame) -> pl.DataFrame:
    """Add reasons and next steps to predicted lines.

    Args:
        model: The model that predicted them.
        predicted: From `RiskModel.predict`.

    Returns:
        The lines with `reason`, `action` and `probability_after` (null: nothing is known to help). What the
        step is worth is the difference of the probabilities times what a miss costs.
    """
    held, short = flags(predicted)
    lines = predicted.with_columns(pl.Series("_held", held), pl.Series("_short", short))
    ahead = _ahead(model)
    after = _chance_after(model, _after(lines.drop(*_SAID), ahead))
    under_way = pl.col("stage") >= _ACCEPTED
    helps = ~under_way & (pl.col("_after") < pl.col("probability"))
    return (
        lines.with_columns(after.alias("_after"))
        .with_columns(
            _reason().alias("reason"),
            _step(ahead).alias("action"),
            pl.when(helps).then("_after").alias("probability_after"),
        )
        .drop("_held", "_short", "_after")
    )


_SAID: Final = (
    "age_hours", "still_there", "chance", "early", "typical_hours", "slow_hours", "lines_behind", "probability",
)  # fmt: skip


_ACCEPTED: Final = STAGES.index("accepted")


def _ahead(model: RiskModel) -> dict[int, int]:
    """Return stage → the next stage that the company's systems tell of."""
    told = sorted({*model.times.stage, _ACCEPTED})
    return {stage: next((later for later in told if later > stage), stage) for stage in range(len(STAGES))}


def _after(lines: pl.DataFrame, ahead: dict[int, int]) -> pl.DataFrame:
    """Return the lines as they would stand had the next step been done now."""
    stage = pl.col("stage")
    # A decided hold and found stock let the line wait for its release like any other; the rest go one stage on.
    stays = pl.col("_held") | pl.col("_short")
    return lines.with_columns(
        pl.when(stays).then(stage).otherwise(stage.replace_strict(ahead)).cast(pl.Int8).alias("stage"),
        pl.when(stage >= _ACCEPTED)
        .then("entered_at")
        .otherwise(pl.max_horizontal("at", "ship_window_start_at"))
        .alias("entered_at"),
        pl.lit(value=False).alias("held"),
        pl.lit(None, pl.Float64).alias("level"),
    )


def _chance_after(model: RiskModel, lines: pl.DataFrame) -> pl.Series:
    done = (pl.col("measured_event") == "accepted") & (pl.col("stage") == _ACCEPTED)
    early = (pl.col("window_start_at") > pl.col("at")).fill_null(value=False)
    return model.predict(lines).select(
        pl.when(done).then(pl.when(early).then(1 - FLOOR).otherwise(FLOOR)).otherwise("probability")
    ).to_series()  # fmt: skip


def _step(ahead: dict[int, int]) -> pl.Expr:
    steps = {stage: NO_STEP if stage >= _ACCEPTED else STEPS[STAGES[later]] for stage, later in ahead.items()}
    closed = (pl.col("ship_window_start_at") > pl.col("at")) & (pl.col("stage") < STAGES.index("released"))
    steps_now = pl.when(closed).then(pl.lit(PLAN)).otherwise(pl.col("stage").replace_strict(steps))
    found = pl.when("_short").then(pl.lit(STOCK)).otherwise(steps_now)
    return pl.when("_held").then(pl.lit(HOLD)).otherwise(found)


def _reason() -> pl.Expr:
    slack = (pl.col("window_end_at") - pl.col("at")).dt.total_seconds() / 3600
    opens = (pl.col("ship_window_start_at") - pl.col("at")).dt.total_seconds() / 3600
    return (
        pl.when("_held")
        .then(pl.lit("It is on hold."))
        .when("_short")
        .then(
            pl.format(
                "No free stock: {} units of its SKU wait up to this line, {} are there.",
                _units(pl.col("queue")),
                _units((pl.col("level") - pl.col("busy")).clip(lower_bound=0.0)),
            )
        )
        .when((opens > 0) & (pl.col("age_hours") <= 0))
        .then(pl.format("It may not leave for another {}; {} remain to the deadline.", words(opens), words(slack)))
        .when(pl.col("slow_hours").is_finite() & (pl.col("age_hours") > pl.col("slow_hours")))
        .then(
            pl.format(
                "It has been in this stage for {}; nine of ten are through within {}.",
                words(pl.col("age_hours")),
                words(pl.col("slow_hours")),
            )
        )
        .when(pl.col("probability") >= _LIKELY)
        .then(pl.format("{} remain to the deadline; lines at this point often need longer.", words(slack)))
        .otherwise(pl.lit("Within its usual times."))
    )


_LIKELY: Final = 0.2
"""Probability from which a line without a louder reason is said to be short of time."""


def words(hours: pl.Expr) -> pl.Expr:
    """Write hours for people: hours below two days, else days."""
    return (
        pl.when(hours < 48)
        .then(pl.format("{} h", hours.round(0).cast(pl.Int64)))
        .otherwise(pl.format("{} days", (hours / 24).round(1)))
    )


def _units(value: pl.Expr) -> pl.Expr:
    return value.round(0).cast(pl.Int64)
