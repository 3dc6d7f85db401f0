{#- Every snapshot of every cell, lots added up; a correction of the same cell replaces it. -#}
with ranked as (
    select
        sku,
        node_id,
        event_at,
        quantity,
        quarantine_quantity,
        row_number() over (
            partition by sku, node_id, lot, event_at
            order by observed_at desc, event_id asc
        ) as recency
    from {{ ref('stg_landing__inventory_events') }}
    where event_type = 'inventory.snapshot'
)

select
    sku,
    node_id,
    event_at as snapshot_at,
    cast(sum(quantity) as decimal(18, 3)) as on_hand,
    cast(sum(coalesce(quarantine_quantity, 0)) as decimal(18, 3)) as quarantine
from ranked
where recency = 1
group by sku, node_id, event_at
