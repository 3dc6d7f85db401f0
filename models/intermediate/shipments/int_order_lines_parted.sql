{{ config(materialized='incremental') }}
{#-
    When lines without a stated ship-by instant had to be with the carrier where several nodes have to do with them: each
    node answers for what it shipped and for what it still owes, from its own release and by its own calendar, as in
    int_node_orders_cut_off. The line is due when the last of them is, and in time if every piece met its own node's day.
-#}
with asked as (
    select
        order_id,
        line_id,
        node_id,
        min(event_at) as released_at,
        sum(quantity) as quantity_released
    from (
        -- A node that is told the same release again was released to once.
        select distinct
            order_id,
            line_id,
            node_id,
            event_at,
            quantity
        from {{ ref('int_order_events_sequenced') }}
        where event_type = 'order.released' and line_id is not null and node_id is not null
    ) as releases
    group by order_id, line_id, node_id
),

asked_often as (
    select
        order_id,
        line_id
    from asked
    group by order_id, line_id
    having count(*) > 1
),

parted as (
    select
        order_lines.order_id,
        order_lines.line_id,
        order_lines.node_id,
        order_lines.released_at,
        order_lines.current_total,
        shipped.quantity_shipped,
        shipped.pieces_shipped,
        shipped.is_quantity_known,
        coalesce(order_lines.quantity_released <= order_lines.base_revised, false) as is_released_in_parts
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    inner join {{ ref('int_order_lines_shipped') }} as shipped
        on order_lines.order_id = shipped.order_id and order_lines.line_id = shipped.line_id
    left join asked_often on order_lines.order_id = asked_often.order_id and order_lines.line_id = asked_often.line_id
    where
        order_lines.ship_by_at is null
        and (asked_often.order_id is not null or shipped.node_id <> coalesce(order_lines.node_id, '(none)'))
),

cancelled as (
    select
        parted.order_id,
        parted.line_id,
        sum(cancellations.quantity_cancelled) as quantity_cancelled
    from parted
    inner join {{ ref('int_order_cancellations_resolved') }} as cancellations
        on parted.order_id = cancellations.order_id and parted.line_id = cancellations.line_id
    group by parted.order_id, parted.line_id
),

told as (
    select
        parted.order_id,
        parted.line_id,
        coalesce(pieces.node_id, parted.node_id) as node_id,
        pieces.quantity,
        pieces.accepted_at,
        true as is_piece,
        cast(null as timestamp) as released_at,
        cast(null as decimal(18, 3)) as quantity_released
    from parted
    inner join {{ ref('int_order_line_pieces_matched') }} as pieces
        on parted.order_id = pieces.order_id and parted.line_id = pieces.line_id
    where pieces.is_shipped
    union all
    select
        parted.order_id,
        parted.line_id,
        asked.node_id,
        cast(null as decimal(18, 3)) as quantity,
        cast(null as timestamp) as accepted_at,
        cast(null as boolean) as is_piece,
        asked.released_at,
        cast(asked.quantity_released as decimal(18, 3)) as quantity_released
    from parted
    inner join asked on parted.order_id = asked.order_id and parted.line_id = asked.line_id
),

line_nodes as (
    select
        order_id,
        line_id,
        node_id,
        coalesce(sum(quantity), 0) as quantity,
        count(is_piece) as pieces,
        max(accepted_at) as last_accepted_at,
        min(released_at) as released_at,
        sum(quantity_released) as quantity_released
    from told
    group by order_id, line_id, node_id
),

answering as (
    select
        line_nodes.order_id,
        line_nodes.line_id,
        line_nodes.node_id,
        line_nodes.last_accepted_at,
        coalesce(line_nodes.released_at, parted.released_at) as released_at
    from parted
    inner join line_nodes on parted.order_id = line_nodes.order_id and parted.line_id = line_nodes.line_id
    left join cancelled on parted.order_id = cancelled.order_id and parted.line_id = cancelled.line_id
    where
        line_nodes.pieces > 0
        or (parted.pieces_shipped = 0 and line_nodes.node_id = parted.node_id)
        -- Released in parts, every node owes its part; released anew, the last one owes all that is open.
        or (
            parted.is_quantity_known
            and parted.current_total - coalesce(cancelled.quantity_cancelled, 0) - parted.quantity_shipped > 0
            and case
                when parted.is_released_in_parts and line_nodes.released_at is not null
                    then line_nodes.quantity < line_nodes.quantity_released
                else line_nodes.node_id = parted.node_id
            end
        )
),

placed as (
    select
        answering.*,
        nodes.zone,
        cast({{ to_local('answering.released_at', 'nodes.zone') }} as date) as released_date
    from answering
    left join {{ ref('nodes') }} as nodes on answering.node_id = nodes.node_id
),

dated as (
    select
        placed.order_id,
        placed.line_id,
        placed.zone,
        placed.last_accepted_at,
        case when placed.released_at < days.cut_off_at then days.due_at else days.due_after_at end as due_at
    from placed
    left join {{ ref('int_node_days_opened') }} as days
        on placed.node_id = days.node_id and placed.released_date = days.local_date
)

select
    order_id,
    line_id,
    -- Where the day of one of them is not known, that of the line is not.
    case when count(*) = count(due_at) then max(due_at) end as due_at,
    max(case when due_at = last_due_at then zone end) as zone,
    min(case when last_accepted_at >= due_at then 0 else 1 end) = 1 as is_in_time
from (
    select
        *,
        max(due_at) over (partition by order_id, line_id) as last_due_at
    from dated
) as last_dated
group by order_id, line_id
