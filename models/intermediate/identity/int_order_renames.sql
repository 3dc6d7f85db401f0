{#- The few numbers whose order has another id, or whose captures another system's replace; everything else is its own id. -#}
select
    source,
    order_reference,
    order_id,
    status = 'matched' as is_shadowed,
    valid_from_at,
    valid_to_at
from {{ ref('int_order_identities') }}
where
    order_id <> order_reference
    or (
        status = 'matched'
        and (source, order_reference) in (
            select
                source,
                order_reference
            from {{ ref('int_order_captures') }}
        )
    )
