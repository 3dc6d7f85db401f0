{% set keys = {
    "order": "order_id", "shipment": "order_id", "return": "order_id",
    "inventory": "cast(null as varchar)", "finance": "order_id", "document": "order_id",
} %}
{% for family, order_id in keys.items() %}
    select
        event_id,
        event_type,
        '{{ family }}' as family,
        source,
        source_ref,
        {{ order_id }} as order_id,
        event_at
    from {{ source('landing', family ~ '_events') }}
    where event_at >= {{ as_of() }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
