{#- Every cancellation per line; one of the whole order is spread over its lines. Quantity null = all that is open. -#}
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
)

select
    *,
    row_number() over (
        partition by order_id, line_id
        order by case when quantity is null then 1 else 0 end, event_order
    ) as position
from spread
