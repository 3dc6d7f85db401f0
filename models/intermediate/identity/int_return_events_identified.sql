{#- Return events under the order they belong to. -#}
select
    events.event_id,
    events.event_type,
    events.event_at,
    events.observed_at,
    events.time_quality,
    events.source,
    events.source_ref,
    events.batch_id,
    events.rma_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.line_id,
    events.sku,
    events.quantity,
    events.reason,
    events.disposition,
    events.amount,
    events.currency,
    events.tracking_number,
    events.node_id,
    events.attributes
from {{ ref('stg_landing__return_events') }} as events
left join {{ ref('int_order_renames') }} as renames
    on
        events.source = renames.source
        and events.order_id = renames.order_reference
        and events.event_at >= coalesce(renames.valid_from_at, events.event_at)
        and (renames.valid_to_at is null or events.event_at < renames.valid_to_at)
