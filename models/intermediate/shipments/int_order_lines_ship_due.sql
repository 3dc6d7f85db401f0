{#-
    When a line had to be with the carrier: the stated ship-by instant, else the end of the node's operating day that
    the release still reached. Released at the cut-off or later, or on a closed day, it belongs to the next open day.
-#}
with released as (
    select
        order_lines.order_id,
        order_lines.line_id,
        order_lines.node_id,
        nodes.zone,
        nodes.cut_off_time,
        {{ to_local('order_lines.released_at', 'nodes.zone') }} as released_local
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    inner join {{ ref('nodes') }} as nodes on order_lines.node_id = nodes.node_id
    where order_lines.ship_by_at is null and order_lines.released_at is not null and nodes.cut_off_time is not null
),

reached as (
    select
        order_id,
        line_id,
        node_id,
        zone,
        cast(released_local as date) as released_date,
        case when {{ time_of_day('released_local') }} < cut_off_time then 0 else 1 end as days_lost
    from released
),

starts as (
    select distinct
        node_id,
        released_date,
        days_lost
    from reached
),

candidates as (
    select
        starts.node_id,
        starts.released_date,
        starts.days_lost,
        cast({{ add_days('starts.released_date', 'ahead.days') }} as date) as candidate_date
    from starts
    inner join (
        {%- for days in range(15) %}
            select {{ days }} as days{{ " union all" if not loop.last }}
        {%- endfor %}
    ) as ahead on starts.days_lost <= ahead.days
),

ship_dates as (
    select
        candidates.node_id,
        candidates.released_date,
        candidates.days_lost,
        min(candidates.candidate_date) as ship_date
    from candidates
    inner join {{ ref('nodes') }} as nodes on candidates.node_id = nodes.node_id
    left join {{ ref('holidays') }} as holidays
        on candidates.node_id = holidays.calendar_id and candidates.candidate_date = holidays.holiday_date
    where
        holidays.calendar_id is null
        and coalesce(nodes.operating_days, '1,2,3,4,5')
        like '%' || cast({{ iso_weekday('candidates.candidate_date') }} as varchar) || '%'
    group by candidates.node_id, candidates.released_date, candidates.days_lost
)

select
    order_lines.order_id,
    order_lines.line_id,
    case
        when order_lines.ship_by_at is not null then 'stated'
        when ship_dates.ship_date is not null then 'cut_off'
    end as ship_due_basis,
    coalesce(nodes.zone, order_lines.clock_zone) as ship_zone,
    coalesce(
        order_lines.ship_by_at,
        {{ to_utc(add_days('cast(ship_dates.ship_date as timestamp)', 1), 'reached.zone') }}
    ) as ship_due_at
from {{ ref('int_order_lines_consolidated') }} as order_lines
left join {{ ref('nodes') }} as nodes on order_lines.node_id = nodes.node_id
left join reached on order_lines.order_id = reached.order_id and order_lines.line_id = reached.line_id
left join ship_dates
    on
        reached.node_id = ship_dates.node_id
        and reached.released_date = ship_dates.released_date
        and reached.days_lost = ship_dates.days_lost
