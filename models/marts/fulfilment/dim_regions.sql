{#- Ship-to regions with the zone that lanes lead to; a code that two countries use leads to no single zone. -#}
select
    ship_to_region as region,
    min(region_name) as region_name,
    {{ one_or_multiple('lane_zone') }} as lane_zone
from {{ ref('regions') }}
group by ship_to_region
