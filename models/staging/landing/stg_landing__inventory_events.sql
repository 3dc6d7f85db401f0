select
    event_id,
    event_type,
    event_at,
    observed_at,
    time_quality,
    source,
    source_ref,
    batch_id,
    sku,
    node_id,
    quantity,
    reserved_quantity,
    quarantine_quantity,
    lot,
    expiry_date,
    receipt_id,
    expected_at,
    is_confirmed,
    attributes
from {{ source('landing', 'inventory_events') }}
where event_at < {{ as_of() }}
