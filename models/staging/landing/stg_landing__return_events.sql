select
    event_id,
    event_type,
    event_at,
    observed_at,
    time_quality,
    source,
    source_ref,
    batch_id,
    rma_id,
    order_id,
    line_id,
    sku,
    quantity,
    reason,
    disposition,
    amount,
    currency,
    tracking_number,
    node_id,
    attributes
from {{ source('landing', 'return_events') }}
where event_at < {{ as_of() }}
