{{ config(materialized='by_number', number='link', whole_after='int_order_renames') }}
{#-
    Orders that share a parcel, a shipment or a return, by the number they share: what is known of one of them can change
    the others. Grain is order_id, link.
-#}
{%- set numbers = {"tracking_number": "shipment", "shipment_id": "shipment", "rma_id": "return"} -%}
-- depends_on: {{ ref('int_numbers_changed') }}
with mentions as (
    {%- for number, family in numbers.items() %}
        select
            events.{{ number }} as link,
            coalesce(renames.order_id, events.order_id) as order_id
        from {{ ref('stg_landing__' ~ family ~ '_events') }} as events
        {{ join_renames() }}
        where
            events.order_id is not null
            and events.{{ number }} is not null
            and {{ of_numbers_changed('events.' ~ number) }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

shared as (
    select link
    from mentions
    group by link
    having min(order_id) <> max(order_id)
)

select distinct
    mentions.order_id,
    mentions.link
from mentions
inner join shared on mentions.link = shared.link
