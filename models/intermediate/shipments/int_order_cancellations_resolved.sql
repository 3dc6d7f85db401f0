{{ config(materialized='incremental') }}
{#-
    Cancelled units per cancellation and line. Stated quantities count as stated, as far as there was something left to
    cancel; the first cancellation of "all that is open" takes what was neither shipped nor cancelled by quantity.
-#}
with cancellable as (
    select
        cancellations.order_id,
        cancellations.line_id,
        cancellations.actor,
        cancellations.time_quality,
        cancellations.cancelled_at,
        cancellations.event_order,
        cancellations.position,
        cancellations.quantity,
        greatest(order_lines.current_total - shipped.quantity_shipped, 0) as left_to_cancel,
        coalesce(sum(cancellations.quantity) over (
            partition by cancellations.order_id, cancellations.line_id
            order by cancellations.position
            rows between unbounded preceding and 1 preceding
        ), 0) as cancelled_before,
        min(case when cancellations.quantity is null then cancellations.position end) over (
            partition by cancellations.order_id, cancellations.line_id
        ) as first_open_position
    from {{ ref('int_order_cancellations_spread') }} as cancellations
    inner join {{ ref('int_order_lines_consolidated') }} as order_lines
        on cancellations.order_id = order_lines.order_id and cancellations.line_id = order_lines.line_id
    inner join {{ ref('int_order_lines_shipped') }} as shipped
        on cancellations.order_id = shipped.order_id and cancellations.line_id = shipped.line_id
)

select
    order_id,
    line_id,
    actor,
    time_quality,
    cast(
        case
            when quantity is not null then greatest(least(quantity, left_to_cancel - cancelled_before), 0)
            when position = first_open_position then greatest(left_to_cancel - cancelled_before, 0)
            else 0
        end as decimal(18, 3)
    ) as quantity_cancelled,
    event_order,
    cancelled_at
from cancellable
