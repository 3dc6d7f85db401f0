{{ config(materialized='incremental') }}
{#- Every stay on hold with its end; a hold placed twice is one stay, an open one has no end yet. -#}
with ordered as (
    select
        order_id,
        coalesce(line_id, '') as line_id,
        hold_type,
        event_type,
        event_at,
        event_order,
        lag(event_type) over (
            partition by order_id, coalesce(line_id, ''), hold_type
            order by event_order
        ) as previous_type
    from {{ ref('int_order_events_sequenced') }}
    where event_type in ('hold.placed', 'hold.released')
),

turns as (
    select
        order_id,
        line_id,
        hold_type,
        event_type,
        event_at as placed_at,
        lead(event_at) over (partition by order_id, line_id, hold_type order by event_order) as released_at
    from ordered
    where event_type <> coalesce(previous_type, 'hold.released')
)

select
    order_id,
    line_id,
    hold_type,
    placed_at,
    released_at
from turns
where event_type = 'hold.placed'
