-- What was ordered last is cancelled, shipped or open; only an over-shipment may exceed it.
select *
from {{ ref('int_order_lines_balanced') }}
where
    open_quantity is not null
    and coalesce(exclusion_reason, '') <> 'no_ship'
    and abs(current_total - quantity_cancelled - quantity_shipped - open_quantity) > 0.0001
    and quantity_shipped + quantity_cancelled < current_total
