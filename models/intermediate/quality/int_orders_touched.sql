{{ config(materialized='incremental') }}
{#-
    What people had to do to an order between capture and release (K6a): holds, edits by anybody, cancellations of a
    part. An order that was never released is not judged yet.
-#}
with changes as (
    select
        events.order_id,
        max(case when events.event_type = 'order.changed' then 1 else 0 end) as is_edited,
        max(case when events.event_type = 'order.cancelled' then 1 else 0 end) as is_part_cancelled
    from {{ ref('int_order_events_sequenced') }} as events
    inner join {{ ref('fct_orders') }} as orders on events.order_id = orders.order_id
    where
        events.event_type in ('order.changed', 'order.cancelled')
        and events.event_at < orders.released_at
    group by events.order_id
),

holds as (
    select
        holds.order_id,
        min(holds.hold_type) as hold_type
    from {{ ref('int_order_holds_paired') }} as holds
    inner join {{ ref('fct_orders') }} as orders on holds.order_id = orders.order_id
    where holds.placed_at < orders.released_at
    group by holds.order_id
)

select
    orders.order_id,
    case
        when holds.order_id is not null then 'hold_' || holds.hold_type
        when changes.is_edited = 1 then 'edited'
        when changes.is_part_cancelled = 1 then 'part_cancelled'
    end as touched_by,
    orders.released_at
from {{ ref('fct_orders') }} as orders
left join changes on orders.order_id = changes.order_id
left join holds on orders.order_id = holds.order_id
where not orders.is_excluded and orders.order_type <> 'replacement' and orders.released_at is not null
