select
    kpi_id,
    coalesce(channel, '') as channel,
    source,
    cast(target as double) as target,
    effective_from,
    effective_to
from {{ ref('targets') }}
