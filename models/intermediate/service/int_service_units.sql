{{ config(materialized='view', by_order=true) }}
{#-
    What is judged: every order line, and an order without known lines as a whole, under an empty line. Where the goods
    are delivered is the incoterm's word: at the handover to the carrier, at a port, or (also where none is told) at the
    customer's.
-#}
with units as (
    select
        order_id,
        line_id,
        sku,
        source,
        order_type,
        currency,
        {{ dimensions() }},
        clock_zone,
        exclusion_reason,
        base_original,
        base_revised,
        quantity_shipped_first,
        unit_price,
        unit_cost,
        is_quantity_known,
        captured_date,
        requested_at,
        promise_first_at,
        promise_latest_at,
        window_start_at,
        window_end_at
    from {{ ref('int_order_lines_balanced') }}

    union all

    select
        orders.order_id,
        '' as line_id,
        cast(null as varchar) as sku,
        orders.source,
        orders.order_type,
        orders.currency,
        orders.channel,
        orders.channel_type,
        orders.customer_id,
        '(none)' as node_id,
        '(none)' as carrier,
        orders.region,
        '(none)' as category,
        '(none)' as seller_id,
        orders.clock_zone,
        orders.exclusion_reason,
        cast(null as decimal(18, 3)) as base_original,
        cast(null as decimal(18, 3)) as base_revised,
        cast(null as decimal(18, 3)) as quantity_shipped_first,
        cast(null as decimal(18, 4)) as unit_price,
        cast(null as decimal(18, 4)) as unit_cost,
        false as is_quantity_known,
        orders.captured_date,
        orders.requested_at,
        orders.promise_first_at,
        orders.promise_latest_at,
        orders.window_start_at,
        orders.window_end_at
    from {{ ref('int_orders_consolidated') }} as orders
    left join {{ ref('int_order_lines_consolidated') }} as order_lines on orders.order_id = order_lines.order_id
    where order_lines.order_id is null
)

select
    units.*,
    appointments.appointment_end_at,
    coalesce(incoterms.delivery_point, 'customer') as delivery_point
from units
inner join {{ ref('int_orders_consolidated') }} as orders on units.order_id = orders.order_id
left join {{ ref('int_order_appointments') }} as appointments on units.order_id = appointments.order_id
left join {{ ref('incoterms') }} as incoterms on orders.incoterm = incoterms.incoterm
