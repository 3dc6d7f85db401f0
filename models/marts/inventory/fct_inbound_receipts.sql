select
    receipt_id,
    sku,
    node_id,
    quantity_expected as quantity,
    coalesce(is_confirmed, false) as is_confirmed,
    expected_at
from {{ ref('int_receipts_consolidated') }}
where received_at is null and quantity_expected > 0
