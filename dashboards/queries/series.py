"""KPIs over time and the causes of misses: what charts and the weekly report draw."""

from __future__ import annotations

from datetime import date

import polars as pl

from dashboards.queries.frames import read
from dashboards.queries.kpis import kpi_table
from dashboards.queries.periods import Week
from storage.duck import Connection


def kpi_series(
    connection: Connection, kpi_id: str, *, until: Week, weeks: int, grain: str = "week", stage_id: str | None = None
) -> pl.DataFrame:
    """Return one KPI per period up to and including a week, oldest first; periods without rows are missing.

    Args:
        connection: Open publication.
        kpi_id: KPI.
        until: Last week of the series.
        weeks: How many weeks to look back, this one included.
        grain: week or month; months are sums over their own days, never means of weeks.
        stage_id: Stage, for cycle time.
    """
    start = until.back(weeks - 1).start
    if grain == "month":
        start = start.replace(day=1)
    frame = kpi_table(connection, kpis=[kpi_id], grain=grain, date_from=start, date_to=until.end)
    if stage_id is not None:
        frame = frame.filter(pl.col("stage_id") == stage_id)
    return frame.filter(pl.col("period").is_not_null()).sort("period")


def miss_causes(connection: Connection, *, date_from: date, date_to: date) -> pl.DataFrame:
    """Return missed orders per cause, judged by the headline profile, most frequent first.

    Returns:
        miss_cause, orders, value (units ordered × price of the missed orders, null when no price is known).
    """
    return read(
        connection,
        """
        with missed as (
            select order_id, coalesce(max(miss_cause), 'unknown') as miss_cause
            from marts.fct_order_assessments
            where is_headline and is_due and exclusion_reason is null and not is_otif
                and due_date between $date_from and $date_to
            group by order_id
        ),
        priced as (
            select order_id, sum(base_revised * unit_price) as value
            from marts.fct_line_assessments
            where is_headline and is_due and due_date between $date_from and $date_to
            group by order_id
        )
        select missed.miss_cause, count(*) as orders, sum(priced.value) as value
        from missed
        left join priced on missed.order_id = priced.order_id
        group by missed.miss_cause
        order by orders desc, missed.miss_cause
        """,
        {"date_from": date_from, "date_to": date_to},
    )
