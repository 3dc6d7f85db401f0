{#-
    Orders that share a parcel or a shipment, by the number they share: what is known of one of them can change the
    others. Grain is order_id, link.
-#}
{%- set numbers = ["tracking_number", "shipment_id"] -%}
with events as (
    select
        events.tracking_number,
        events.shipment_id,
        coalesce(renames.order_id, events.order_id) as order_id
    from {{ ref('stg_landing__shipment_events') }} as events
    {{ join_renames() }}
    where events.order_id is not null
),

mentions as (
    {%- for number in numbers %}
        select
            {{ number }} as link,
            order_id
        from events
        where {{ number }} is not null
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
