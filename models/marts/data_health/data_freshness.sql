{%- set families = ["order", "shipment", "return", "inventory", "finance", "document"] -%}
with events as (
    {% for family in families %}
        select
            source,
            max(event_at) as last_event_at,
            max(observed_at) as last_observed_at,
            count(*) as events
        from {{ ref('stg_landing__' ~ family ~ '_events') }}
        group by source
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

per_source as (
    select
        source,
        max(last_event_at) as last_event_at,
        max(last_observed_at) as last_observed_at,
        sum(events) as events
    from events
    group by source
),

rejected as (
    select
        source,
        count(*) as rejects
    from {{ ref('stg_landing__rejects') }}
    group by source
)

select
    coalesce(per_source.source, rejected.source) as source,
    cast(coalesce(per_source.events, 0) as bigint) as events,
    cast(coalesce(rejected.rejects, 0) as bigint) as rejects,
    per_source.last_event_at,
    per_source.last_observed_at
from per_source
full outer join rejected on per_source.source = rejected.source
