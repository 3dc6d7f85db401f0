{{ config(materialized='incremental') }}
{#-
    When a line had to be with the carrier: the stated ship-by instant, else the end of the node's operating day that
    the release still reached. Released at the cut-off or later, or on a closed day, it belongs to the next open day.
-#}
with placed as (
    select
        order_lines.order_id,
        order_lines.line_id,
        order_lines.ship_by_at,
        order_lines.clock_zone,
        nodes.node_id,
        nodes.zone,
        nodes.cut_off_time,
        {{ to_local('order_lines.released_at', 'nodes.zone') }} as released_local
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    left join {{ ref('nodes') }} as nodes on order_lines.node_id = nodes.node_id
),

reached as (
    select
        *,
        {{ cut_off_day('released_local', 'cut_off_time') }} as reached_date
    from placed
),

opened as (
    select
        reached.order_id,
        reached.line_id,
        reached.ship_by_at,
        coalesce(reached.zone, reached.clock_zone) as ship_zone,
        {{ to_utc(add_days('cast(days.opened_date as timestamp)', 1), 'reached.zone') }} as cut_off_due_at
    from reached
    left join {{ ref('int_node_days_opened') }} as days
        on reached.node_id = days.node_id and reached.reached_date = days.local_date
)

select
    order_id,
    line_id,
    case
        when ship_by_at is not null then 'stated'
        when cut_off_due_at is not null then 'cut_off'
    end as ship_due_basis,
    ship_zone,
    coalesce(ship_by_at, cut_off_due_at) as ship_due_at,
    cut_off_due_at
from opened
