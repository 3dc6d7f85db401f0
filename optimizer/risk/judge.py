"""How good the predictions are: weeks that were not learned from, judged against always saying the usual share.

Each held-out week is predicted with curves and calibration from before it, as the product would have on its days.
Errors are stored as sums, so that any cut can be added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from optimizer.risk.curves import Floats
from optimizer.risk.model import Learner, decided, probabilities

JUDGED_WEEKS: Final = 6
BINS: Final = 10

HORIZONS: Final = ((1, "last day"), (3, "2 to 3 days"), (7, "4 to 7 days"), (10_000, "later"))
"""Days to the window's end, up to, and how a horizon is called."""

PRIOR: Final = 20.0
"""Lines of the lens that lean on a channel's share in the stronger base rate."""


def judge(learner: Learner, until: datetime, *, weeks: int = JUDGED_WEEKS) -> pl.DataFrame:
    """Predict the days of held-out weeks and set the outcomes beside.

    Args:
        learner: The history; outcomes up to `until` are known.
        until: End of the last held-out week.
        weeks: Held-out weeks; those before which the history is too thin are left out.

    Returns:
        One row per day, open line and lens: at, unit, profile_id, channel, horizon, stage, `probability`, `by_curves`,
        `base` (share missed among the lens's lines decided before the week), `base_channel` (the same per lens and
        channel), `is_missed`, `is_headline` (the line's own lens). Empty when no week can be judged.
    """
    parts = [
        _judged(learner, start, until)
        for start in (until - timedelta(days=7 * back) for back in range(weeks, 0, -1))
        if not learner.too_thin(start)
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=JUDGED)


JUDGED: Final = pl.Schema(
    {
        "at": pl.Datetime("us"), "unit": pl.Int64(), "profile_id": pl.String(), "channel": pl.String(),
        "horizon": pl.String(), "stage": pl.Int8(), "probability": pl.Float64(), "by_curves": pl.Float64(),
        "base": pl.Float64(), "base_channel": pl.Float64(), "is_missed": pl.Boolean(), "is_headline": pl.Boolean(),
    }
)  # fmt: skip


def _judged(learner: Learner, start: datetime, until: datetime) -> pl.DataFrame:
    rows = decided(learner.week(start).rows, until)
    lenses = learner.history.lenses
    before = learner.history.units.filter((pl.col("window_end_at") <= start) & pl.col("is_missed").is_not_null()).join(
        lenses, on="unit"
    )
    overall = float(before["is_missed"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    by_lens = before.group_by("profile_id").agg(pl.col("is_missed").cast(pl.Float64).mean().alias("base"))
    by_channel = before.group_by("profile_id", "channel").agg(
        pl.col("is_missed").cast(pl.Float64).sum().alias("_bad"), pl.len().alias("_all")
    )
    return (
        rows.with_columns(
            probabilities(rows, learner.calibration(start)),
            (1.0 - (pl.col("chance") - pl.col("early"))).clip(0.0, 1.0).alias("by_curves"),
            _horizon().alias("horizon"),
        )
        .filter(pl.col("probability").is_not_nan())
        .join(lenses, on="unit")
        .join(by_lens, on="profile_id", how="left")
        .join(by_channel, on=["profile_id", "channel"], how="left")
        .with_columns(pl.col("base").fill_null(overall))
        .with_columns(
            ((pl.col("_bad").fill_null(0.0) + PRIOR * pl.col("base")) / (pl.col("_all").fill_null(0) + PRIOR)).alias(
                "base_channel"
            )
        )
        .select(pl.col(name).cast(kind) for name, kind in JUDGED.items())
        .sort("at", "unit", "profile_id")
    )


def _horizon() -> pl.Expr:
    days = (pl.col("window_end_at") - pl.col("at")).dt.total_seconds() / 86_400
    found = pl.lit(HORIZONS[-1][1])
    for most, name in reversed(HORIZONS[:-1]):
        found = pl.when(days <= most).then(pl.lit(name)).otherwise(found)
    return found


def scores(judged: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Add up errors.

    Args:
        judged: From `judge`.
        by: Columns to cut by; none for one row over all.

    Returns:
        Per cut: rows, misses, `squared_error`, `squared_error_base`, `squared_error_channel` (sums: over rows they are
        Brier scores), `calibration_gap` (Σ over ten bins of equal size of |Σ probability − misses|: over rows it is the
        expected calibration error).
    """
    groups = judged.partition_by(by, as_dict=True) if by else {(): judged}
    found = []
    for key, part in groups.items():
        said, outcome = part["probability"].to_numpy(), part["is_missed"].cast(pl.Float64).to_numpy()
        found.append(
            dict(zip(by, key, strict=True))
            | {
                "rows": len(part),
                "misses": int(outcome.sum()),
                "squared_error": float(((said - outcome) ** 2).sum()),
                "squared_error_base": float(((part["base"].to_numpy() - outcome) ** 2).sum()),
                "squared_error_channel": float(((part["base_channel"].to_numpy() - outcome) ** 2).sum()),
                "calibration_gap": _gap(said, outcome),
            }
        )
    return pl.DataFrame(found, schema=dict.fromkeys(by, pl.String) | dict(SCORES)).sort(list(by) or ["rows"])


SCORES: Final = pl.Schema(
    {
        "rows": pl.Int64(), "misses": pl.Int64(), "squared_error": pl.Float64(), "squared_error_base": pl.Float64(),
        "squared_error_channel": pl.Float64(), "calibration_gap": pl.Float64(),
    }
)  # fmt: skip


def reliability(judged: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Set what was said against what happened, in bins of equal size.

    Returns:
        Per cut and bin (1 = the least likely): rows, `said` (sum of probabilities), misses.
    """
    groups = judged.partition_by(by, as_dict=True) if by else {(): judged}
    found = []
    for key, part in groups.items():
        said, outcome = part["probability"].to_numpy(), part["is_missed"].cast(pl.Float64).to_numpy()
        for number, members in enumerate(_bins(said), start=1):
            found.append((*key, number, len(members), float(said[members].sum()), int(outcome[members].sum())))
    columns = dict.fromkeys(by, pl.String) | {
        "bin": pl.Int64, "rows": pl.Int64, "said": pl.Float64, "misses": pl.Int64
    }  # fmt: skip
    return pl.DataFrame(found, schema=columns, orient="row").sort([*by, "bin"])


def _bins(said: Floats) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    return [part for part in np.array_split(np.argsort(said, kind="stable"), BINS) if len(part)]


def _gap(said: Floats, outcome: Floats) -> float:
    return float(sum(abs(float((said[part] - outcome[part]).sum())) for part in _bins(said)))
