select
    event_id,
    event_type,
    event_at,
    observed_at,
    time_quality,
    source,
    source_ref,
    batch_id,
    document_type,
    direction,
    partner_id,
    interchange_control,
    group_control,
    set_control,
    document_id,
    order_id,
    answered_by,
    status,
    reason,
    attributes
from {{ source('landing', 'document_events') }}
where event_at < {{ as_of() }}
