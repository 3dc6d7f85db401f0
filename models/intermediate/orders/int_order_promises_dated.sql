{{ config(materialized='incremental') }}
{#-
    The first and the latest promise, per line and (line_id null) for the whole order. Several dates in one answer
    (part now, part on backorder) promise the line by the last of them; the quantities of the first answer add up.
-#}
with promises as (
    select
        order_id,
        line_id,
        event_type,
        event_at,
        promise_at,
        quantity,
        min(event_at) over (partition by order_id, line_id) as first_at,
        max(event_at) over (partition by order_id, line_id) as latest_at
    from {{ ref('int_order_events_sequenced') }}
    where promise_at is not null and event_type in ('order.captured', 'order.promised', 'order.changed')
)

select
    order_id,
    line_id,
    max(case when event_at = first_at then promise_at end) as promise_first_at,
    max(case when event_at = latest_at then promise_at end) as promise_latest_at,
    max(event_at) as latest_said_at,
    cast(sum(case when event_at = first_at and event_type = 'order.promised' then quantity end) as decimal(18, 3))
        as quantity_promised
from promises
group by order_id, line_id
