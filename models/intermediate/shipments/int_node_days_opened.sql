{{ config(materialized='compared') }}
{#-
    For every node and local day the first operating day on or after it, the instant of the day's cut-off (of an hour that
    exists twice the second), when what is released before it or after it is due, from when until when the node works on
    the day (null: not at all), and how many hours it has worked before. Node calendars are few and small. They span whole
    years, so that they stay the same from build to build.
-#}
with digits as (
    {%- for digit in range(10) %}
        select {{ digit }} as digit{{ " union all" if not loop.last }}
    {%- endfor %}
),

numbers as (
    select
        ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit
        + 10000 * ten_thousands.digit as ahead
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
    cross join digits as ten_thousands
    where ten_thousands.digit < 2
),

beginnings as (
    select min(captured_at) as began_at
    from {{ ref('int_orders_consolidated') }}
    union all
    select min(checked_in_at) as began_at
    from {{ ref('int_receipts_consolidated') }}
    union all
    select min(received_at) as began_at
    from {{ ref('int_returns_consolidated') }}
),

bounds as (
    select
        cast(date_trunc('year', {{ add_days('min(began_at)', -2) }}) as date) as first_date,
        cast(date_trunc('year', {{ add_days(as_of(), 400) }}) as date) as last_date
    from beginnings
),

days as (
    select
        nodes.node_id,
        nodes.operating_days,
        nodes.zone,
        nodes.cut_off_time,
        nodes.opens_at,
        nodes.closes_at,
        cast({{ add_days('bounds.first_date', 'numbers.ahead') }} as date) as local_date,
        bounds.last_date
    from {{ ref('nodes') }} as nodes
    cross join bounds
    cross join numbers
),

opened as (
    select
        days.node_id,
        days.local_date,
        days.zone,
        days.cut_off_time,
        days.opens_at,
        days.closes_at,
        case
            when
                holidays.calendar_id is null
                and coalesce(days.operating_days, '1,2,3,4,5')
                like '%' || cast({{ iso_weekday('days.local_date') }} as varchar) || '%'
                then days.local_date
        end as operating_date
    from days
    left join {{ ref('holidays') }} as holidays
        on days.node_id = holidays.calendar_id and days.local_date = holidays.holiday_date
    where days.local_date <= days.last_date
),

reached as (
    select
        *,
        min(operating_date) over (
            partition by node_id
            order by local_date
            rows between current row and unbounded following
        ) as opened_date,
        min(operating_date) over (
            partition by node_id
            order by local_date
            rows between 1 following and unbounded following
        ) as opened_after_date
    from opened
),

timed as (
    select
        *,
        {{ to_utc("cast(cast(operating_date as varchar) || ' ' || coalesce(opens_at, '00:00') as timestamp)", 'zone') }}
            as works_from,
        case
            when closes_at is null
                then {{ to_utc(add_days('cast(operating_date as timestamp)', 1), 'zone') }}
            else {{ to_utc("cast(cast(operating_date as varchar) || ' ' || closes_at as timestamp)", 'zone') }}
        end as works_until
    from reached
)

select
    node_id,
    local_date,
    opened_date,
    case
        when cut_off_time is null
            then {{ to_utc(add_days('cast(local_date as timestamp)', 1), 'zone') }}
        else {{ to_utc("cast(cast(local_date as varchar) || ' ' || cut_off_time as timestamp)", 'zone') }}
    end as cut_off_at,
    {{ to_utc(add_days('cast(opened_date as timestamp)', 1), 'zone') }} as due_at,
    {{ to_utc(add_days('cast(opened_after_date as timestamp)', 1), 'zone') }} as due_after_at,
    works_from,
    works_until,
    cast(
        coalesce(
            sum({{ hours_between('works_from', 'works_until') }}) over (
                partition by node_id
                order by local_date
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as double
    ) as hours_worked_before
from timed
