"""KPIs over time and the causes of misses: what charts and the weekly report draw."""

from __future__ import annotations

from dataclasses import dataclass
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

    Where the source gives no shipped quantity, OTIF is unknown and an order misses when it is late.

    Returns:
        miss_cause, orders, value (units ordered × price of the missed orders, null when no price is known).
    """
    return read(
        connection,
        """
        with missed as (
            select order_id, coalesce(max(miss_cause), 'unknown') as miss_cause
            from marts.fct_order_assessments
            where is_headline and is_due and exclusion_reason is null and not coalesce(is_otif, is_on_time)
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


@dataclass(frozen=True, slots=True)
class ChangePart:
    """What one member of a dimension contributes to the change of a rate.

    Attributes:
        member: Dimension value.
        rate_effect: Change because the member itself got better or worse.
        mix_effect: Change because its share of the volume moved.
    """

    member: str
    rate_effect: float
    mix_effect: float


def change_parts(
    connection: Connection, kpi_id: str, *, before: Week, after: Week, by: str = "channel"
) -> tuple[ChangePart, ...]:
    """Split the change of a rate between two weeks into rate and mix effects per member of a dimension.

    With share w and rate r of a member, and R the total rate before: rate effect = w₁·(r₁ - r₀), mix effect =
    (w₁ - w₀)·(r₀ - R). All effects together are exactly the change of the total. A member new this week counts as
    rate effect against R.
    """
    first, second = (
        {
            row[by]: (row["numerator"], row["denominator"])
            for row in kpi_table(connection, kpis=[kpi_id], by=[by], date_from=week.start, date_to=week.end).iter_rows(
                named=True
            )
            if row["denominator"]
        }
        for week in (before, after)
    )
    if not first or not second:
        return ()
    total_first = sum(d for _, d in first.values())
    total_second = sum(d for _, d in second.values())
    overall = sum(n for n, _ in first.values()) / total_first
    parts = []
    for member in sorted(first.keys() | second.keys()):
        old, new = first.get(member), second.get(member)
        rate_old = old[0] / old[1] if old else overall
        weight_old = old[1] / total_first if old else 0.0
        weight_new = new[1] / total_second if new else 0.0
        rate_effect = weight_new * (new[0] / new[1] - rate_old) if new else 0.0
        parts.append(ChangePart(member, rate_effect, (weight_new - weight_old) * (rate_old - overall)))
    return tuple(sorted(parts, key=lambda part: -abs(part.rate_effect + part.mix_effect)))
