{#- Order events in the order of the business, however late and in whatever order they were learned. -#}
select
    event_id,
    event_type,
    event_at,
    time_quality,
    source,
    order_id,
    line_id,
    channel,
    customer_id,
    order_type,
    currency,
    sku,
    category,
    seller_id,
    quantity,
    unit_price,
    unit_cost,
    freight_amount,
    node_id,
    ship_to_region,
    clock_zone,
    requested_at,
    promise_at,
    window_start_at,
    window_end_at,
    ship_window_start_at,
    ship_by_at,
    cancel_after_at,
    actor,
    hold_type,
    row_number() over (
        partition by order_id
        order by event_at asc, observed_at asc, event_id asc
    ) as event_order
from {{ ref('stg_landing__order_events') }}
