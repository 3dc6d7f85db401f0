{#-
    The youngest snapshot of every SKU and node, lots added up; a correction of the same cell replaces it. Where a report
    says that it lists everything the node has, what it does not list is there no more.
-#}
with cells as (
    select
        sku,
        node_id,
        event_at,
        quantity,
        reserved_quantity,
        quarantine_quantity,
        source,
        max(event_at) over (partition by sku, node_id) as snapshot_at,
        max(case when {{ json_text("attributes", "'$.scope'") }} = 'full' then event_at end) over (
            partition by node_id
        ) as full_at,
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
    snapshot_at,
    cast(sum(quantity) as decimal(18, 3)) as on_hand,
    cast(sum(coalesce(reserved_quantity, 0)) as decimal(18, 3)) as reserved,
    cast(sum(coalesce(quarantine_quantity, 0)) as decimal(18, 3)) as quarantine
from cells
where event_at = snapshot_at and recency = 1 and (full_at is null or snapshot_at >= full_at)
group by sku, node_id, snapshot_at
