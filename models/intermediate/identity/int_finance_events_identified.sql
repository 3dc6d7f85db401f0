{#- Finance events under the order they belong to. -#}
select
    events.event_id,
    events.event_type,
    events.event_at,
    events.observed_at,
    events.time_quality,
    events.source,
    events.source_ref,
    events.batch_id,
    events.document_id,
    events.reference_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.line_id,
    events.sku,
    events.customer_id,
    events.quantity,
    events.unit_price,
    events.amount,
    events.currency,
    events.reason_code,
    events.violation,
    events.due_at,
    events.outcome,
    events.attributes
from {{ ref('stg_landing__finance_events') }} as events
left join {{ ref('int_order_renames') }} as renames
    on
        events.source = renames.source
        and events.order_id = renames.order_reference
        and events.event_at >= coalesce(renames.valid_from_at, events.event_at)
        and (renames.valid_to_at is null or events.event_at < renames.valid_to_at)
