{{ config(materialized='incremental') }}
{#-
    Line numbers that the capturing system does not know, with the line they mean: the only line of the order with the
    same SKU. Where two lines share the SKU nothing is matched. One row per order, foreign line number and SKU.
-#}
{%- set families = ["order", "shipment", "return"] -%}
with ordered as (
    select
        order_id,
        line_id,
        sku
    from {{ ref('int_order_events_identified') }}
    where event_type in ('order.captured', 'order.changed') and not is_shadowed and line_id is not null
),

mentioned as (
    {% for family in families %}
        select
            order_id,
            line_id,
            sku
        from {{ ref('int_' ~ family ~ '_events_identified') }}
        where
            line_id is not null and sku is not null and order_id is not null
            {% if family == "order" %}and event_type not in ('order.captured', 'order.changed'){% endif %}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

strays as (
    select distinct mentioned.*
    from mentioned
    anti join ordered on mentioned.order_id = ordered.order_id and mentioned.line_id = ordered.line_id
),

-- Of the few orders of which somebody tells a foreign number.
lines as (
    select
        ordered.order_id,
        ordered.line_id,
        max(ordered.sku) as sku
    from ordered
    where ordered.order_id in (select strays.order_id from strays)
    group by ordered.order_id, ordered.line_id
)

select
    strays.order_id,
    strays.line_id as line_reference,
    strays.sku,
    min(lines.line_id) as line_id
from strays
inner join lines on strays.order_id = lines.order_id and strays.sku = lines.sku
group by strays.order_id, strays.line_id, strays.sku
having count(*) = 1
