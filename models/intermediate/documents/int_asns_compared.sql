{#-
    What the notice announced against what the retailer counted, per order that was received. A notice sent anew says all
    of its shipment, and a carton told again is no second one.
-#}
with notices as (
    select
        order_id,
        line_id,
        quantity,
        observed_at,
        rank() over (
            partition by
                source, coalesce(shipment_id, tracking_number, event_id), sscc, order_id, line_id, sku
            order by observed_at desc
        ) as recency,
        max(case when {{ json_text("attributes", "'$.purpose'") }} in ('05', '07') then observed_at end) over (
            partition by source, coalesce(shipment_id, tracking_number, event_id)
        ) as restated_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'asn.sent'
),

announced as (
    select
        order_id,
        line_id,
        sum(quantity) as quantity
    from notices
    where
        recency = 1
        and (restated_at is null or observed_at >= restated_at)
        and order_id is not null
        and line_id is not null
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
