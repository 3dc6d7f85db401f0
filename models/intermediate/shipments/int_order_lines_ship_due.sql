{{ config(materialized='view', by_order=true) }}
{#-
    When a line had to be with the carrier: the stated ship-by instant, else the end of the node's operating day that
    the release still reached. Released at the cut-off or later, or on a closed day, it belongs to the next open day. Of a
    line that several nodes have to do with it is the last of their days.
-#}
with placed as (
    select
        order_lines.order_id,
        order_lines.line_id,
        order_lines.ship_by_at,
        order_lines.clock_zone,
        order_lines.released_at,
        nodes.node_id,
        coalesce(parted.zone, nodes.zone) as zone,
        parted.order_id is not null as is_parted,
        parted.due_at as parted_due_at,
        cast({{ to_local('order_lines.released_at', 'nodes.zone') }} as date) as released_date
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    left join {{ ref('nodes') }} as nodes on order_lines.node_id = nodes.node_id
    left join {{ ref('int_order_lines_parted') }} as parted
        on order_lines.order_id = parted.order_id and order_lines.line_id = parted.line_id
),

opened as (
    select
        placed.order_id,
        placed.line_id,
        placed.ship_by_at,
        coalesce(placed.zone, placed.clock_zone) as ship_zone,
        case
            when placed.is_parted then placed.parted_due_at
            when placed.released_at < days.cut_off_at then days.due_at
            else days.due_after_at
        end as cut_off_due_at
    from placed
    left join {{ ref('int_node_days_opened') }} as days
        on placed.node_id = days.node_id and placed.released_date = days.local_date
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
