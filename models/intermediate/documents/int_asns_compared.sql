{#-
    What the notice announced against what the retailer counted, per order that was received, line by line: a line that was
    announced and not counted differs as much as one that was counted and not announced, unless its first notice came after
    the last receipt. A notice sent anew says all of its shipment, and a carton told again is no second one.
-#}
with notices as (
    select
        order_id,
        line_id,
        quantity,
        event_at,
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
        sum(quantity) as quantity,
        min(event_at) as announced_at
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
        min(event_at) as received_at,
        max(event_at) as last_received_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'received' and order_id is not null and line_id is not null
    group by order_id, line_id
),

received_orders as (
    select
        order_id,
        min(received_at) as received_at,
        max(last_received_at) as last_received_at
    from counted
    group by order_id
),

compared as (
    select
        coalesce(announced.order_id, counted.order_id) as order_id,
        announced.order_id is not null as is_announced,
        announced.announced_at,
        counted.order_id is not null as is_counted,
        coalesce(announced.quantity, 0) = coalesce(counted.quantity, 0) as is_equal
    from announced
    full outer join counted on announced.order_id = counted.order_id and announced.line_id = counted.line_id
)

select
    compared.order_id,
    min(received_orders.received_at) as received_at,
    max(
        case
            when compared.is_equal then 0
            when compared.is_counted or compared.announced_at <= received_orders.last_received_at then 1
            else 0
        end
    ) = 0 as is_exact
from compared
inner join received_orders on compared.order_id = received_orders.order_id
group by compared.order_id
having max(case when compared.is_announced then 1 else 0 end) = 1
