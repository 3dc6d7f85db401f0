{#- Document events under the order they belong to. -#}
select
    events.event_id,
    events.event_type,
    events.event_at,
    events.observed_at,
    events.time_quality,
    events.source,
    events.source_ref,
    events.batch_id,
    events.document_type,
    events.direction,
    events.partner_id,
    events.interchange_control,
    events.group_control,
    events.set_control,
    events.document_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.answered_by,
    events.status,
    events.reason,
    events.attributes
from {{ ref('stg_landing__document_events') }} as events
left join {{ ref('int_order_renames') }} as renames
    on
        events.source = renames.source
        and events.order_id = renames.order_reference
        and events.event_at >= coalesce(renames.valid_from_at, events.event_at)
        and (renames.valid_to_at is null or events.event_at < renames.valid_to_at)
