{{ config(materialized='incremental') }}
{#-
    Order events in the order of the business, however late and in whatever order they were learned. The dates a
    warehouse is told with a release are our plan: they say nothing about what the customer asked for.
-#}
select
    events.event_type,
    events.event_at,
    events.time_quality,
    events.source,
    events.order_id,
    coalesce(line_renames.line_id, events.line_id) as line_id,
    events.channel,
    events.customer_id,
    events.order_type,
    events.currency,
    events.sku,
    events.category,
    events.seller_id,
    events.quantity,
    events.quantity_change,
    events.unit_price,
    events.unit_cost,
    events.freight_amount,
    events.node_id,
    events.ship_to_id,
    events.ship_to_region,
    events.clock_zone,
    case when events.event_type <> 'order.released' then events.requested_at end as requested_at,
    events.promise_at,
    case when events.event_type <> 'order.released' then events.window_start_at end as window_start_at,
    case when events.event_type <> 'order.released' then events.window_end_at end as window_end_at,
    case when events.event_type <> 'order.released' then events.ship_window_start_at end as ship_window_start_at,
    case when events.event_type <> 'order.released' then events.ship_by_at end as ship_by_at,
    case when events.event_type <> 'order.released' then events.cancel_after_at end as cancel_after_at,
    events.actor,
    events.hold_type,
    case
        when events.event_type = 'order.captured' then upper({{ json_text("events.attributes", "'$.incoterm'") }})
    end as incoterm,
    case
        when events.event_type = 'order.changed' then {{ json_text("events.attributes", "'$.purpose'") }}
    end as change_purpose,
    row_number() over (
        partition by events.order_id
        order by events.event_at asc, events.observed_at asc, events.event_id asc
    ) as event_order
from {{ ref('int_order_events_identified') }} as events
left join {{ ref('int_line_renames') }} as line_renames
    on
        events.order_id = line_renames.order_id
        and events.line_id = line_renames.line_reference
        and events.sku = line_renames.sku
        and events.event_type not in ('order.captured', 'order.changed')
where not events.is_shadowed
