{#-
    What the last build did not see: events that landed since, and those that lay in its future. Landing tables only
    grow, so the number of their rows tells where the news begins. None on a build from scratch, to which all is new.
-#}
{% set keys = {
    "order": ("cast(null as varchar)", "cast(null as varchar)"),
    "shipment": ("shipment_id", "tracking_number"),
    "return": ("cast(null as varchar)", "cast(null as varchar)"),
    "finance": ("cast(null as varchar)", "cast(null as varchar)"),
    "document": ("cast(null as varchar)", "cast(null as varchar)"),
} %}
{% for family, (shipment_id, tracking_number) in keys.items() %}
    select
        events.source,
        events.order_id,
        {{ shipment_id }} as shipment_id,
        {{ tracking_number }} as tracking_number,
        events.event_at
    from {{ source('landing', family ~ '_events') }} as events
    inner join {{ source('builds', 'seen') }} as seen on seen.family = '{{ family }}'
    where
        events.event_at < {{ as_of() }}
        and (events.rowid >= seen.events or events.event_at >= seen.as_of)
    {% if not loop.last %}union all{% endif %}
{% endfor %}
