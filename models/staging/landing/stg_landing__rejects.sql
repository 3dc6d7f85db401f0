select
    batch_id,
    source,
    source_ref,
    reason,
    raw
from {{ source('landing', 'rejects') }}
