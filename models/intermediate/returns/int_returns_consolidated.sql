{{ config(materialized='incremental', linked=true) }}
{#- Return snapshots come again with news: the youngest observation of each stage counts. -#}
{% set stages = {
    "rma.created": "created_at",
    "return.in_transit": "in_transit_at",
    "return.received": "received_at",
    "return.graded": "graded_at",
    "return.restocked": "restocked_at",
    "refund.issued": "refunded_at",
} %}
with ranked as (
    select
        events.rma_id,
        events.event_type,
        events.event_at,
        events.observed_at,
        events.line_id,
        events.sku,
        events.quantity,
        events.reason,
        events.disposition,
        events.amount,
        events.currency,
        events.node_id,
        events.tracking_number,
        coalesce(events.order_id, owners.order_id) as order_id,
        coalesce(events.line_id, events.sku) as item,
        row_number() over (
            partition by events.rma_id, events.order_id, events.line_id, events.sku, events.event_type
            order by events.observed_at desc, events.event_at desc, events.event_id asc
        ) as recency
    from {{ ref('int_return_events_identified') }} as events
    left join {{ ref('int_return_owners') }} as owners on events.rma_id = owners.rma_id and events.order_id is null
    where events.order_id is not null or owners.order_id is not null
),

latest as (
    select *
    from ranked
    where recency = 1
),

items as (
    select
        rma_id,
        order_id,
        item,
        max(line_id) as line_id,
        max(sku) as sku,
        max(case when event_type <> 'refund.issued' then 1 else 0 end) = 1 as is_physical,
        max(case when event_type = 'return.received' then quantity end) as quantity_received,
        max(case when event_type = 'rma.created' then quantity end) as quantity_requested,
        max(quantity) as quantity_stated,
        max(case when event_type = 'rma.created' then reason end) as reason_requested,
        max(reason) as reason_stated,
        max(disposition) as disposition,
        max(case when event_type = 'refund.issued' then amount end) as refund_amount,
        max(currency) as currency,
        max(node_id) as node_id,
        {% for event_type, column in stages.items() %}
            max(case when event_type = '{{ event_type }}' then event_at end) as {{ column }},
        {% endfor %}
        max(tracking_number) as tracking_number
    from latest
    where item is not null
    group by rma_id, order_id, item
),

whole as (
    select
        rma_id,
        max(order_id) as order_id,
        max(reason) as reason,
        max(disposition) as disposition,
        max(case when event_type = 'refund.issued' then amount end) as refund_amount,
        max(currency) as currency,
        max(node_id) as node_id,
        {% for event_type, column in stages.items() %}
            max(case when event_type = '{{ event_type }}' then event_at end) as {{ column }},
        {% endfor %}
        max(tracking_number) as tracking_number
    from latest
    where item is null
    group by rma_id
),

-- The refund of a whole RMA is shared evenly, so that the sum over its items stays the refund.
joined as (
    select
        coalesce(items.rma_id, whole.rma_id) as rma_id,
        coalesce(items.order_id, whole.order_id) as order_id,
        items.line_id,
        items.sku,
        items.item,
        coalesce(items.is_physical, true) as is_physical,
        coalesce(items.quantity_received, items.quantity_requested, items.quantity_stated) as quantity,
        coalesce(items.reason_requested, items.reason_stated, whole.reason) as reason,
        coalesce(items.disposition, whole.disposition) as disposition,
        coalesce(items.refund_amount, whole.refund_amount / count(*) over (partition by whole.rma_id)) as refund_amount,
        coalesce(items.currency, whole.currency) as currency,
        coalesce(items.node_id, whole.node_id) as node_id,
        {% for column in stages.values() %}
            coalesce(items.{{ column }}, whole.{{ column }}) as {{ column }},
        {% endfor %}
        coalesce(items.tracking_number, whole.tracking_number) as tracking_number
    from items
    full outer join whole on items.rma_id = whole.rma_id
),

-- The shop books a refund of its own for a return that the returns platform tells with all its stages: once is enough.
physical_items as (
    select distinct
        order_id,
        item
    from joined
    where is_physical and order_id <> '(none)'
)

select
    joined.rma_id,
    joined.order_id,
    joined.line_id,
    joined.sku,
    joined.item,
    joined.quantity,
    joined.reason,
    joined.disposition,
    joined.refund_amount,
    joined.currency,
    joined.node_id,
    {% for column in stages.values() %}
        joined.{{ column }},
    {% endfor %}
    joined.tracking_number
from joined
left join physical_items on joined.order_id = physical_items.order_id and joined.item = physical_items.item
where joined.is_physical or physical_items.item is null
