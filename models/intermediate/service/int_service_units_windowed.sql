{{ config(materialized='view', by_order=true, fixed_inputs=['int_service_profiles_assigned']) }}
{#-
    Every unit of judgement under every profile assigned to it: which window, which base, due or not, and why it is out
    (G3, G8, G9, G10).

    Cancellations. What the customer cancelled before the window's end leaves both bases; fraud and payment failures
    leave whenever they happened; ours and the retailer's expiry stay, as shorts. A cancellation whose time or actor is
    not known is neither a pass nor a fail: what it took is out, and counted as such.
-#}
with named_customers as (
    select distinct customer_id
    from {{ ref('profile_assignments') }}
    where coalesce(customer_id, '') <> ''
),

chosen as (
    select
        units.*,
        profiles.profile_id,
        profiles.is_headline,
        profiles.is_bridge_step,
        profiles.lens,
        -- Goods that are the buyer's from the handover on are delivered by it.
        case
            when units.delivery_point = 'handover' then 'accepted'
            else profiles.measured_event
        end as measured_event,
        profiles.quantity_base,
        profiles.tolerance_low,
        profiles.tolerance_high,
        profiles.start_shift_days,
        profiles.end_shift_days,
        profiles.maturity_days,
        profiles.provisional_days,
        case
            when profiles.measured_event = 'accepted' or units.delivery_point = 'handover' then covered.has_accepted
            else covered.has_delivered
        end as is_event_known,
        case
            when profiles.early_is_fail and profiles.lens = 'retailer_window' then units.window_start_at
        end as stated_start_at,
        case profiles.lens
            when 'requested' then coalesce(units.requested_at, units.window_end_at)
            when 'promise_first' then units.promise_first_at
            when 'promise_latest' then units.promise_latest_at
            when 'retailer_window' then units.window_end_at
            when 'appointment' then units.appointment_end_at
        end as stated_end_at
    from {{ ref('int_service_units') }} as units
    left join named_customers on units.customer_id = named_customers.customer_id
    inner join {{ ref('int_service_profiles_assigned') }} as profiles
        on
            units.channel = profiles.channel
            and coalesce(named_customers.customer_id, '') = profiles.customer_key
            and units.captured_date = profiles.captured_date
    left join {{ ref('int_order_sources_covered') }} as covered
        on units.source = covered.source and units.channel = covered.channel
),

-- Grace in days is counted on the calendar of the zone that owns the clock.
windowed as (
    select
        *,
        case
            when start_shift_days = 0 then stated_start_at
            else {{ to_utc(add_days(to_local('stated_start_at', 'clock_zone'), 'start_shift_days'), 'clock_zone') }}
        end as judged_start_at,
        case
            when end_shift_days = 0 then stated_end_at
            else {{ to_utc(add_days(to_local('stated_end_at', 'clock_zone'), 'end_shift_days'), 'clock_zone') }}
        end as judged_end_at
    from chosen
),

cancellations as (
    select
        order_id,
        line_id,
        actor,
        time_quality,
        quantity_cancelled,
        cancelled_at
    from {{ ref('int_order_cancellations_resolved') }}
    union all
    select
        units.order_id,
        units.line_id,
        orders.cancel_actor as actor,
        orders.cancel_time_quality as time_quality,
        cast(null as decimal(18, 3)) as quantity_cancelled,
        orders.cancelled_at
    from {{ ref('int_service_units') }} as units
    inner join {{ ref('int_orders_consolidated') }} as orders on units.order_id = orders.order_id
    where units.line_id = '' and orders.cancelled_at is not null
),

reasoned as (
    select
        windowed.order_id,
        windowed.line_id,
        windowed.profile_id,
        cancellations.quantity_cancelled,
        case
            when cancellations.actor in ('fraud', 'payment') then 'cancelled_' || cancellations.actor
            when cancellations.actor in ('customer', 'unknown') and cancellations.time_quality = 'estimated'
                then 'cancel_time_unknown'
            when cancellations.actor = 'customer' and cancellations.cancelled_at < windowed.judged_end_at
                then 'cancelled_customer'
            when cancellations.actor = 'unknown' and cancellations.cancelled_at < windowed.judged_end_at
                then 'cancel_actor_unknown'
        end as reason
    from windowed
    inner join cancellations
        on windowed.order_id = cancellations.order_id and windowed.line_id = cancellations.line_id
),

excused as (
    select
        order_id,
        line_id,
        profile_id,
        min(reason) as reason,
        sum(quantity_cancelled) as quantity_excused,
        sum(case when reason in ('cancel_time_unknown', 'cancel_actor_unknown') then quantity_cancelled end)
            as quantity_unsure,
        -- A whole order without lines has no quantity to take off.
        max(case when quantity_cancelled is null then 1 else 0 end) = 1 as is_whole
    from reasoned
    where reason is not null
    group by order_id, line_id, profile_id
),

based as (
    select
        windowed.*,
        excused.reason as cancel_reason,
        coalesce(excused.is_whole, false) as is_cancelled_whole,
        coalesce(excused.quantity_unsure, 0) as quantity_unsure,
        greatest(windowed.base_original - coalesce(excused.quantity_excused, 0), 0) as judged_original,
        greatest(windowed.base_revised - coalesce(excused.quantity_excused, 0), 0) as judged_revised
    from windowed
    left join excused
        on
            windowed.order_id = excused.order_id
            and windowed.line_id = excused.line_id
            and windowed.profile_id = excused.profile_id
),

-- A line whose base an excused cancellation has emptied is out, and so is one the buyer reduced to nothing.
decided as (
    select
        *,
        case
            when exclusion_reason is not null then exclusion_reason
            when order_type = 'replacement' then 'replacement'
            when judged_end_at is null and lens = 'requested' then 'no_requested_date'
            when judged_end_at is null and lens = 'retailer_window' then 'no_window'
            when judged_end_at is null and lens = 'appointment' then 'no_appointment'
            when judged_end_at is null then 'no_promise'
            when cancel_reason is not null and (is_cancelled_whole or coalesce(judged_revised, 0) = 0)
                then cancel_reason
            when base_revised = 0 then 'reduced_to_zero'
            -- No event tells of a port: the customer's dock is not where these goods are delivered.
            when delivery_point = 'port' and measured_event <> 'accepted' then 'delivery_point_not_tracked'
            when not coalesce(is_event_known, false) then 'event_not_available'
        end as judged_exclusion
    from based
)

select
    order_id,
    line_id,
    profile_id,
    sku,
    currency,
    {{ dimensions() }},
    clock_zone,
    measured_event,
    judged_exclusion as exclusion_reason,
    cast(judged_original as decimal(18, 3)) as base_original,
    cast(judged_revised as decimal(18, 3)) as base_revised,
    cast(case when quantity_base = 'original' then judged_original else judged_revised end as decimal(18, 3))
        as base_quantity,
    quantity_shipped_first,
    cast(quantity_unsure as decimal(18, 3)) as quantity_unsure,
    unit_price,
    unit_cost,
    tolerance_low,
    tolerance_high,
    is_headline,
    is_bridge_step,
    is_quantity_known,
    coalesce({{ add_days('judged_end_at', 'maturity_days') }} <= {{ as_of() }}, false) as is_due,
    coalesce(
        {{ add_days('judged_end_at', 'maturity_days') }} <= {{ as_of() }}
        and {{ add_days('judged_end_at', '(maturity_days + provisional_days)') }} > {{ as_of() }},
        false
    ) as is_provisional,
    captured_date,
    cast({{ to_local(just_before('judged_end_at'), 'clock_zone') }} as date) as due_date,
    judged_start_at as window_start_at,
    judged_end_at as window_end_at,
    {{ add_days('judged_end_at', '(maturity_days + provisional_days)') }} as settled_at
from decided
