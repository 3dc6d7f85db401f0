{{ config(materialized='incremental') }}
{#-
    What was ordered, and what the buyer wants now (G8), of the lines whose quantity somebody changed. Change events
    carry the line's new total, so repeats change nothing and late arrivals fall into place; where a partner tells only
    the difference, it counts from the last total before it. Only the buyer's own changes move the revised base: each
    one by its difference to the total before it. A buyer who raises a total that the seller had cut does not raise the
    base above the largest total ever asked for. Who takes the total to zero has cancelled the line, whatever his
    message calls it. What we cut for want of stock is what our own changes took and nobody gave back.
-#}
with changed_lines as (
    select distinct
        order_id,
        line_id
    from {{ ref('int_order_events_sequenced') }}
    where
        line_id is not null
        and event_type = 'order.changed'
        and (quantity is not null or quantity_change is not null)
),

told as (
    select
        events.order_id,
        events.line_id,
        events.event_type,
        events.actor,
        events.quantity,
        coalesce(events.quantity, events.quantity_change) as quantity_told,
        events.time_quality,
        events.event_at,
        events.event_order,
        case when events.event_type = 'order.captured' then 0 else 1 end as rank_of_type,
        row_number() over (
            partition by events.order_id, events.line_id, events.event_type
            order by events.event_order
        ) as position
    from {{ ref('int_order_events_sequenced') }} as events
    inner join changed_lines on events.order_id = changed_lines.order_id and events.line_id = changed_lines.line_id
    where
        (events.quantity is not null or (events.quantity_change is not null and events.event_type = 'order.changed'))
        and events.event_type in ('order.captured', 'order.changed')
),

-- Each total begins a run; the differences behind it add to it.
runs as (
    select
        *,
        count(quantity) over (
            partition by order_id, line_id
            order by rank_of_type, event_order
        ) as run
    from told
    where event_type = 'order.changed' or position = 1
),

totals as (
    select
        *,
        greatest(sum(quantity_told) over (
            partition by order_id, line_id, run
            order by rank_of_type, event_order
        ), 0) as total
    from runs
),

differences as (
    select
        order_id,
        line_id,
        event_type,
        actor,
        total,
        time_quality,
        event_at,
        event_order,
        total - coalesce(lag(total) over (
            partition by order_id, line_id
            order by rank_of_type, event_order
        ), 0) as difference
    from totals
),

revised as (
    select
        order_id,
        line_id,
        coalesce(max(case when event_type = 'order.captured' then total end), 0) as base_original,
        coalesce(sum(case when event_type = 'order.changed' and actor = 'customer' then difference end), 0)
            as buyer_difference,
        coalesce(max(case when event_type = 'order.captured' or actor = 'customer' then total end), 0)
            as most_asked_for,
        -coalesce(sum(case
            when event_type = 'order.changed' and (actor = 'seller_oos' or (actor = 'seller_other' and difference > 0))
                then difference
        end), 0) as cut_difference,
        max(case
            when event_type = 'order.changed' and actor = 'seller_oos' and difference < 0 then event_at
        end) as last_cut_at,
        {{ last_known('total', "case when event_type = 'order.captured' then 0 else event_order end") }}
            as current_total,
        {%- set is_zeroed = "event_type = 'order.changed' and total = 0 and difference < 0" %}
        {{ last_known("case when " ~ is_zeroed ~ " then coalesce(actor, 'unknown') end") }} as zeroed_by,
        {{ last_known("case when " ~ is_zeroed ~ " then time_quality end") }} as zeroed_time_quality,
        {{ last_known("case when " ~ is_zeroed ~ " then event_at end") }} as zeroed_at,
        max(case when event_type = 'order.changed' and actor = 'customer' then event_at end) as last_buyer_change_at
    from differences
    group by order_id, line_id
)

select
    order_id,
    line_id,
    cast(base_original as decimal(18, 3)) as base_original,
    cast(greatest(least(base_original + buyer_difference, most_asked_for), 0) as decimal(18, 3)) as base_revised,
    cast(current_total as decimal(18, 3)) as current_total,
    cast(
        greatest(least(
            cut_difference, least(base_original + buyer_difference, most_asked_for) - current_total
        ), 0) as decimal(18, 3)
    ) as quantity_cut,
    last_cut_at,
    case when current_total = 0 then zeroed_by end as zeroed_by,
    case when current_total = 0 then zeroed_time_quality end as zeroed_time_quality,
    case when current_total = 0 then zeroed_at end as zeroed_at,
    last_buyer_change_at
from revised
