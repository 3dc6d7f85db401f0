{{ config(materialized='incremental') }}
{#-
    The first and the latest promise of lines that were promised several times, and (line_id null) of whole orders.
    Several dates in one answer (part now, part on backorder) promise the line by the last of them; the quantities of the
    first answer add up.
-#}
with said as (
    select
        order_id,
        line_id,
        event_type,
        event_at,
        promise_at,
        quantity
    from {{ ref('int_order_events_sequenced') }}
    where promise_at is not null and event_type in ('order.captured', 'order.promised', 'order.changed')
),

repromised as (
    select
        order_id,
        line_id
    from said
    where line_id is not null
    group by order_id, line_id
    having count(*) > 1
),

promises as (
    select
        said.*,
        min(said.event_at) over (partition by said.order_id, said.line_id) as first_at,
        max(said.event_at) over (partition by said.order_id, said.line_id) as latest_at
    from said
    left join repromised on said.order_id = repromised.order_id and said.line_id = repromised.line_id
    where said.line_id is null or repromised.order_id is not null
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
