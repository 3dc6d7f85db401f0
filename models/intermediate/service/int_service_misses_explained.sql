{#-
    One cause per missed line and profile, from evidence alone. Thin on purpose: the stretch of the line's way that lost
    the most hours wins; equal losses go to the earlier stretch; nothing lost that can be seen is "unknown".

    A miss because every unit came too early is early_delivery. Otherwise hours are counted on the way of the last
    missing piece: on hold; waiting for release beyond the operating day that the order could still have reached
    (no_stock or channel_reserved where counts of stock show it, customer_change where the buyer changed the line then,
    missed_cut_off for one day, else late_release); from release to packed beyond the day of the cut-off
    (pick_pack_delay); from packed to the first scan beyond twelve hours (missed_pickup); and beyond the carrier's first
    estimate (carrier_transit).
-#}
with misses as (
    select
        assessed.order_id,
        assessed.line_id,
        assessed.profile_id,
        assessed.is_headline,
        assessed.base_quantity,
        assessed.quantity_by_end,
        assessed.pieces_early,
        assessed.pieces_late,
        assessed.window_start_at,
        assessed.window_end_at,
        coalesce(assessed.quantity_by_end >= assessed.base_quantity, assessed.pieces_late = 0) as is_complete_by_end,
        windowed.measured_event
    from {{ ref('int_service_units_assessed') }} as assessed
    inner join {{ ref('int_service_units_windowed') }} as windowed
        on
            assessed.order_id = windowed.order_id
            and assessed.line_id = windowed.line_id
            and assessed.profile_id = windowed.profile_id
    where not coalesce(assessed.is_otif, assessed.is_on_time)
),

ranked_pieces as (
    select
        misses.order_id,
        misses.line_id,
        misses.profile_id,
        pieces.node_id,
        pieces.released_at,
        coalesce(pieces.packed_at, pieces.ship_confirmed_at) as packed_at,
        pieces.accepted_at,
        coalesce(pieces.delivered_at, pieces.arrived_at) as delivered_at,
        pieces.estimated_delivery_first_at,
        row_number() over (
            partition by misses.order_id, misses.line_id, misses.profile_id
            order by
                coalesce(pieces.delivered_at, pieces.arrived_at, timestamp '9999-12-31 00:00:00') desc,
                pieces.shipment_line_id asc
        ) as position
    from misses
    inner join {{ ref('int_order_line_pieces_matched') }} as pieces
        on misses.order_id = pieces.order_id and misses.line_id = pieces.line_id
),

held as (
    select
        misses.order_id,
        misses.line_id,
        misses.profile_id,
        holds.hold_type,
        max(coalesce(holds.released_at, {{ as_of() }})) as hold_ended_at,
        sum({{ hours_between('holds.placed_at', 'coalesce(holds.released_at, ' ~ as_of() ~ ')') }}) as hours
    from misses
    inner join {{ ref('int_order_holds_paired') }} as holds
        on misses.order_id = holds.order_id and (holds.line_id = '' or misses.line_id = holds.line_id)
    where holds.placed_at < misses.window_end_at
    group by misses.order_id, misses.line_id, misses.profile_id, holds.hold_type
),

worst_holds as (
    select
        order_id,
        line_id,
        profile_id,
        sum(hours) as hold_hours,
        max(hold_ended_at) as hold_ended_at,
        {{ last_known('hold_type', 'hours') }} as hold_type
    from held
    group by order_id, line_id, profile_id
),

ways as (
    select
        misses.*,
        order_lines.sku,
        order_lines.channel,
        order_lines.clock_zone,
        order_lines.captured_at,
        order_lines.quantity_promised,
        order_lines.cancel_actor,
        order_lines.last_buyer_change_at,
        coalesce(worst_holds.hold_hours, 0) as hold_hours,
        worst_holds.hold_type,
        coalesce(pieces.node_id, nodes.node_id) as node_id,
        nodes.zone,
        nodes.cut_off_time,
        -- From here on the order could have been released.
        greatest(order_lines.captured_at, order_lines.ship_window_start_at, worst_holds.hold_ended_at) as ready_at,
        coalesce(pieces.released_at, case when pieces.order_id is null then order_lines.released_at end) as released_at,
        pieces.packed_at,
        pieces.accepted_at,
        pieces.delivered_at,
        pieces.estimated_delivery_first_at,
        -- Units that no node was told to ship: the line waits, whatever happened to the rest of it.
        coalesce(order_lines.quantity_shipped < misses.base_quantity, pieces.order_id is null)
        and coalesce(order_lines.quantity_released < misses.base_quantity, order_lines.released_at is null)
            as is_waiting
    from misses
    left join {{ ref('int_order_lines_balanced') }} as order_lines
        on misses.order_id = order_lines.order_id and misses.line_id = order_lines.line_id
    left join ranked_pieces as pieces
        on
            misses.order_id = pieces.order_id
            and misses.line_id = pieces.line_id
            and misses.profile_id = pieces.profile_id
            and pieces.position = 1
    left join worst_holds
        on
            misses.order_id = worst_holds.order_id
            and misses.line_id = worst_holds.line_id
            and misses.profile_id = worst_holds.profile_id
    left join {{ ref('nodes') }} as nodes on coalesce(pieces.node_id, order_lines.node_id) = nodes.node_id
),

-- The operating day that an instant still reaches at the node.
local_ways as (
    select
        *,
        {{ to_local('ready_at', "coalesce(zone, clock_zone, 'UTC')") }} as ready_local,
        {{ to_local('released_at', "coalesce(zone, clock_zone, 'UTC')") }} as released_local
    from ways
),

dated_ways as (
    select
        *,
        case
            when {{ time_of_day('ready_local') }} < coalesce(cut_off_time, '24:00') then cast(ready_local as date)
            else cast({{ add_days('ready_local', 1) }} as date)
        end as ready_reaches,
        case
            when {{ time_of_day('released_local') }} < coalesce(cut_off_time, '24:00') then cast(released_local as date)
            else cast({{ add_days('released_local', 1) }} as date)
        end as release_reaches
    from local_ways
),

opened_ways as (
    select
        ways.*,
        cast(coalesce(ready_days.opened_date, ways.ready_reaches) as timestamp) as ready_day_at,
        cast(coalesce(release_days.opened_date, ways.release_reaches) as timestamp) as release_day_at,
        coalesce(ways.packed_at, ways.accepted_at, {{ as_of() }}) as packed_by,
        coalesce(ways.accepted_at, {{ as_of() }}) as accepted_by,
        coalesce(ways.delivered_at, {{ as_of() }}) as delivered_by
    from dated_ways as ways
    left join {{ ref('int_node_days_opened') }} as ready_days
        on ways.node_id = ready_days.node_id and ways.ready_reaches = ready_days.local_date
    left join {{ ref('int_node_days_opened') }} as release_days
        on ways.node_id = release_days.node_id and ways.release_reaches = release_days.local_date
),

due_ways as (
    select
        *,
        {{ to_utc(add_days('release_day_at', 1), "coalesce(zone, clock_zone, 'UTC')") }} as pack_due_at
    from opened_ways
),

stretched as (
    select
        *,
        case
            when is_waiting then {{ hours_between('ready_at', 'window_end_at') }}
            when released_at > ready_at then {{ hours_between('ready_day_at', 'release_day_at') }}
            else 0
        end as wait_hours,
        case when is_waiting then 0 else {{ hours_between('pack_due_at', 'packed_by') }} end as pick_hours,
        case when is_waiting or packed_at is null then 0 else {{ hours_between('packed_at', 'accepted_by') }} - 12 end
            as pickup_hours,
        case
            when is_waiting or accepted_at is null then 0
            else {{ hours_between('estimated_delivery_first_at', 'delivered_by') }}
        end as transit_hours
    from due_ways
),

-- Counts of stock around the wait: the last before it, those during it and the first after it.
stock as (
    select
        ways.order_id,
        ways.line_id,
        ways.profile_id,
        min(counts.sellable) as least_sellable,
        min(counts.free) as least_free
    from stretched as ways
    inner join {{ ref('int_stock_snapshots_summed') }} as counts
        on
            ways.sku = counts.sku
            and ways.channel = counts.channel
            and coalesce(counts.next_date, date '9999-12-31') > {{ company_date('ways.ready_at') }}
            and coalesce(counts.previous_date, date '0001-01-01')
            < {{ company_date('coalesce(ways.released_at, ways.window_end_at)') }}
    group by ways.order_id, ways.line_id, ways.profile_id
),

weighed as (
    select
        ways.*,
        stock.least_sellable,
        stock.least_free,
        case
            when
                ways.last_buyer_change_at >= coalesce(ways.released_at, ways.captured_at)
                and ways.last_buyer_change_at < ways.window_end_at
                then 'customer_change'
            when stock.least_sellable < ways.base_quantity then 'no_stock'
            when stock.least_free < ways.base_quantity then 'channel_reserved'
            when ways.cancel_actor = 'seller_oos' or ways.quantity_promised < ways.base_quantity then 'no_stock'
            when not ways.is_waiting and {{ hours_between('ways.ready_at', 'ways.released_at') }} <= 24
                then 'missed_cut_off'
            else 'late_release'
        end as wait_cause
    from stretched as ways
    left join stock
        on
            ways.order_id = stock.order_id
            and ways.line_id = stock.line_id
            and ways.profile_id = stock.profile_id
),

decided as (
    select
        *,
        greatest(hold_hours, wait_hours, pick_hours, pickup_hours, transit_hours, 0) as most_hours,
        case
            when is_waiting then concat('not released, ', cast(round(wait_hours) as integer), ' h without')
            else concat('released ', cast(round(wait_hours) as integer), ' h late')
        end as wait_words,
        case
            when wait_cause = 'no_stock' and least_sellable is not null
                then concat(', sellable stock ', {{ as_text('least_sellable') }})
            when wait_cause = 'channel_reserved'
                then concat(
                        ', sellable stock ', {{ as_text('least_sellable') }},
                        ', free for the channel ', {{ as_text('least_free') }}
                    )
            else ''
        end as stock_words
    from weighed
)

select
    order_id,
    line_id,
    profile_id,
    is_headline,
    case
        when pieces_early > 0 and is_complete_by_end then 'early_delivery'
        when most_hours <= 0 then 'unknown'
        when hold_hours = most_hours and hold_type in ('credit', 'fraud', 'address', 'payment')
            then 'hold_' || hold_type
        when hold_hours = most_hours and hold_type = 'stock' then 'no_stock'
        when hold_hours = most_hours then 'late_release'
        when wait_hours = most_hours then wait_cause
        when pick_hours = most_hours then 'pick_pack_delay'
        when pickup_hours = most_hours then 'missed_pickup'
        else 'carrier_transit'
    end as miss_cause,
    case
        when pieces_early > 0 and is_complete_by_end then 'arrived before the window'
        when most_hours <= 0 then 'no stretch of the way shows a loss'
        when hold_hours = most_hours then concat(hold_type, ' hold ', cast(round(hold_hours) as integer), ' h')
        when wait_hours = most_hours then concat(wait_words, stock_words)
        when pick_hours = most_hours then concat('packed ', cast(round(pick_hours) as integer), ' h after its day')
        when pickup_hours = most_hours
            then concat('first scan ', cast(round(pickup_hours + 12) as integer), ' h after packing')
        else concat('carrier ', cast(round(transit_hours) as integer), ' h after its first estimate')
    end as miss_evidence
from decided
