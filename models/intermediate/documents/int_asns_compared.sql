{#- What the notice announced against what the retailer counted, per order that was received. -#}
with announced as (
    select
        order_id,
        line_id,
        sum(quantity) as quantity
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'asn.sent' and order_id is not null and line_id is not null
    group by order_id, line_id
),

counted as (
    select
        order_id,
        line_id,
        sum(quantity) as quantity,
        min(event_at) as received_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'received' and order_id is not null and line_id is not null
    group by order_id, line_id
),

announced_orders as (
    select distinct order_id
    from announced
)

select
    counted.order_id,
    min(counted.received_at) as received_at,
    max(case when coalesce(announced.quantity, 0) = counted.quantity then 0 else 1 end) = 0 as is_exact
from counted
inner join announced_orders on counted.order_id = announced_orders.order_id
left join announced on counted.order_id = announced.order_id and counted.line_id = announced.line_id
group by counted.order_id
