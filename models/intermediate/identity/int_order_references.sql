{#- Every order number that any system ever used: one row per system and number. -#}
{%- set families = ["order", "shipment", "return", "finance", "document"] -%}
with mentions as (
    {% for family in families %}
        select
            source,
            order_id as order_reference,
            min(event_at) as first_seen_at,
            max(event_at) as last_seen_at,
            count(*) as events
        from {{ ref('stg_landing__' ~ family ~ '_events') }}
        where order_id is not null
        group by source, order_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    source,
    order_reference,
    cast(sum(events) as bigint) as events,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from mentions
group by source, order_reference
