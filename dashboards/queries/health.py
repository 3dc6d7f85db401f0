"""How far the figures can be trusted: freshness, batches, rejects, data-quality issues, availability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from dashboards.errors import PublicationError
from dashboards.queries.frames import has_table, read
from storage.duck import Connection

_DOUBTS: Final[Mapping[str, pl.DataType]] = {
    **dict.fromkeys(("doubt", "source"), pl.String()),
    **dict.fromkeys(("observations", "orders"), pl.Int64()),
    **dict.fromkeys(("first_date", "last_date"), pl.Date()),
}


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """The build behind a publication.

    Attributes:
        as_of: Instant the build looks from (naive UTC).
        zone: IANA zone of the company.
        currency: Company currency.
        week_start: monday or sunday.
    """

    as_of: datetime
    zone: str
    currency: str
    week_start: str

    @property
    def local_as_of(self) -> datetime:
        """The as-of instant on the company's clock."""
        return self.as_of.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone))

    @property
    def as_of_date(self) -> date:
        """Local date of the as-of instant."""
        return self.local_as_of.date()


def build_info(connection: Connection) -> BuildInfo:
    """Return what the publication was built as of.

    Raises:
        PublicationError: The publication has no build record.
    """
    frame = read(connection, "select as_of, company_zone, currency, week_start from marts.build_info limit 1")
    if frame.is_empty():
        message = "the publication has no build record. Run `otif build` to publish a new one."
        raise PublicationError(message)
    as_of, zone, currency, week_start = frame.row(0)
    return BuildInfo(as_of=as_of, zone=zone, currency=currency, week_start=week_start)


def freshness(connection: Connection) -> pl.DataFrame:
    """Return one row per source: last event, last observation, hours behind the as-of instant, events, rejects."""
    return read(
        connection,
        """
        select
            freshness.source, freshness.last_event_at, freshness.last_observed_at,
            date_diff('second', freshness.last_event_at, info.as_of) / 3600.0 as hours_behind,
            cast(freshness.events as bigint) as events, cast(freshness.rejects as bigint) as rejects
        from marts.data_freshness as freshness
        cross join marts.build_info as info
        order by freshness.source
        """,
    )


def batches(connection: Connection, *, limit: int = 200) -> pl.DataFrame:
    """Return the landed batches, youngest first; `verdict` says which checks failed, in words."""
    return read(
        connection,
        """
        select * replace (
            case when json_valid(verdict) then array_to_string(from_json(verdict, '["varchar"]'), '; ') else verdict end
                as verdict
        )
        from marts.fct_batches
        order by landed_at desc, batch_id
        limit $limit
        """,
        {"limit": limit},
    )


def rejects(connection: Connection, *, limit: int = 500) -> pl.DataFrame:
    """Return rejected rows with their reasons."""
    return read(connection, "select * from marts.fct_rejects order by all limit $limit", {"limit": limit})


def data_quality_issues(connection: Connection) -> pl.DataFrame:
    """Return issues found in landed data: issue, how often, orders concerned, one example."""
    return read(
        connection,
        """
        select
            issue, count(*) as occurrences, count(distinct order_id) as orders, min(order_id) as example_order_id,
            coalesce(arg_min(detail, order_id), min(detail)) as example
        from marts.data_quality_issues
        group by issue
        order by occurrences desc, issue
        """,
    )


def doubts(connection: Connection) -> pl.DataFrame:
    """Return what the figures cannot be sure of, the most observations first.

    Returns:
        doubt, source, observations, orders (null: not known), first_date, last_date. Empty for a publication of before
        doubts were counted.
    """
    if not has_table(connection, "marts", "data_doubt"):
        return pl.DataFrame(schema=_DOUBTS)
    return read(
        connection,
        """
        select
            doubt, source, cast(sum(observations) as bigint) as observations, cast(sum(orders) as bigint) as orders,
            min(doubt_date) as first_date, max(doubt_date) as last_date
        from marts.data_doubt
        group by doubt, source
        order by observations desc, doubt, source
        """,
    )


def availability(connection: Connection) -> pl.DataFrame:
    """Return every KPI of the catalogue, whether it can be measured here, and why not."""
    return read(
        connection,
        """
        select
            catalogue.kpi_id, catalogue.kpi_name, catalogue.definition, catalogue.unit,
            coalesce(availability.is_available, true) as is_available, availability.reason
        from metrics.kpi_catalogue as catalogue
        left join metrics.kpi_availability as availability on catalogue.kpi_id = availability.kpi_id
        order by catalogue.display_order, catalogue.kpi_id
        """,
    )
