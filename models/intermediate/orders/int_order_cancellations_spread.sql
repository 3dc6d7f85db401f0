{{ config(materialized='incremental') }}
{#-
    Every cancellation per line; one of the whole order is spread over its lines. Quantity null = all that is open. A buyer
    who replaces his order (purpose 05) states it anew: a line he leaves out he wants no more.
-#}
with cancellations as (
    select
        order_id,
        line_id,
        actor,
        quantity,
        time_quality,
        event_at,
        event_order
    from {{ ref('int_order_events_sequenced') }}
    where event_type = 'order.cancelled'
),

spread as (
    select
        order_lines.order_id,
        order_lines.line_id,
        cancellations.actor,
        -- A quantity without a line says how much of the order went, not of which line: all that is open.
        case when cancellations.line_id is not null then cancellations.quantity end as quantity,
        cancellations.time_quality,
        cancellations.event_at as cancelled_at,
        cancellations.event_order
    from cancellations
    inner join {{ ref('int_order_lines_consolidated') }} as order_lines
        on
            cancellations.order_id = order_lines.order_id
            and (cancellations.line_id = order_lines.line_id or cancellations.line_id is null)
),

replacements as (
    select
        order_id,
        event_at,
        min(event_order) as event_order
    from {{ ref('int_order_events_sequenced') }}
    where event_type = 'order.changed' and actor = 'customer' and change_purpose = '05' and line_id is not null
    group by order_id, event_at
),

restated as (
    select distinct
        order_id,
        line_id,
        event_at
    from {{ ref('int_order_events_sequenced') }}
    where line_id is not null and event_type in ('order.captured', 'order.changed', 'order.cancelled')
),

left_out as (
    select
        order_lines.order_id,
        order_lines.line_id,
        'customer' as actor,
        cast(null as decimal(18, 3)) as quantity,
        'instant' as time_quality,
        replacements.event_at as cancelled_at,
        replacements.event_order
    from replacements
    inner join {{ ref('int_order_lines_consolidated') }} as order_lines
        on replacements.order_id = order_lines.order_id and replacements.event_at > order_lines.captured_at
    left join restated
        on
            order_lines.order_id = restated.order_id
            and order_lines.line_id = restated.line_id
            and replacements.event_at = restated.event_at
    where restated.order_id is null
),

combined as (
    select * from spread
    union all
    select * from left_out
)

select
    *,
    row_number() over (
        partition by order_id, line_id
        order by case when quantity is null then 1 else 0 end, event_order
    ) as position
from combined
