select
    carrier,
    coalesce(carrier_name, carrier) as carrier_name,
    mode
from {{ ref('carriers') }}
