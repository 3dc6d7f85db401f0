{{ config(materialized='view') }}
{#-
    Cut-off adherence (K14): int_node_orders_clocked with what excuses the node: stock that was not there, more volume than
    agreed, a carrier that did not come. The clock's proof stands beside the verdict: release, due end of the day, last
    scan. Grain is order and node.
-#}
{% set volume_cap = var('volume_excuse_share', 1.15) %}
with loads as (
    select
        node_id,
        due_at,
        sum(units) as units
    from {{ ref('int_node_orders_clocked') }}
    where due_at is not null
    group by node_id, due_at
)

select
    clocked.order_id,
    clocked.node_id,
    clocked.currency,
    clocked.channel,
    clocked.channel_type,
    clocked.customer_id,
    clocked.carrier,
    clocked.region,
    clocked.category,
    clocked.seller_id,
    clocked.exclusion_reason,
    case
        when clocked.is_adhered or clocked.exclusion_reason is not null then null
        when clocked.is_short then 'stock_out'
        when loads.units > clocked.daily_capacity_units * {{ volume_cap }} then 'volume_above_cap'
        when clocked.packed_at < clocked.due_at then 'carrier_no_show'
    end as excuse,
    cast(clocked.units as double) as units,
    cast(coalesce(loads.units, 0) as double) as node_day_units,
    cast(clocked.daily_capacity_units as double) as daily_capacity_units,
    clocked.is_due,
    clocked.is_adhered,
    clocked.due_date,
    clocked.released_at,
    clocked.due_at,
    clocked.packed_at,
    clocked.accepted_at
from {{ ref('int_node_orders_clocked') }} as clocked
left join loads on clocked.node_id = loads.node_id and clocked.due_at = loads.due_at
