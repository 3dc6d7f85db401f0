select
    receipt_id,
    sku,
    node_id,
    quantity_received as quantity,
    received_at
from {{ ref('int_receipts_consolidated') }}
where received_at is not null and quantity_received > 0
