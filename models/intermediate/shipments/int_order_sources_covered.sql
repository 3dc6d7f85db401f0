{{ config(materialized='compared') }}
{#-
    What the sources of a channel's orders tell at all. Where no order of a source and channel has ever had a shipped
    quantity or a delivery, its absence on one order says nothing about that order.
-#}
select
    orders.source,
    orders.channel,
    max(case when pieces.quantity is not null then 1 else 0 end) = 1 as has_quantity,
    max(case when pieces.accepted_at is not null then 1 else 0 end) = 1 as has_accepted,
    max(case when pieces.delivered_at is not null or pieces.arrived_at is not null then 1 else 0 end) = 1
        as has_delivered
from {{ ref('int_orders_consolidated') }} as orders
left join {{ ref('int_shipment_lines') }} as pieces on orders.order_id = pieces.order_id
group by orders.source, orders.channel
