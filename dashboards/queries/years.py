"""This year against the year before, over days that can be compared, and the names of fiscal periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from dashboards.errors import QuestionError
from dashboards.queries.frames import has_table, read
from dashboards.queries.kpis import HEADLINE, kpi_table
from dashboards.queries.periods import FISCAL_GRAINS
from storage.duck import Connection

_LETTERS: Final = {"fiscal_month": "M", "fiscal_quarter": "Q"}


def year_on_year(
    connection: Connection,
    *,
    kpis: Sequence[str] = (),
    by: Sequence[str] = (),
    grain: str | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    lens: str = HEADLINE,
) -> pl.DataFrame:
    """Return `kpi_table` with the comparable figures of the year before.

    A day compares with the one 364 days before: weekdays match, and after a year of 53 weeks the comparison is restated
    (week 1 with week 2 of that year). The 53rd week itself compares with nothing. Calendar months compare with months.

    Returns:
        The columns of `kpi_table`, then prior_value, prior_numerator, prior_denominator, prior_observations and change
        (value less prior value); null where the year before has nothing comparable.

    Raises:
        QuestionError: As for `kpi_table`, or neither a grain nor both ends of a range of days were given.
    """
    grains = [word for word in by if word in ("day", "week", "month", *FISCAL_GRAINS)]
    if not (grain or grains) and (date_from is None or date_to is None):
        message = "year on year needs a grain, or a first and a last day"
        raise QuestionError(message)
    now, before = (
        kpi_table(
            connection,
            kpis=kpis,
            by=by,
            grain=grain,
            date_from=date_from,
            date_to=date_to,
            lens=lens,
            is_prior=is_prior,
        )
        for is_prior in (False, True)
    )
    figures = ("value", "numerator", "denominator", "observations")
    keys = ["kpi_id", *_between(now.columns, "lens", "stage_id"), "stage_id"]
    prior = before.filter(pl.col("value").is_not_null()).select(
        *keys, *(pl.col(name).alias(f"prior_{name}") for name in figures)
    )
    joined = now.join(prior, on=keys, how="left", nulls_equal=True, validate="1:1", maintain_order="left")
    return joined.with_columns(change=pl.col("value") - pl.col("prior_value"))


def with_period_names(connection: Connection, frame: pl.DataFrame, grain: str | None) -> pl.DataFrame:
    """Add `period_name` (FY2026 M10, FY2026 Q4, FY2026) behind the period of a fiscal grain; leave others alone."""
    if grain not in FISCAL_GRAINS:
        return frame
    number = "''" if grain == "fiscal_year" else f"' {_LETTERS[grain]}' || {grain}"
    names = read(
        connection,
        f"select distinct {grain}_start_date as period, 'FY' || fiscal_year || {number} as period_name "
        "from marts.dim_dates",
    )
    joined = frame.join(names, on="period", how="left", maintain_order="left")
    order = list(frame.columns)
    order.insert(order.index("period") + 1, "period_name")
    return joined.select(order)


def check_calendar(connection: Connection, grain: str | None) -> None:
    """Refuse a fiscal grain where the publication has no calendar.

    Raises:
        QuestionError: It was made before there was one.
    """
    if grain in FISCAL_GRAINS and not has_table(connection, "marts", "dim_dates"):
        message = "this publication was made before it had a fiscal calendar; run `otif build` once"
        raise QuestionError(message)


def _between(names: Sequence[str], first: str, last: str) -> list[str]:
    return list(names[names.index(first) + 1 : names.index(last)])
