select
    batch_id,
    source,
    status,
    verdict,
    cast(file_count as bigint) as file_count,
    cast(rows_in as bigint) as rows_in,
    cast(events_landed as bigint) as events_landed,
    cast(events_duplicate as bigint) as events_duplicate,
    cast(rows_rejected as bigint) as rows_rejected,
    seconds,
    landed_at
from {{ ref('stg_landing__batches') }}
