{#-
    Every line under every profile that judges it, as a deadline that can be kept or missed: the raw material of at-risk
    predictions. `said_at` is when window and base were last stated; before it nobody could have known them.
-#}
with said as (
    select
        order_id,
        min(case when promise_at is not null then event_at end) as first_promise_at,
        max(case when promise_at is not null then event_at end) as latest_promise_at,
        max(case when window_end_at is not null then event_at end) as window_at,
        max(case when requested_at is not null then event_at end) as requested_at,
        max(case when event_type = 'order.changed' then event_at end) as changed_at
    from {{ ref('int_order_events_sequenced') }}
    where event_type in ('order.captured', 'order.promised', 'order.changed')
    group by order_id
),

-- What an excused cancellation took off a line's base was not known before it.
cancelled as (
    select
        order_id,
        line_id,
        max(cancelled_at) as cancelled_at
    from {{ ref('int_order_cancellations_resolved') }}
    where actor in ('customer', 'fraud', 'payment', 'unknown')
    group by order_id, line_id
),

lenses as (
    select
        profile_id,
        max(lens) as lens
    from {{ ref('int_service_profiles_assigned') }}
    where not is_bridge_step
    group by profile_id
),

fine_rates as (
    select
        retailer,
        max(rate) as fine_rate
    from {{ ref('int_fine_rules_effective') }}
    where
        measure in ('early_or_late', 'late')
        and basis in ('pct_cost_noncompliant', 'pct_invoice')
        and {{ as_of_date() }} between effective_from and effective_to
    group by retailer
)

select
    assessed.order_id,
    assessed.line_id,
    assessed.profile_id,
    assessed.measured_event,
    order_lines.sku,
    order_lines.source,
    order_lines.currency,
    order_lines.channel,
    order_lines.channel_type,
    order_lines.customer_id,
    order_lines.region,
    coalesce(regions.lane_zone, order_lines.region) as lane_zone,
    order_lines.seller_id,
    assessed.base_quantity,
    order_lines.unit_price,
    order_lines.unit_cost,
    cast(coalesce(fine_rates.fine_rate, 0) as double) as fine_rate,
    assessed.is_headline,
    case when assessed.is_judged then not coalesce(assessed.is_otif, assessed.is_on_time) end as is_missed,
    order_lines.captured_at,
    greatest(
        order_lines.captured_at,
        coalesce(
            case lenses.lens
                when 'promise_first' then said.first_promise_at
                when 'promise_latest' then said.latest_promise_at
                when 'retailer_window' then said.window_at
                else coalesce(said.requested_at, said.window_at)
            end,
            order_lines.captured_at
        ),
        coalesce(said.changed_at, order_lines.captured_at),
        coalesce(cancelled.cancelled_at, order_lines.captured_at)
    ) as said_at,
    order_lines.ship_window_start_at,
    assessed.window_start_at,
    assessed.window_end_at
from {{ ref('int_service_units_assessed') }} as assessed
inner join {{ ref('int_order_lines_balanced') }} as order_lines
    on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
left join lenses on assessed.profile_id = lenses.profile_id
left join said on assessed.order_id = said.order_id
left join cancelled on assessed.order_id = cancelled.order_id and assessed.line_id = cancelled.line_id
left join {{ ref('regions') }} as regions on order_lines.region = regions.ship_to_region
left join fine_rates on order_lines.customer_id = fine_rates.retailer
where not assessed.is_bridge_step and assessed.exclusion_reason is null and assessed.window_end_at is not null
