with named as (
    select *
    from {{ ref('skus') }}
),

-- Orders also name goods that the list of SKUs does not know.
seen as (
    select
        sku,
        max(nullif(category, '(none)')) as category
    from {{ ref('int_order_lines_consolidated') }}
    where sku is not null
    group by sku
)

select
    coalesce(named.sku, seen.sku) as sku,
    coalesce(named.sku_name, named.sku, seen.sku) as sku_name,
    coalesce(named.category, seen.category, '(none)') as category,
    named.unit_cost,
    named.unit_price,
    named.pack_quantity,
    named.weight_kg
from named
full outer join seen on named.sku = seen.sku
