with safety as (
    select
        sku,
        node_id,
        sum(quantity) as quantity
    from {{ ref('safety_stock') }}
    group by sku, node_id
)

select
    snapshots.sku,
    snapshots.node_id,
    snapshots.on_hand,
    snapshots.reserved,
    snapshots.quarantine,
    cast(snapshots.on_hand - snapshots.reserved - snapshots.quarantine as decimal(18, 3)) as available,
    cast(coalesce(safety.quantity, 0) as decimal(18, 3)) as safety_stock,
    snapshots.snapshot_at
from {{ ref('int_inventory_snapshots_latest') }} as snapshots
left join safety on snapshots.sku = safety.sku and snapshots.node_id = safety.node_id
