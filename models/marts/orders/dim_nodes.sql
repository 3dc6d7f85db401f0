with named as (
    select *
    from {{ ref('nodes') }}
),

seen as (
    select distinct node_id
    from {{ ref('int_shipment_lines') }}
    where node_id is not null
    union
    select distinct node_id
    from {{ ref('int_order_lines_consolidated') }}
    where node_id is not null
)

select
    coalesce(named.node_id, seen.node_id) as node_id,
    coalesce(named.node_name, named.node_id, seen.node_id) as node_name,
    named.node_type,
    coalesce(named.zone, {{ company_zone() }}) as zone,
    named.cut_off_time,
    named.operating_days,
    named.daily_capacity_units,
    named.region
from named
full outer join seen on named.node_id = seen.node_id
