{#- Every order number that any system uses, and the order it means. -#}
select
    source,
    order_reference,
    order_id,
    rule_id,
    status,
    events,
    candidates,
    valid_from_at,
    valid_to_at,
    first_seen_at,
    last_seen_at
from {{ ref('int_order_identities') }}
