{{ config(materialized='compared') }}
{#-
    What the sources of a channel's orders tell at all. Where no order of a source and channel has ever had a shipped
    quantity or a delivery, its absence on one order says nothing about that order.
-#}
with told as (
    select
        orders.source,
        orders.channel,
        pieces.quantity is not null as has_quantity,
        pieces.accepted_at is not null as has_accepted,
        pieces.delivered_at is not null or pieces.arrived_at is not null as has_delivered
    from {{ ref('int_shipment_lines') }} as pieces
    inner join {{ ref('int_orders_consolidated') }} as orders on pieces.order_id = orders.order_id
    union all
    select
        source,
        channel,
        false as has_quantity,
        false as has_accepted,
        false as has_delivered
    from {{ ref('int_orders_consolidated') }}
)

select
    source,
    channel,
    bool_or(has_quantity) as has_quantity,
    bool_or(has_accepted) as has_accepted,
    bool_or(has_delivered) as has_delivered
from told
group by source, channel
