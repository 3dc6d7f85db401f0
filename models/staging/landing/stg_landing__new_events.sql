{{ config(materialized='table') }}
{#-
    What the last build did not see: events that landed since, and those that lay in its future. Landing tables only
    grow, so the number of their rows tells where the news begins. None on a build from scratch, to which all is new.
-#}
{% set none_told = "cast(null as varchar)" %}
{% set keys = {
    "order": (none_told, none_told, none_told),
    "shipment": ("shipment_id", "tracking_number", none_told),
    "return": (none_told, none_told, "rma_id"),
    "finance": (none_told, none_told, none_told),
    "document": (none_told, none_told, none_told),
} %}
{% for family, (shipment_id, tracking_number, rma_id) in keys.items() %}
    {% for kind in ["landed", "due"] %}
        select
            source,
            order_id,
            {{ shipment_id }} as shipment_id,
            {{ tracking_number }} as tracking_number,
            {{ rma_id }} as rma_id,
            event_at
        from {{ source('landing', family ~ '_events') }}
        where {{ is_event_new(family, kind) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
