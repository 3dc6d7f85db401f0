select
    batch_id,
    source,
    file as file_name,
    sha256,
    rows_in,
    events_landed,
    events_duplicate,
    rows_rejected
from {{ source('landing', 'files') }}
