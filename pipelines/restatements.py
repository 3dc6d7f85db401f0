"""Which figures of past weeks a build changes, by how much and why: an append-only log, written before it is published.

The build is compared with the publication that readers see now, per KPI (headline) and week that was over at both
instants. A change is told row by row, so that the causes add up to it exactly:

    late_events           the row's order has an event of before the last publication that landed after it
    definition, rules     models or macros, seeds or settings behind the KPI changed (or both: definition_and_rules)
    new_events            something happened to the row's order since
    time                  none of these: it fell due, matured or aged

The first that holds is the row's cause. The log lives in schema `history` of the database, where no build touches it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from storage.duck import Connection, DatabaseError
from storage.errors import NotPublishedError
from storage.publish import current_publication
from storage.settings import Settings

LOGGER = logging.getLogger(__name__)

_LOG: Final = """
create schema if not exists history;
create table if not exists history.kpi_restatements (
    publication varchar, previous_publication varchar, kpi_id varchar, period_date date, cause varchar, detail varchar,
    numerator_change double, denominator_change double, rows_changed bigint, old_numerator double,
    old_denominator double, new_numerator double, new_denominator double, previous_as_of timestamp, as_of timestamp
);
"""

# Weeks over at both instants whose sums differ. States (backorders, DSO) belong to their as-of and restate nothing. Nor
# is a figure restated that was not published: its KPI was or is unavailable, or the ratio had no observation.
_CHANGED: Final = """
create or replace temporary table changed_weeks as
with bounds as (
    select least(
        cast(timezone(now.company_zone, timezone('UTC', now.as_of)) as date),
        cast(timezone(now.company_zone, timezone('UTC', before.as_of)) as date)
    ) as until
    from marts.build_info as now cross join previous.marts.build_info as before
),
sums as (
    {sums}
)
select sums.kpi_id, sums.period_date, sum(old_numerator) as old_numerator, sum(old_denominator) as old_denominator,
    sum(new_numerator) as new_numerator, sum(new_denominator) as new_denominator
from sums
cross join bounds
inner join metrics.kpi_catalogue as catalogue on sums.kpi_id = catalogue.kpi_id
where sums.period_date + 7 <= bounds.until and catalogue.cohort_date <> 'as-of date'
    and sums.kpi_id in (select kpi_id from metrics.kpi_availability where is_available)
    and sums.kpi_id in (select kpi_id from previous.metrics.kpi_availability where is_available)
group by sums.kpi_id, sums.period_date, catalogue.unit
having (catalogue.unit <> 'ratio' or sum(old_denominator) > 0)
    and (
        abs(sum(new_numerator) - sum(old_numerator)) > 1e-6
        or abs(sum(new_denominator) - sum(old_denominator)) > 1e-6
    )
"""

_ROWS: Final = """
create or replace temporary table {side}_rows as
select facts.kpi_id, facts.row_key, {week} as period_date, facts.order_id, facts.line_id, facts.numerator,
    facts.denominator
from {catalog}metrics.kpi_facts as facts
where facts.exclusion_reason is null and (facts.profile_id = '' or facts.is_headline) and facts.row_kind <> 'stage'
    and (facts.kpi_id, {week}) in (select (kpi_id, period_date) from changed_weeks)
"""

_CAUSED: Final = """
create or replace temporary table caused as
with compared as (
    select
        coalesce(now.kpi_id, before.kpi_id) as kpi_id,
        coalesce(now.row_key, before.row_key) as row_key,
        coalesce(now.period_date, before.period_date) as period_date,
        coalesce(now.order_id, before.order_id) as order_id,
        coalesce(now.line_id, before.line_id) as line_id,
        coalesce(now.numerator, 0) - coalesce(before.numerator, 0) as numerator_change,
        coalesce(now.denominator, 0) - coalesce(before.denominator, 0) as denominator_change
    from now_rows as now
    full outer join before_rows as before
        on now.kpi_id = before.kpi_id and now.row_key = before.row_key and now.period_date = before.period_date
),
differing as (
    select * from compared where abs(numerator_change) > 1e-9 or abs(denominator_change) > 1e-9
),
fresh as (
    select events.order_id, events.line_id, cast(null as varchar) as row_key, events.source_ref,
        events.event_at < before.as_of as is_late
    from marts.fct_events as events
    cross join previous.marts.build_info as before
    where events.event_at >= before.as_of
        or events.batch_id not in (select batch_id from previous.marts.fct_batches where status <> 'quarantined')
    union all
    select null, null, events.row_key, events.source_ref, events.event_at < before.as_of
    from marts.fct_orderless_events as events
    cross join previous.marts.build_info as before
    where events.event_at >= before.as_of
        or events.batch_id not in (select batch_id from previous.marts.fct_batches where status <> 'quarantined')
),
touched as (
    select differing.kpi_id, differing.row_key, differing.period_date, bool_or(fresh.is_late) as is_late,
        min(split_part(fresh.source_ref, '#', 1)) filter (fresh.is_late) as late_file
    from differing
    inner join fresh
        on differing.order_id = fresh.order_id
            and (differing.line_id is null or fresh.line_id is null or differing.line_id = fresh.line_id)
    group by all
    union all
    select differing.kpi_id, differing.row_key, differing.period_date, bool_or(fresh.is_late),
        min(split_part(fresh.source_ref, '#', 1)) filter (fresh.is_late)
    from differing
    inner join fresh on differing.row_key = fresh.row_key
    group by all
),
told as (
    select kpi_id, row_key, period_date, bool_or(is_late) as is_late, min(late_file) as late_file
    from touched group by all
),
versions as (
    select now.kpi_id,
        coalesce(now.definition_version <> before.definition_version, true) as is_redefined,
        coalesce(now.rules_version <> before.rules_version, true) as is_reruled
    from metrics.kpi_models as now
    left join previous.metrics.kpi_models as before on now.kpi_id = before.kpi_id
)
select differing.*,
    case
        when told.is_late then 'late_events'
        when versions.is_redefined and versions.is_reruled then 'definition_and_rules'
        when versions.is_redefined then 'definition'
        when versions.is_reruled then 'rules'
        when told.row_key is not null then 'new_events'
        else 'time'
    end as cause,
    case when told.is_late then told.late_file end as late_file
from differing
left join told
    on differing.kpi_id = told.kpi_id and differing.row_key = told.row_key and differing.period_date = told.period_date
left join versions on differing.kpi_id = versions.kpi_id
"""

# Names of what changed behind a KPI: the rules it goes by, or the models that compute it.
_INSERT: Final = """
insert into history.kpi_restatements
with inputs as (
    select models.kpi_id, coalesce(now.kind, before.kind) in ('seed', 'setting') as is_rule,
        string_agg(distinct coalesce(now.name, before.name), ', ' order by coalesce(now.name, before.name)) as names
    from metrics.kpi_lineage as now
    full outer join previous.metrics.kpi_lineage as before
        on now.row_model = before.row_model and now.kind = before.kind and now.name = before.name
    inner join metrics.kpi_models as models on coalesce(now.row_model, before.row_model) = models.row_model
    where now.fingerprint is distinct from before.fingerprint
    group by all
)
select
    $publication, $previous, caused.kpi_id, caused.period_date, caused.cause,
    case
        when caused.cause = 'late_events' then
            array_to_string(list(distinct caused.late_file order by caused.late_file)[:3], ', ')
            || case
                when count(distinct caused.late_file) > 3
                    then ' and ' || count(distinct caused.late_file) - 3 || ' more'
                else ''
            end
        when caused.cause in ('definition', 'rules', 'definition_and_rules') then (
            select string_agg(inputs.names, ', ' order by inputs.is_rule desc)
            from inputs
            where inputs.kpi_id = caused.kpi_id
                and (caused.cause = 'definition_and_rules' or inputs.is_rule = (caused.cause = 'rules'))
        )
    end,
    sum(caused.numerator_change), sum(caused.denominator_change), count(*),
    weeks.old_numerator, weeks.old_denominator, weeks.new_numerator, weeks.new_denominator,
    (select as_of from previous.marts.build_info), (select as_of from marts.build_info)
from caused
inner join changed_weeks as weeks on caused.kpi_id = weeks.kpi_id and caused.period_date = weeks.period_date
group by caused.kpi_id, caused.period_date, caused.cause, weeks.old_numerator, weeks.old_denominator,
    weeks.new_numerator, weeks.new_denominator
"""


def record_restatements(settings: Settings, connection: Connection, *, publication_id: str) -> int:
    """Log what the build about to be published changes in weeks that were published before.

    Writes `metrics.kpi_restatements` (the whole log) and `metrics.publication` (this one and the one before) beside the
    models, so that they are published with them.

    Args:
        settings: Workspace.
        connection: Its database, open for writing, with the new build and its lineage.
        publication_id: Id under which the build will be published.

    Returns:
        Figures restated: KPIs × weeks.
    """
    connection.execute(_LOG)
    previous = _attach_previous(settings, connection)
    restated = 0
    seen_as_of: datetime | None = None
    if previous is not None:
        # A comparison with the same publication that never got published, or was withdrawn.
        connection.execute("delete from history.kpi_restatements where previous_publication = ?", [previous])
        restated = _compare(connection, publication_id, previous)
        (seen_as_of,) = connection.execute("select as_of from previous.marts.build_info").fetchone() or (None,)
        connection.execute("detach previous")
    connection.execute("create or replace table metrics.kpi_restatements as from history.kpi_restatements")
    connection.execute(
        "create or replace table metrics.publication as select ? as publication, cast(? as varchar) as "
        "previous_publication, cast(? as timestamp) as previous_as_of",
        [publication_id, previous, seen_as_of],
    )
    return restated


def _compare(connection: Connection, publication_id: str, previous: str) -> int:
    (start,) = connection.execute("select week_start from marts.build_info").fetchone() or ("monday",)
    shift = "interval 1 day" if start == "sunday" else "interval 0 day"

    def week(column: str) -> str:
        return f"cast(date_trunc('week', {column} + {shift}) - {shift} as date)"

    figures = "select kpi_id, {week} as period_date, {amounts} from {catalog}metrics.kpi_values {where}"
    where = "where profile_id = '' or is_headline"
    sums = " union all ".join(
        figures.format(week=week("period_date"), amounts=amounts, catalog=catalog, where=where)
        for catalog, amounts in (
            (
                "previous.",
                "numerator as old_numerator, denominator as old_denominator, 0.0 as new_numerator, "
                "0.0 as new_denominator",
            ),
            ("", "0.0, 0.0, numerator, denominator"),
        )
    )
    connection.execute(_CHANGED.format(sums=sums))
    (weeks,) = connection.execute("select count(*) from changed_weeks").fetchone() or (0,)
    if weeks:
        for side, catalog in (("before", "previous."), ("now", "")):
            connection.execute(_ROWS.format(side=side, catalog=catalog, week=week("facts.period_date")))
        connection.execute(_CAUSED)
        connection.execute(_INSERT, {"publication": publication_id, "previous": previous})
    return int(weeks)


def _attach_previous(settings: Settings, connection: Connection) -> str | None:
    """Attach the current publication as `previous`; null where there is none to compare with."""
    try:
        path = current_publication(settings)
    except NotPublishedError:
        return None
    try:
        connection.execute(f"attach '{path}' as previous (read_only)")
    except DatabaseError as error:
        LOGGER.warning("no restatements logged: publication=%s cannot be opened: %s", path.name, error)
        return None
    known = connection.execute(
        "select 1 from information_schema.tables where table_catalog = 'previous' and table_schema = 'metrics' "
        "and table_name = 'kpi_models'"
    ).fetchone()
    if known is None:  # published before there were rows to compare
        connection.execute("detach previous")
        return None
    return path.stem
