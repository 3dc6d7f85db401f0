{{ config(materialized='incremental') }}
{#- What is known of an order as a whole: the youngest word on each attribute, whichever event brought it. -#}
with consolidated as (
    select
        order_id,
        {{ first_known("case when event_type = 'order.captured' then source end") }} as source,
        {{ last_known('channel') }} as channel,
        {{ last_known('customer_id') }} as customer_id,
        {{ last_known("case when order_type <> 'no_ship' then order_type end") }} as order_type,
        -- Only gift cards and services: nothing of the order is ever shipped.
        min(case when event_type = 'order.captured' then coalesce(order_type, 'standard') end) = 'no_ship'
        and max(case when event_type = 'order.captured' then coalesce(order_type, 'standard') end) = 'no_ship'
            as is_no_ship,
        {{ last_known('currency') }} as currency,
        {{ last_known('ship_to_id') }} as ship_to_id,
        {{ last_known('ship_to_region') }} as region,
        {{ last_known('incoterm') }} as incoterm,
        {{ last_known('clock_zone') }} as clock_zone,
        {{ last_known('case when line_id is null then requested_at end') }} as requested_at,
        {{ last_known('case when line_id is null then window_start_at end') }} as window_start_at,
        {{ last_known('case when line_id is null then window_end_at end') }} as window_end_at,
        {{ last_known('case when line_id is null then ship_window_start_at end') }} as ship_window_start_at,
        {{ last_known('case when line_id is null then ship_by_at end') }} as ship_by_at,
        {{ last_known('case when line_id is null then cancel_after_at end') }} as cancel_after_at,
        {{ last_known('case when line_id is null then freight_amount end') }} as freight_amount,
        {{ last_known("case when event_type in ('order.captured', 'alloc.committed') then node_id end") }}
            as planned_node_id,
        min(case when event_type = 'order.captured' then event_at end) as captured_at,
        min(case when event_type = 'order.approved' then event_at end) as approved_at,
        min(case when event_type = 'order.released' then event_at end) as released_at,
        min(case when event_type = 'order.released' and line_id is null then event_at end) as released_whole_at,
        -- A cancellation of the whole order: all that was open then.
        {{ first_known("case when event_type = 'order.cancelled' and line_id is null then event_at end") }}
            as cancelled_at,
        {{ first_known("case when event_type = 'order.cancelled' and line_id is null then actor end") }}
            as cancel_actor,
        {{ first_known("case when event_type = 'order.cancelled' and line_id is null then time_quality end") }}
            as cancel_time_quality
    from {{ ref('int_order_events_sequenced') }}
    group by order_id
)

select
    consolidated.order_id,
    consolidated.source,
    coalesce(consolidated.order_type, 'standard') as order_type,
    consolidated.currency,
    coalesce(consolidated.channel, '(none)') as channel,
    coalesce(channels.channel_type, '(none)') as channel_type,
    coalesce(consolidated.customer_id, '(none)') as customer_id,
    coalesce(consolidated.region, '(none)') as region,
    consolidated.ship_to_id,
    consolidated.incoterm,
    coalesce(consolidated.clock_zone, {{ company_zone() }}) as clock_zone,
    consolidated.planned_node_id,
    consolidated.freight_amount,
    consolidated.requested_at,
    promises.promise_first_at,
    promises.promise_latest_at,
    promises.latest_said_at,
    consolidated.window_start_at,
    consolidated.window_end_at,
    consolidated.ship_window_start_at,
    consolidated.ship_by_at,
    consolidated.cancel_after_at,
    consolidated.captured_at,
    {{ company_date('consolidated.captured_at') }} as captured_date,
    consolidated.approved_at,
    consolidated.released_at,
    consolidated.released_whole_at,
    consolidated.cancelled_at,
    consolidated.cancel_actor,
    consolidated.cancel_time_quality,
    coalesce(holds.is_on_hold, false) as is_on_hold,
    holds.open_hold_type,
    coalesce(holds.hold_hours, 0) as hold_hours,
    -- G14: populations that no figure counts.
    case
        when consolidated.order_type in ('test', 'draft', 'transfer') then consolidated.order_type
        when consolidated.is_no_ship then 'no_ship'
    end as exclusion_reason
from consolidated
left join {{ ref('channels') }} as channels on consolidated.channel = channels.channel
left join {{ ref('int_order_promises_dated') }} as promises
    on consolidated.order_id = promises.order_id and promises.line_id is null
left join {{ ref('int_order_holds_summed') }} as holds on consolidated.order_id = holds.order_id
where consolidated.captured_at is not null
order by captured_date
