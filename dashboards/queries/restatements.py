"""Figures of past weeks that a publication changed, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from dashboards.queries.frames import has_table, read
from dashboards.queries.kpis import OF_MONEY
from storage.duck import Connection

CAUSES: Final = {
    "late_events": "late events",
    "new_events": "new events",
    "definition": "new definition",
    "rules": "new rules",
    "definition_and_rules": "new definition and rules",
    "time": "time passed",
}
"""Cause → words, in the order in which effects are told."""

_COLUMNS: Final[Mapping[str, pl.DataType]] = {
    **dict.fromkeys(("publication", "previous_publication", "kpi_id", "kpi_name", "unit"), pl.String()),
    "period": pl.Date(),
    **dict.fromkeys(("cause", "detail"), pl.String()),
    **dict.fromkeys(("numerator_change", "denominator_change"), pl.Float64()),
    "rows_changed": pl.Int64(),
    **dict.fromkeys(("old_numerator", "old_denominator", "new_numerator", "new_denominator"), pl.Float64()),
    **dict.fromkeys(("old_value", "new_value"), pl.Float64()),
    **dict.fromkeys(("previous_as_of", "as_of"), pl.Datetime("us")),
}


def restatements(
    connection: Connection, *, kpis: Sequence[str] = (), is_latest: bool = False, limit: int | None = None
) -> pl.DataFrame:
    """Return the log of restatements, the youngest publication and week first.

    Args:
        connection: Open publication.
        kpis: KPI ids; empty = all.
        is_latest: Only what the current publication changed.
        limit: Most rows; null = all.

    Returns:
        One row per publication, KPI, week and cause: publication, previous_publication, kpi_id, kpi_name, unit, period
        (first day of the week), cause, detail (batches that came late, rules or models that changed), numerator_change,
        denominator_change, rows_changed, old and new numerator, denominator and value of the whole figure,
        previous_as_of, as_of. The changes of all causes add up to new less old. The log knows no currencies: the values
        of amounts are null where the publication has them in several.
    """
    if not has_table(connection, "metrics", "kpi_restatements"):
        return pl.DataFrame(schema=dict(_COLUMNS))
    value = (
        "case when mixed.kpi_id is not null then null "
        "when {side}_denominator <> 0 then {side}_numerator / {side}_denominator "
        "when catalogue.unit <> 'ratio' then {side}_numerator end"
    )
    return read(
        connection,
        f"""
        select
            log.publication, log.previous_publication, log.kpi_id, catalogue.kpi_name, catalogue.unit,
            log.period_date as period, log.cause, log.detail, log.numerator_change, log.denominator_change,
            log.rows_changed, log.old_numerator, log.old_denominator, log.new_numerator, log.new_denominator,
            {value.format(side="log.old")} as old_value, {value.format(side="log.new")} as new_value,
            log.previous_as_of, log.as_of
        from metrics.kpi_restatements as log
        inner join metrics.kpi_catalogue as catalogue on log.kpi_id = catalogue.kpi_id
        left join (
            select kpi_id from metrics.kpi_values where list_contains($money, kpi_id)
            group by kpi_id having count(distinct currency) > 1
        ) as mixed on log.kpi_id = mixed.kpi_id
        where (len($kpis) = 0 or list_contains($kpis, log.kpi_id))
            and (not $latest or log.publication = (select publication from metrics.publication))
        order by
            split_part(log.publication, '-', 2) desc, log.period_date desc, catalogue.display_order,
            list_position($causes, log.cause)
        {"" if limit is None else f"limit {int(limit)}"}
        """,
        {"kpis": list(kpis), "latest": is_latest, "causes": list(CAUSES), "money": list(OF_MONEY)},
    )


@dataclass(frozen=True, slots=True)
class Restated:
    """A rate as it was published before, and what changed it since; the effects add up exactly.

    Attributes:
        published: Rate as the previous publication had it.
        effects: Cause → what it adds to the rate, in the order of `CAUSES`.
        now: Rate now.
    """

    published: float
    effects: tuple[tuple[str, float], ...]
    now: float


def restated_rate(
    connection: Connection, kpi_id: str, *, numerator: float, denominator: float, first: date, last: date
) -> Restated | None:
    """Return what the current publication changed in the rate of a range of whole weeks; null where nothing.

    Args:
        connection: Open publication.
        kpi_id: KPI with unit ratio, headline.
        numerator: Sum of the range now.
        denominator: Sum of the range now.
        first: First day.
        last: Last day.
    """
    log = restatements(connection, kpis=[kpi_id], is_latest=True).filter(pl.col("period").is_between(first, last))
    sums = log.group_by("cause").agg(pl.col("numerator_change").sum(), pl.col("denominator_change").sum())
    changes = {row["cause"]: (row["numerator_change"], row["denominator_change"]) for row in sums.iter_rows(named=True)}
    met = numerator - sum(change for change, _ in changes.values())
    due = denominator - sum(change for _, change in changes.values())
    if not changes or due <= 0 or not denominator:
        return None
    published = rate = met / due
    effects = []
    for cause in CAUSES:
        if cause not in changes:
            continue
        met, due = met + changes[cause][0], due + changes[cause][1]
        after = met / due if due > 0 else rate
        effects.append((cause, after - rate))
        rate = after
    return Restated(published, tuple(effects), rate)
