{{ config(
    materialized='incremental', in_pieces=true, by_capture_day=true, ticks='not is_ship_due and ship_due_at <= as_of'
) }}
{#-
    Was the line with the carrier before its ship-by instant (K2)? Everything that left must have been scanned, nothing
    may be open; without a stated instant every node's pieces must have met that node's own day. Cancellations are excused
    as in the service engine, against the ship-by instant; a line that waits for the customer (address, payment) is not
    ours to ship. Accounts give windows: what leaves before theirs opens is as wrong as what leaves too late.
-#}
with cancellations as (
    select
        order_lines.order_id,
        order_lines.line_id,
        min(
            case
                when cancellations.actor in ('fraud', 'payment') then 'cancelled_' || cancellations.actor
                when cancellations.time_quality = 'estimated' then 'cancel_time_unknown'
                when cancellations.actor = 'customer' then 'cancelled_customer'
                else 'cancel_actor_unknown'
            end
        ) as reason,
        sum(cancellations.quantity_cancelled) as quantity_excused
    from {{ ref('int_order_lines_balanced') }} as order_lines
    inner join {{ ref('int_order_cancellations_resolved') }} as cancellations
        on order_lines.order_id = cancellations.order_id and order_lines.line_id = cancellations.line_id
    where
        cancellations.actor in ('fraud', 'payment')
        or (
            cancellations.actor in ('customer', 'unknown')
            and (
                cancellations.time_quality = 'estimated'
                or cancellations.cancelled_at < coalesce(order_lines.ship_due_at, {{ as_of() }})
            )
        )
    group by order_lines.order_id, order_lines.line_id
),

decided as (
    select
        order_lines.*,
        coalesce(covered.has_accepted, false) as has_accepted,
        coalesce(parted.is_in_time, order_lines.last_accepted_at < order_lines.ship_due_at) as is_in_time,
        case
            when order_lines.exclusion_reason is not null then order_lines.exclusion_reason
            when order_lines.order_type = 'replacement' then 'replacement'
            when order_lines.ship_due_at is null then 'no_ship_by'
            when cancellations.quantity_excused >= order_lines.base_revised then cancellations.reason
            when order_lines.base_revised = 0 then 'reduced_to_zero'
            when not coalesce(covered.has_accepted, false) then 'event_not_available'
            when
                order_lines.is_on_hold and order_lines.hold_type in ('address', 'payment')
                and order_lines.pieces_shipped = 0
                then 'on_customer_hold'
        end as ship_exclusion_reason
    from {{ ref('int_order_lines_balanced') }} as order_lines
    left join cancellations
        on order_lines.order_id = cancellations.order_id and order_lines.line_id = cancellations.line_id
    left join {{ ref('int_order_lines_parted') }} as parted
        on order_lines.order_id = parted.order_id and order_lines.line_id = parted.line_id
    left join {{ ref('int_order_sources_covered') }} as covered
        on order_lines.source = covered.source and order_lines.channel = covered.channel
)

select
    order_id,
    line_id,
    currency,
    {{ dimensions() }},
    ship_due_basis,
    ship_exclusion_reason,
    coalesce(ship_due_at <= {{ as_of() }}, false) as is_ship_due,
    pieces_shipped > 0
    and pieces_accepted = pieces_shipped
    and is_in_time
    and coalesce(open_quantity, 0) = 0 as is_handed_over,
    coalesce(channel_type = 'wholesale' and first_accepted_at < ship_window_start_at, false) as is_too_early,
    -- Late only because a piece that left was never scanned.
    pieces_shipped > pieces_accepted
    and coalesce(is_in_time, true)
    and coalesce(open_quantity, 0) = 0 as is_unproven,
    cast({{ to_local(just_before('ship_due_at'), 'ship_zone') }} as date) as ship_due_date,
    captured_date,
    ship_due_at
from decided
