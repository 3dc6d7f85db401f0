select
    files.batch_id,
    files.source,
    files.file_name,
    files.sha256,
    cast(files.rows_in as bigint) as rows_in,
    cast(files.events_landed as bigint) as events_landed,
    cast(files.events_duplicate as bigint) as events_duplicate,
    cast(files.rows_rejected as bigint) as rows_rejected,
    batches.landed_at
from {{ ref('stg_landing__files') }} as files
left join {{ ref('stg_landing__batches') }} as batches on files.batch_id = batches.batch_id
