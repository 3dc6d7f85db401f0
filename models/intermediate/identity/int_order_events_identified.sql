{#- Order events under their order. A capture or change told by a copying system is shadowed: the record tells it. -#}
select
    events.event_id,
    events.event_type,
    events.event_at,
    events.observed_at,
    events.time_quality,
    events.source,
    events.source_ref,
    events.batch_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.line_id,
    events.channel,
    events.customer_id,
    events.order_type,
    events.service_level,
    events.currency,
    events.sku,
    events.category,
    events.seller_id,
    events.quantity,
    events.quantity_change,
    events.uom,
    events.pack_quantity,
    events.unit_price,
    events.unit_cost,
    events.freight_amount,
    events.node_id,
    events.ship_to_id,
    events.ship_to_region,
    events.ship_to_country,
    events.ship_to_postal_code,
    events.clock_zone,
    events.requested_at,
    events.promise_at,
    events.window_start_at,
    events.window_end_at,
    events.ship_window_start_at,
    events.ship_by_at,
    events.cancel_after_at,
    events.actor,
    events.reason,
    events.hold_type,
    events.attributes,
    events.event_type in ('order.captured', 'order.changed') and coalesce(renames.is_shadowed, false) as is_shadowed
from {{ ref('stg_landing__order_events') }} as events
left join {{ ref('int_order_renames') }} as renames
    on
        events.source = renames.source
        and events.order_id = renames.order_reference
        and events.event_at >= coalesce(renames.valid_from_at, events.event_at)
        and (renames.valid_to_at is null or events.event_at < renames.valid_to_at)
