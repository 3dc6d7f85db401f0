"""Order cycle time: percentiles of each stage over the orders captured in a period.

Stages are cohorts by capture day. A stage that is still open cannot be measured yet, so the count of open stages stands
beside the percentiles: while it is high, the percentiles flatter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from dashboards.queries.frames import columns_of, read
from storage.duck import Connection

STAGE_KPI: Final = "cycle_time"
"""The KPI that is measured per stage."""


def stage_rows(
    connection: Connection, *, by: Sequence[str], period: str, date_from: date | None, date_to: date | None
) -> pl.DataFrame:
    """Return p50, p90 and p95 hours per period, dimensions and stage.

    Args:
        connection: Open publication.
        by: Dimension columns of `marts.fct_order_stages`.
        period: SQL of the period's first day.
        date_from: First capture day (inclusive).
        date_to: Last capture day (inclusive).
    """
    columns = columns_of(connection, "marts", "fct_order_stages")
    # A dimension the stages do not carry gives one row under the word for "not known".
    dimensions = "".join(f", {name}" if name in columns else f", '(none)' as {name}" for name in by)
    order = "min(display_order)" if "display_order" in columns else "cast(null as bigint)"
    measured = "is_valid and ended_at is not null and hours is not null"
    return read(
        connection,
        f"""
        select
            '{STAGE_KPI}' as kpi_id, {period} as period{dimensions}, stage_id,
            cast({order} as bigint) as stage_order,
            quantile_cont(hours, 0.5) filter ({measured}) as value,
            quantile_cont(hours, 0.9) filter ({measured}) as p90,
            quantile_cont(hours, 0.95) filter ({measured}) as p95,
            count(*) filter ({measured}) as observations,
            count(*) filter (not coalesce({measured}, false)) as excluded
        from marts.fct_order_stages
        where ($date_from is null or captured_date >= $date_from)
            and ($date_to is null or captured_date <= $date_to)
        group by all
        order by all
        """,
        {"date_from": date_from, "date_to": date_to},
    )
