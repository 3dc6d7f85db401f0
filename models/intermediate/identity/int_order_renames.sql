{{ config(materialized='compared', by_row=true) }}
{#- The few numbers whose order has another id, or whose captures another system replaces. -#}
with captured as (
    select distinct
        source,
        order_reference
    from {{ ref('int_order_captures') }}
)

select
    identities.source,
    identities.order_reference,
    identities.order_id,
    identities.status = 'matched' as is_shadowed,
    identities.valid_from_at,
    identities.valid_to_at
from {{ ref('int_order_identities') }} as identities
left join captured
    on identities.source = captured.source and identities.order_reference = captured.order_reference
where
    identities.order_id <> identities.order_reference
    or (identities.status = 'matched' and captured.source is not null)
