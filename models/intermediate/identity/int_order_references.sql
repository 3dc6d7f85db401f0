{{ config(materialized='by_number', number='order_reference') }}
{#- Every order number that any system ever used: one row per system and number. News are added to what stands. -#}
{%- set families = ["order", "shipment", "return", "finance", "document"] -%}
-- depends_on: {{ ref('int_numbers_changed') }}
-- depends_on: {{ ref('stg_landing__new_events') }}
with mentions as (
    {%- if execute and is_build_incremental() %}
        select
            source,
            order_id as order_reference,
            event_at as first_seen_at,
            event_at as last_seen_at,
            1 as events
        from {{ ref('stg_landing__new_events') }}
        where order_id is not null
        union all
        select
            source,
            order_reference,
            first_seen_at,
            last_seen_at,
            events
        from {{ this }}
        where {{ of_numbers_changed("order_reference") }}
    {%- else %}
        {%- for family in families %}
            select
                source,
                order_id as order_reference,
                min(event_at) as first_seen_at,
                max(event_at) as last_seen_at,
                count(*) as events
            from {{ ref('stg_landing__' ~ family ~ '_events') }}
            where order_id is not null
            group by source, order_id
            {{ "union all" if not loop.last }}
        {%- endfor %}
    {%- endif %}
)

select
    source,
    order_reference,
    cast(sum(events) as bigint) as events,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from mentions
group by source, order_reference
