{{ config(materialized='view', by_order=true) }}
{#-
    Hours that each step cost a missed line beyond what it should have taken, and why the step was slow. Units that no
    node was told to ship have one delay only: what kept them. Grain is order_id, line_id, profile_id.
-#}
with ways as (
    select
        *,
        -- Others of the order were released and these units were not: they lacked stock, whatever else was wrong.
        is_waiting and order_released_at < window_end_at as is_short_at_release,
        -- The slot lay past the window, and the goods were there for it.
        coalesce(appointment_end_at > window_end_at and arrived_at < appointment_end_at, false) as is_by_appointment
    from {{ ref('int_miss_ways') }}
),

stretched as (
    select
        *,
        case
            when is_short_at_release then {{ hours_between('order_released_at', 'window_end_at') }}
            when is_waiting then {{ hours_between('ready_at', 'window_end_at') }}
            when released_at > ready_at then {{ hours_between('ready_day_at', 'release_day_at') }}
            else 0
        end as wait_hours,
        case when is_waiting then 0 else 24.0 * detour_days end as detour_hours,
        -- Without a release nobody knows its day: what is stated then is when it had to leave.
        case when is_waiting then 0 else {{ hours_between('coalesce(pack_due_at, ship_by_at)', 'packed_by') }} end
            as pick_hours,
        case when is_waiting or packed_at is null then 0 else {{ hours_between('packed_at', 'accepted_by') }} - 12 end
            as pickup_hours,
        case
            when is_waiting or accepted_at is null then 0
            when is_by_appointment then {{ hours_between('window_end_at', 'delivered_by') }}
            when estimated_delivery_first_at is not null
                then {{ hours_between('estimated_delivery_first_at', 'delivered_by') }}
            -- Without an estimate the way may take as long as from the stated ship-by to the window's end.
            when ship_by_at is not null
                then {{ hours_between('window_end_at', 'delivered_by') }}
                    - greatest({{ hours_between('ship_by_at', 'accepted_at') }}, 0)
        end as transit_hours
    from ways
),

-- Counts of stock around the wait: the last before it, those during it and the first after it.
stock as (
    select
        ways.order_id,
        ways.line_id,
        ways.profile_id,
        min(counts.sellable) as least_sellable,
        min(counts.free) as least_free
    from ways
    inner join {{ ref('int_stock_snapshots_summed') }} as counts
        on
            ways.sku = counts.sku
            and ways.channel = counts.channel
            and coalesce(counts.next_date, date '9999-12-31') > {{ company_date('ways.ready_at') }}
            and coalesce(counts.previous_date, date '0001-01-01')
            < {{ company_date('coalesce(ways.released_at, ways.window_end_at)') }}
    group by ways.order_id, ways.line_id, ways.profile_id
),

-- The same at the nearest node, over all the order's SKUs: one that is missing there sends the whole order elsewhere.
detoured as (
    select distinct
        order_id,
        profile_id,
        channel,
        nearest_node_id,
        ready_at,
        released_at
    from ways
    where detour_days > 0 and not is_waiting
),

near_stock as (
    select
        detoured.order_id,
        detoured.profile_id,
        min(counts.sellable - order_lines.base_revised) as least_sellable,
        min(counts.free - order_lines.base_revised) as least_free
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    inner join detoured on order_lines.order_id = detoured.order_id
    inner join {{ ref('int_stock_snapshots_noded') }} as counts
        on
            order_lines.sku = counts.sku
            and detoured.nearest_node_id = counts.node_id
            and detoured.channel = counts.channel
            and coalesce(counts.next_date, date '9999-12-31') > {{ company_date('detoured.ready_at') }}
            and coalesce(counts.previous_date, date '0001-01-01') < {{ company_date('detoured.released_at') }}
    group by detoured.order_id, detoured.profile_id
)

select
    ways.order_id,
    ways.line_id,
    ways.profile_id,
    ways.is_headline,
    ways.hold_type,
    ways.nearest_node_id,
    ways.node_id,
    case
        when
            ways.last_buyer_change_at >= coalesce(ways.released_at, ways.captured_at)
            and ways.last_buyer_change_at < ways.window_end_at
            then 'customer_change'
        when stock.least_sellable < ways.base_quantity then 'no_stock'
        when stock.least_free < ways.base_quantity then 'channel_reserved'
        when ways.is_short_at_release or ways.cancel_actor = 'seller_oos' or ways.quantity_promised < ways.base_quantity
            then 'no_stock'
        when
            not ways.is_waiting
            and {{ hours_between('ways.ready_at', 'ways.released_at') }} <= greatest(2 * ways.usual_hours, 2)
            then 'missed_cut_off'
        else 'late_release'
    end as wait_cause,
    case
        when near_stock.least_sellable < 0 then 'no_stock'
        when near_stock.least_free < 0 then 'channel_reserved'
        else 'allocation'
    end as detour_cause,
    stock.least_sellable,
    stock.least_free,
    cast(greatest(case when ways.is_short_at_release then 0 else ways.hold_hours end, 0) as double) as hold_hours,
    cast(greatest(ways.wait_hours, 0) as double) as wait_hours,
    cast(greatest(ways.detour_hours, 0) as double) as detour_hours,
    -- Carriers collect once a day: an hour too late costs the day.
    cast(coalesce(24 * ceil(greatest(ways.pick_hours, 0) / 24), 0) as double) as pick_hours,
    cast(coalesce(24 * ceil(greatest(ways.pickup_hours, 0) / 24), 0) as double) as pickup_hours,
    cast(coalesce(greatest(ways.transit_hours, 0), 0) as double) as transit_hours,
    -- Hours past the window's end; the delays explain the miss as far as less of them would have met it.
    {{ hours_between('ways.window_end_at', 'ways.delivered_by') }} as late_hours,
    ways.captured_date,
    ways.is_waiting,
    ways.is_short_at_release,
    ways.released_at is null as is_without_release,
    ways.estimated_delivery_first_at is null as is_without_estimate,
    ways.is_by_appointment,
    -- What would have to be known to find the loss, and was not told.
    nullif(
        concat_ws(
            ', ',
            case when ways.released_at is null and ways.ship_by_at is null then 'when it had to leave' end,
            case when ways.accepted_at is null then 'the hand-over to the carrier' end,
            case
                when ways.estimated_delivery_first_at is null and ways.ship_by_at is null
                    then 'how long the way should take'
            end
        ),
        ''
    ) as facts_untold,
    ways.accepted_at is null or ways.delivered_at is null as is_under_way,
    ways.pieces_early > 0 and ways.is_complete_by_end as is_early
from stretched as ways
left join stock
    on
        ways.order_id = stock.order_id
        and ways.line_id = stock.line_id
        and ways.profile_id = stock.profile_id
left join near_stock on ways.order_id = near_stock.order_id and ways.profile_id = near_stock.profile_id
