select
    node_id,
    lane_zone,
    carrier,
    service,
    cast(transit_days as bigint) as transit_days,
    cost_per_unit
from {{ ref('lanes') }}
