{{ config(materialized='view', by_order=true) }}
{#-
    The way of every missed line's last missing piece: when it was ready, released, packed, handed over and delivered,
    and what each step should have reached. Grain is order_id, line_id, profile_id.
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
        assessed.captured_date,
        assessed.window_start_at,
        assessed.window_end_at,
        coalesce(assessed.quantity_by_end >= assessed.base_quantity, assessed.pieces_late = 0) as is_complete_by_end
    from {{ ref('int_service_units_assessed') }} as assessed
    where not coalesce(assessed.is_otif, assessed.is_on_time) and not assessed.is_bridge_step
),

missed_lines as (
    select distinct
        order_id,
        line_id
    from misses
),

-- The last piece of a line is the same under every profile.
ranked_pieces as (
    select
        missed_lines.order_id,
        missed_lines.line_id,
        pieces.node_id,
        pieces.carrier,
        pieces.service,
        pieces.released_at,
        coalesce(pieces.packed_at, pieces.ship_confirmed_at) as packed_at,
        pieces.accepted_at,
        coalesce(pieces.arrived_at, pieces.delivered_at) as arrived_at,
        coalesce(pieces.delivered_at, pieces.arrived_at) as delivered_at,
        pieces.estimated_delivery_first_at,
        row_number() over (
            partition by missed_lines.order_id, missed_lines.line_id
            order by
                coalesce(pieces.delivered_at, pieces.arrived_at, timestamp '9999-12-31 00:00:00') desc,
                pieces.shipment_line_id asc
        ) as position
    from missed_lines
    inner join {{ ref('int_order_line_pieces_matched') }} as pieces
        on missed_lines.order_id = pieces.order_id and missed_lines.line_id = pieces.line_id
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
        {{ last_known('hold_type', then_by('hours', 'hold_type')) }} as hold_type
    from held
    group by order_id, line_id, profile_id
),

-- Where some of an order was released, the rest waits for stock, not for the release.
first_releases as (
    select
        order_id,
        min(event_at) as order_released_at
    from {{ ref('int_order_events_sequenced') }}
    where event_type = 'order.released'
    group by order_id
),

ways as (
    select
        misses.*,
        order_lines.region,
        order_lines.channel_type,
        pieces.carrier,
        pieces.service,
        coalesce(usual_lags.usual_hours, 0) as usual_hours,
        first_releases.order_released_at,
        order_lines.sku,
        order_lines.channel,
        order_lines.clock_zone,
        order_lines.captured_at,
        order_lines.ship_by_at,
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
        pieces.arrived_at,
        pieces.delivered_at,
        pieces.estimated_delivery_first_at,
        appointments.appointment_end_at,
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
            and pieces.position = 1
    left join {{ ref('int_order_appointments') }} as appointments on misses.order_id = appointments.order_id
    left join {{ ref('int_release_hours_usual') }} as usual_lags on order_lines.channel = usual_lags.channel
    left join first_releases on misses.order_id = first_releases.order_id
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
        {{ to_local(add_hours('ready_at', 'usual_hours'), "coalesce(zone, clock_zone, 'UTC')") }} as ready_local,
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

-- A nearer node than the one that shipped: how many days its lane would have saved.
lane_days as (
    select
        lanes.node_id,
        lanes.carrier,
        lanes.service,
        regions.ship_to_region as region,
        min(lanes.transit_days) as transit_days
    from {{ ref('lanes') }} as lanes
    inner join {{ ref('regions') }} as regions on lanes.lane_zone = regions.lane_zone
    group by lanes.node_id, lanes.carrier, lanes.service, regions.ship_to_region
),

nearest as (
    select
        carrier,
        service,
        region,
        min(transit_days) as transit_days,
        {{ first_known('node_id', then_by('transit_days', 'node_id')) }} as node_id
    from lane_days
    group by carrier, service, region
)

select
    opened_ways.*,
    {{ to_utc(add_days('release_day_at', 1), "coalesce(opened_ways.zone, opened_ways.clock_zone, 'UTC')") }}
        as pack_due_at,
    nearest.node_id as nearest_node_id,
    case
        when lane_days.transit_days > nearest.transit_days and opened_ways.channel_type <> 'wholesale'
            then lane_days.transit_days - nearest.transit_days
        else 0
    end as detour_days
from opened_ways
left join lane_days
    on
        opened_ways.node_id = lane_days.node_id
        and opened_ways.carrier = lane_days.carrier
        and opened_ways.service = lane_days.service
        and opened_ways.region = lane_days.region
left join nearest
    on
        opened_ways.carrier = nearest.carrier
        and opened_ways.service = nearest.service
        and opened_ways.region = nearest.region
