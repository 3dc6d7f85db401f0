with open_lines as (
    select
        lines.*,
        coalesce(lines.window_end_at, lines.requested_at, lines.promise_first_at) as need_at,
        regions.lane_zone,
        case when lines.channel_type = 'wholesale' then 'ltl' else 'parcel' end as mode,
        channels.priority_rank
    from {{ ref('fct_order_lines') }} as lines
    left join {{ ref('regions') }} as regions on lines.region = regions.ship_to_region
    left join {{ ref('channels') }} as channels on lines.channel = channels.channel
    where lines.open_quantity > 0 and not lines.is_excluded and lines.line_status <> 'cancelled'
),

-- The lane goods normally take: the cheapest, then the fastest; freight for wholesale, parcel for consumers.
ranked_lanes as (
    select
        lanes.lane_zone,
        lanes.node_id,
        coalesce(carriers.mode, 'parcel') as mode,
        lanes.transit_days,
        row_number() over (
            partition by lanes.lane_zone, coalesce(carriers.mode, 'parcel')
            order by lanes.cost_per_unit, lanes.transit_days, lanes.node_id, lanes.carrier, lanes.service
        ) as zone_rank,
        row_number() over (
            partition by lanes.lane_zone, coalesce(carriers.mode, 'parcel'), lanes.node_id
            order by lanes.cost_per_unit, lanes.transit_days, lanes.carrier, lanes.service
        ) as node_rank
    from {{ ref('dim_lanes') }} as lanes
    left join {{ ref('dim_carriers') }} as carriers on lanes.carrier = carriers.carrier
),

best_lanes as (
    select
        lane_zone,
        mode,
        node_id,
        transit_days
    from ranked_lanes
    where zone_rank = 1
),

node_lanes as (
    select
        lane_zone,
        mode,
        node_id,
        transit_days
    from ranked_lanes
    where node_rank = 1
),

-- Ship-complete is the policy of consumer channels while nothing has left and the whole order has one promise.
order_promises as (
    select
        order_id,
        coalesce(min(promise_first_at) = max(promise_first_at), true)
        and coalesce(sum(quantity_shipped), 0) = 0 as is_one_promise
    from {{ ref('fct_order_lines') }}
    where order_id in (select open_lines.order_id from open_lines) and not is_excluded
    group by order_id
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
    open_lines.order_id,
    open_lines.line_id,
    open_lines.sku,
    open_lines.channel,
    open_lines.channel_type,
    open_lines.customer_id,
    open_lines.region,
    open_lines.lane_zone,
    case
        when open_lines.node_id not in ('(none)', '(multiple)') then open_lines.node_id
        else best_lanes.node_id
    end as preferred_node_id,
    open_lines.hold_type,
    open_lines.currency,
    open_lines.open_quantity,
    open_lines.unit_price,
    open_lines.unit_cost,
    cast(coalesce(fine_rates.fine_rate, 0) as double) as fine_rate,
    cast(coalesce(open_lines.priority_rank, 99) as bigint) as priority_rank,
    coalesce(open_lines.is_on_hold, false) as is_on_hold,
    coalesce(open_lines.channel_type <> 'wholesale' and order_promises.is_one_promise, false) as is_ship_complete,
    open_lines.captured_at,
    open_lines.ship_window_start_at as ship_not_before_at,
    coalesce(
        open_lines.ship_by_at,
        open_lines.need_at
        - interval '24' hour * coalesce(node_lanes.transit_days, best_lanes.transit_days, 0)
    ) as ship_by_at,
    open_lines.need_at,
    open_lines.cancel_after_at
from open_lines
left join best_lanes on open_lines.lane_zone = best_lanes.lane_zone and open_lines.mode = best_lanes.mode
left join node_lanes
    on
        open_lines.lane_zone = node_lanes.lane_zone
        and open_lines.mode = node_lanes.mode
        and open_lines.node_id = node_lanes.node_id
left join order_promises on open_lines.order_id = order_promises.order_id
left join fine_rates on open_lines.customer_id = fine_rates.retailer
