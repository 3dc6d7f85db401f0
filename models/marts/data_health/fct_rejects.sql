select
    batch_id,
    source,
    source_ref,
    reason,
    raw
from {{ ref('stg_landing__rejects') }}
