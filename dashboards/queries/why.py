"""Why a KPI moved: the rows of two periods, usually a week and those before it, handed to the search for drivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboards.drivers import Explanation, explain_change
from dashboards.errors import QuestionError
from dashboards.queries.dimensions import STORED
from dashboards.queries.frames import read
from dashboards.queries.kpis import HEADLINE, NO_INTERVAL
from dashboards.queries.periods import Week, joined
from dashboards.queries.restatements import CAUSES, Restated, restated_rate
from dashboards.queries.series import miss_causes
from storage.duck import Connection

USUAL_WEEKS: Final = 8

MISS_KPIS: Final = frozenset({"otif", "on_time", "in_full"})
"""KPIs whose misses have an accountable cause."""

_VERDICTS: Final = {
    "no_change": "That is no more than chance.",
    "everywhere": "All places moved alike: the cause lies outside these dimensions (a rule, a system, a SKU's stock).",
    "outside": "That is more than chance, but no place stands out: the cause lies outside these dimensions.",
    "drivers": "What stands out:",
}
_BESIDE: Final = "What stands out, beside a change that all places share (a rule, a system, a SKU's stock):"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a KPI moved.

    Attributes:
        kpi_name: The KPI.
        week: Week (or weeks) asked about.
        history: Weeks it is compared with.
        is_better_higher: Whether up is good; null where the catalogue does not say.
        explanation: The parts of the change.
        restated_before: What the current publication changed in the weeks before; null where nothing (or no headline).
        restated_now: The same for the week itself.
    """

    kpi_name: str
    week: Week
    history: Week
    is_better_higher: bool | None
    explanation: Explanation
    restated_before: Restated | None = None
    restated_now: Restated | None = None

    @property
    def history_words(self) -> str:
        """The weeks compared with: `the 8 weeks before`, or their names."""
        if self.history != weeks_before(self.week, self.history.weeks):
            return self.history.name
        return f"the {self.history.weeks} weeks before" if self.history.weeks > 1 else "the week before"

    def sentences(self) -> tuple[str, ...]:
        """Say it in words: the change, the verdict, what the parts add."""
        found = self.explanation
        change = found.now - found.before
        good = None if self.is_better_higher is None else (change > 0) == self.is_better_higher
        trend = "" if abs(change) < 0.0005 or good is None else ", better" if good else ", worse"
        first = (
            f"{self.kpi_name}: {found.before:.1%} in {self.history_words}, {found.now:.1%} "
            f"in {self.week.name} ({_points(change)}{trend})."
        )
        parts = [f"mix {_points(found.mix)}"]
        parts += [f"{driver.words} {_points(driver.effect)}" for driver in found.drivers]
        parts += [f"shared by all {_points(found.shared)}"] if found.shared else []
        total = f"{_points(change)} = " + " · ".join([*parts, f"chance {_points(found.chance)}"])
        verdict = _BESIDE if found.drivers and found.shared else _VERDICTS[found.verdict]
        return first, verdict, total

    def restatements(self) -> tuple[str, ...]:
        """Say what was published before and what changed it since; the parts add up."""
        told = []
        for name, restated in (
            (self.history_words, self.restated_before),
            (self.week.name, self.restated_now),
        ):
            if restated is None:
                continue
            parts = " · ".join(f"{CAUSES[cause]} {_points(effect, 2)}" for cause, effect in restated.effects)
            told.append(
                f"Published before for {name}: {restated.published:.2%}; since then {parts}, so that it is "
                f"{restated.now:.2%} now."
            )
        return tuple(told)


def _points(value: float, digits: int = 1) -> str:
    return f"{value * 100:+z.{digits}f} pp".replace("-", "\N{MINUS SIGN}")


def weeks_before(week: Week, weeks: int = USUAL_WEEKS) -> Week:
    """Return the weeks right before a week, as one period."""
    return joined(week.back(weeks), week.back(1))


def why_moved(
    connection: Connection, kpi_id: str, *, week: Week, history: Week | None = None, lens: str = HEADLINE
) -> Why:
    """Explain a week's change of a ratio against other weeks.

    Args:
        connection: Open publication.
        kpi_id: A KPI with unit ratio.
        week: Week (or weeks) asked about.
        history: Weeks to compare with, all of them before; null for the eight before.
        lens: `headline`, or a service profile id.

    Raises:
        QuestionError: Unknown KPI or lens, no ratio, nothing was observed in one of the periods, or they overlap.
    """
    history = history or weeks_before(week)
    if history.end >= week.start:
        message = f"{week.name} is compared with weeks before it; {history.name} is not before it"
        raise QuestionError(message)
    catalogue = read(
        connection,
        "select kpi_name, unit, higher_is_better from metrics.kpi_catalogue where kpi_id = $kpi",
        {"kpi": kpi_id},
    )
    if catalogue.is_empty():
        message = f"unknown KPI {kpi_id}; `otif kpis --format csv` lists them"
        raise QuestionError(message)
    kpi = catalogue.row(0, named=True)
    if kpi["unit"] != "ratio":
        message = f"{kpi_id} is measured in {kpi['unit']}; only ratios can be split into their places"
        raise QuestionError(message)
    if kpi_id in NO_INTERVAL:
        message = (
            f"{kpi_id} is a share of units or money: a hundred units of one line are one chance, not a hundred. "
            "Ask a KPI of orders or lines, e.g. otif or line_fill"
        )
        raise QuestionError(message)
    rows = _rows(connection, kpi_id, week=week, history=history, lens=lens)
    before, now = (rows.filter(pl.col("is_now") == is_now) for is_now in (False, True))
    for period, frame in ((history, before), (week, now)):
        if not frame["denominator"].sum():
            message = f"{kpi_id} under lens {lens}: nothing was observed in {period.name}"
            raise QuestionError(message)
    explanation = explain_change(before, now, STORED)
    restated = [
        restated_rate(
            connection,
            kpi_id,
            numerator=float(frame["numerator"].sum()),
            denominator=float(frame["denominator"].sum()),
            first=period.start,
            last=period.end,
        )
        if lens == HEADLINE
        else None
        for frame, period in ((before, history), (now, week))
    ]
    return Why(kpi["kpi_name"], week, history, kpi["higher_is_better"], explanation, restated[0], restated[1])


def _rows(connection: Connection, kpi_id: str, *, week: Week, history: Week, lens: str) -> pl.DataFrame:
    """Return sums by week and place."""
    return read(
        connection,
        f"""
        select
            {", ".join(STORED)},
            cast(floor(date_diff('day', cast($first as date), period_date) / 7) as integer) as week,
            period_date >= $start as is_now,
            greatest(least(sum(numerator), sum(denominator)), 0) as numerator,
            sum(denominator) as denominator
        from metrics.kpi_values
        where
            kpi_id = $kpi and (profile_id = '' or ($lens = '{HEADLINE}' and is_headline) or profile_id = $lens)
            and (period_date between $first and $last or period_date between $start and $end)
        group by all
        having sum(denominator) > 0
        """,
        {
            "kpi": kpi_id,
            "lens": lens,
            "first": history.start,
            "last": history.end,
            "start": week.start,
            "end": week.end,
        },
    )


def causes_moved(
    connection: Connection, kpi_id: str, *, week: Week, history: Week | None = None, lens: str = HEADLINE
) -> pl.DataFrame:
    """Return missed orders by accountable cause in a week and in the weeks compared with, what grew most first.

    Causes are judged by the headline profile; for other lenses and KPIs the answer is empty.

    Returns:
        miss_cause, orders (then), usual (in so many weeks of the history, on average).
    """
    history = history or weeks_before(week)
    earlier = miss_causes(connection, date_from=history.start, date_to=history.end)
    now = miss_causes(connection, date_from=week.start, date_to=week.end)
    both = now.select("miss_cause", "orders").join(
        earlier.select("miss_cause", usual=pl.col("orders") * week.weeks / history.weeks),
        on="miss_cause",
        how="full",
        coalesce=True,
    )
    asked = kpi_id in MISS_KPIS and lens == HEADLINE
    return (
        both.with_columns(pl.col("orders", "usual").fill_null(0))
        .filter(asked)
        .sort(pl.col("orders") - pl.col("usual"), "miss_cause", descending=[True, False])
    )


def drivers_table(why: Why) -> pl.DataFrame:
    """Return the drivers, one row each.

    Returns:
        driver, also, volume, share, before, expected, now, effect (of the whole rate), distance (standard deviations).
    """
    return pl.DataFrame(
        [
            {
                "driver": driver.words,
                "also": ", ".join(" and ".join(member for _, member in place) for place in driver.same_as),
                "volume": driver.volume,
                "share": driver.share,
                "before": driver.rate_before,
                "expected": driver.rate_expected,
                "now": driver.rate_now,
                "effect": driver.effect,
                "distance": driver.distance,
            }
            for driver in why.explanation.drivers
        ],
        schema={
            "driver": pl.String(), "also": pl.String(), "volume": pl.Float64(), "share": pl.Float64(),
            "before": pl.Float64(), "expected": pl.Float64(), "now": pl.Float64(), "effect": pl.Float64(),
            "distance": pl.Float64(),
        },
    )  # fmt: skip
