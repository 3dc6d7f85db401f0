{#-
    The numbers that new events name: what models by number (macros/incremental.sql) make anew. `kind` is order_reference
    or link (a parcel, shipment or return). None on a build from scratch. Grain is kind, number.
-#}
select distinct
    'order_reference' as kind,
    order_id as number
from {{ ref('stg_landing__new_events') }}
where order_id is not null
{%- for number in ["tracking_number", "shipment_id", "rma_id"] %}
    union
    select
        'link' as kind,
        {{ number }} as number
    from {{ ref('stg_landing__new_events') }}
    where {{ number }} is not null
{%- endfor %}
