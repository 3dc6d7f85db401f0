select
    batch_id,
    source,
    status,
    verdict,
    files as file_count,
    rows_in,
    events_landed,
    events_duplicate,
    rows_rejected,
    seconds,
    landed_at
from {{ source('landing', 'batches') }}
