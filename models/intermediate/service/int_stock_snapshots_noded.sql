{{ config(materialized='compared') }}
{#-
    Stock of a SKU at a node on each day it was counted: what could be sold at all, and what was left for a channel after
    the reservations of the others. `previous_date` and `next_date` are the neighbouring counts.
-#}
with cells as (
    select
        sku,
        node_id,
        {{ company_date('event_at') }} as snapshot_date,
        quantity - coalesce(reserved_quantity, 0) - coalesce(quarantine_quantity, 0) as sellable,
        max(event_at) over (partition by sku, node_id, {{ company_date('event_at') }}) = event_at as is_last_of_day
    from {{ ref('stg_landing__inventory_events') }}
    where event_type = 'inventory.snapshot'
),

stocked as (
    select
        cells.sku,
        cells.node_id,
        cells.snapshot_date,
        greatest(sum(cells.sellable) - max(coalesce(safety_stock.quantity, 0)), 0) as sellable
    from cells
    left join {{ ref('safety_stock') }} as safety_stock
        on cells.sku = safety_stock.sku and cells.node_id = safety_stock.node_id
    where cells.is_last_of_day
    group by cells.sku, cells.node_id, cells.snapshot_date
),

channels as (
    select distinct channel
    from {{ ref('int_orders_consolidated') }}
),

kept as (
    select
        stocked.sku,
        stocked.node_id,
        stocked.snapshot_date,
        channels.channel,
        sum(case when reservations.channel <> channels.channel then reservations.quantity else 0 end) as kept_for_others
    from stocked
    inner join {{ ref('channel_reservations') }} as reservations
        on
            stocked.sku = reservations.sku
            and stocked.node_id = reservations.node_id
            and stocked.snapshot_date >= coalesce(reservations.effective_from, date '0001-01-01')
            and stocked.snapshot_date <= coalesce(reservations.effective_to, date '9999-12-31')
    cross join channels
    group by stocked.sku, stocked.node_id, stocked.snapshot_date, channels.channel
)

select
    stocked.sku,
    stocked.node_id,
    channels.channel,
    stocked.sellable,
    greatest(stocked.sellable - coalesce(kept.kept_for_others, 0), 0) as free,
    stocked.snapshot_date,
    lag(stocked.snapshot_date) over (
        partition by stocked.sku, stocked.node_id, channels.channel
        order by stocked.snapshot_date
    ) as previous_date,
    lead(stocked.snapshot_date) over (
        partition by stocked.sku, stocked.node_id, channels.channel
        order by stocked.snapshot_date
    ) as next_date
from stocked
cross join channels
left join kept
    on
        stocked.sku = kept.sku
        and stocked.node_id = kept.node_id
        and stocked.snapshot_date = kept.snapshot_date
        and channels.channel = kept.channel
