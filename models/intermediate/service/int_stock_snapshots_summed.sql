{{ config(materialized='compared') }}
{#- Stock of a SKU over all nodes on each day it was counted, as `int_stock_snapshots_noded` states it per node. -#}
with summed as (
    select
        sku,
        channel,
        sum(sellable) as sellable,
        sum(free) as free,
        snapshot_date
    from {{ ref('int_stock_snapshots_noded') }}
    group by sku, channel, snapshot_date
)

select
    sku,
    channel,
    sellable,
    free,
    snapshot_date,
    lag(snapshot_date) over (partition by sku, channel order by snapshot_date) as previous_date,
    lead(snapshot_date) over (partition by sku, channel order by snapshot_date) as next_date
from summed
