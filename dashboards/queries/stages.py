"""Hours of stages: percentiles over the orders, returns or receipts of a period.

Stages are cohorts by the day they began with (capture, for orders). A stage that is still open cannot be measured yet:
plain percentiles leave it out and flatter while many are open, so their count stands beside the percentiles and so does
the Kaplan-Meier median, which counts an open stage as lasting at least until now. Of an order that was cancelled, or a
return that is not put on the shelf again, no end will come: it leaves the cohort and is counted beside it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from dashboards.queries.dimensions import relation, selected
from dashboards.queries.frames import read
from storage.duck import Connection


def stage_rows(
    connection: Connection,
    *,
    kpis: Sequence[str],
    by: Sequence[str],
    period: str,
    date_from: date | None,
    date_to: date | None,
) -> pl.DataFrame:
    """Return p50, p90, p95 and the Kaplan-Meier median in hours per KPI, period, dimensions and stage.

    Args:
        connection: Open publication.
        kpis: KPIs of hours (`metrics.kpi_durations`).
        by: Dimension columns.
        period: SQL of the period's first day, over `cohort_date`.
        date_from: First cohort day (inclusive).
        date_to: Last cohort day (inclusive).
    """
    known = [name for name in by if name != "currency"]
    # A dimension that stages do not carry gives one row under the word for "not known".
    dimensions = "".join("" if name == "currency" else f", {name}" for name in by)
    keys = ["kpi_id", "period", *(name for name in by if name != "currency"), "stage_id"]
    same = " and ".join(f"percentiles.{key} is not distinct from medians.{key}" for key in keys)
    absent = "".join(", '(none)' as currency" for name in by if name == "currency")
    return read(
        connection,
        f"""
        with stages as (
            select
                kpi_id, {period} as period{selected(known)}, stage_id, display_order,
                is_valid and hours is not null as is_measured, censored_hours is not null as is_open,
                case when is_valid then coalesce(hours, censored_hours) end as lasted
            from {relation("metrics.kpi_durations", known)}
            where list_contains($kpis, kpi_id)
                and ($date_from is null or cohort_date >= $date_from)
                and ($date_to is null or cohort_date <= $date_to)
        ),
        ends as (
            select kpi_id, period{dimensions}, stage_id, lasted, count(*) as stages,
                count(*) filter (is_measured) as ended
            from stages
            where lasted is not null
            group by all
        ),
        -- Of the stages that lasted at least so long, which share ended then: their product survives (Kaplan-Meier).
        hazards as (
            select *, ended / sum(stages) over (
                partition by kpi_id, period{dimensions}, stage_id order by lasted desc
            ) as hazard
            from ends
        ),
        surviving as (
            select *, product(1 - hazard) over (
                partition by kpi_id, period{dimensions}, stage_id order by lasted
            ) as share
            from hazards
        ),
        medians as (
            select kpi_id, period{dimensions}, stage_id, min(lasted) filter (share <= 0.5 + 1e-12) as km_median
            from surviving
            group by all
        ),
        percentiles as (
            select
                kpi_id, period{dimensions}, stage_id, min(display_order) as stage_order,
                quantile_cont(lasted, 0.5) filter (is_measured) as value,
                quantile_cont(lasted, 0.9) filter (is_measured) as p90,
                quantile_cont(lasted, 0.95) filter (is_measured) as p95,
                count(*) filter (is_measured) as observations,
                count(*) filter (not is_measured) as excluded, count(*) filter (is_open) as still_open
            from stages
            group by all
        )
        select percentiles.*, medians.km_median{absent}
        from percentiles
        left join medians on {same}
        order by all
        """,
        {"kpis": list(kpis), "date_from": date_from, "date_to": date_to},
    )
