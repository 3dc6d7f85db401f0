{{ config(materialized='incremental', in_pieces=true, by_capture_day=true) }}
-- Gift cards and services are not goods: they neither count nor keep an order open.
with line_totals as (
    select
        order_id,
        {{ one_or_multiple("nullif(node_id, '(none)')") }} as node_id,
        {{ one_or_multiple('category') }} as category,
        {{ one_or_multiple('seller_id') }} as seller_id,
        {{ one_or_multiple("case when line_status = 'cancelled' then cancel_actor end") }} as cancel_actor,
        {{ one_or_multiple("case when line_status = 'cancelled' then cancel_time_quality end") }}
            as cancel_time_quality,
        count(*) as line_count,
        count(case when line_status = 'cancelled' then 1 end) as lines_cancelled,
        count(case when open_quantity > 0 then 1 end) as lines_open,
        sum(base_original) as units_ordered,
        sum(base_revised) as units_revised,
        -- Unknown on one line is unknown for the order.
        case when count(quantity_shipped) = count(*) then sum(quantity_shipped) end as units_shipped,
        -- Amounts of different currencies have no sum.
        case when count(distinct currency) <= 1 then sum(base_revised * unit_price) end as merchandise_amount,
        min(released_at) as released_at,
        max(case when line_status = 'cancelled' then cancelled_at end) as cancelled_at
    from {{ ref('int_order_lines_balanced') }}
    where coalesce(exclusion_reason, '') <> 'no_ship'
    group by order_id
),

-- Freight of the order may stand on any of its lines.
freight as (
    select
        order_id,
        sum(freight_amount) as freight_amount
    from {{ ref('int_order_lines_balanced') }}
    where freight_amount is not null
    group by order_id
),

-- A piece of a line that the order does not have (a wrong item) has left as well, but the order does not wait for it.
pieces_known as (
    select
        shipments.order_id,
        shipments.node_id,
        shipments.carrier,
        shipments.pick_started_at,
        shipments.pick_completed_at,
        shipments.packed_at,
        shipments.accepted_at,
        coalesce(shipments.delivered_at, shipments.arrived_at) as delivered_at,
        shipments.line_id is null or order_lines.line_id is not null or line_totals.order_id is null as is_ordered
    from {{ ref('int_shipment_lines') }} as shipments
    left join {{ ref('int_order_lines_balanced') }} as order_lines
        on shipments.order_id = order_lines.order_id and shipments.line_id = order_lines.line_id
    left join line_totals on shipments.order_id = line_totals.order_id
    where shipments.is_shipped
),

pieces as (
    select
        order_id,
        {{ one_or_multiple("node_id") }} as node_id,
        {{ one_or_multiple("carrier") }} as carrier,
        count(*) as piece_count,
        count(case when is_ordered then 1 end) as pieces_ordered,
        count(case when is_ordered then accepted_at end) as pieces_accepted,
        count(case when is_ordered then delivered_at end) as pieces_delivered,
        min(pick_started_at) as pick_started_at,
        max(pick_completed_at) as pick_completed_at,
        max(packed_at) as packed_at,
        max(case when is_ordered then accepted_at end) as accepted_at,
        max(case when is_ordered then delivered_at end) as delivered_at
    from pieces_known
    group by order_id
),

invoices as (
    select
        order_id,
        min(invoiced_at) as invoiced_at
    from {{ ref('int_invoice_lines_latest') }}
    where order_id is not null
    group by order_id
),

joined as (
    select
        orders.*,
        coalesce(nullif(line_totals.node_id, '(none)'), pieces.node_id, '(none)') as line_node_id,
        coalesce(pieces.carrier, '(none)') as carrier,
        coalesce(line_totals.category, '(none)') as category,
        coalesce(line_totals.seller_id, '(none)') as seller_id,
        coalesce(line_totals.line_count, 0) as line_count,
        coalesce(line_totals.lines_open, 0) as lines_open,
        coalesce(line_totals.units_ordered, 0) as units_ordered,
        coalesce(line_totals.units_revised, 0) as units_revised,
        line_totals.units_shipped,
        line_totals.merchandise_amount,
        freight.freight_amount as line_freight_amount,
        line_totals.released_at as line_released_at,
        line_totals.cancel_actor as line_cancel_actor,
        line_totals.cancel_time_quality as line_cancel_time_quality,
        line_totals.cancelled_at as line_cancelled_at,
        coalesce(pieces.piece_count, 0) as piece_count,
        coalesce(pieces.pieces_delivered, 0) as pieces_delivered,
        -- Whole = nothing went out; goods of unknown quantity do not undo a cancellation of the order.
        (line_totals.line_count = line_totals.lines_cancelled)
        or (orders.cancelled_at is not null and coalesce(line_totals.units_shipped, 0) = 0) as is_cancelled,
        pieces.pick_started_at,
        pieces.pick_completed_at,
        pieces.packed_at,
        case
            when coalesce(line_totals.lines_open, 0) = 0 and pieces.pieces_accepted = pieces.pieces_ordered
                then pieces.accepted_at
        end as accepted_at,
        case
            when coalesce(line_totals.lines_open, 0) = 0 and pieces.pieces_delivered = pieces.pieces_ordered
                then pieces.delivered_at
        end as delivered_at,
        invoices.invoiced_at
    from {{ ref('int_orders_consolidated') }} as orders
    left join line_totals on orders.order_id = line_totals.order_id
    left join freight on orders.order_id = freight.order_id
    left join pieces on orders.order_id = pieces.order_id
    left join invoices on orders.order_id = invoices.order_id
)

select
    order_id,
    source,
    order_type,
    currency,
    channel,
    channel_type,
    customer_id,
    line_node_id as node_id,
    carrier,
    region,
    category,
    seller_id,
    ship_to_id,
    incoterm,
    exclusion_reason,
    case when is_cancelled then coalesce(cancel_actor, nullif(line_cancel_actor, '(none)')) end as cancel_actor,
    case when is_cancelled then coalesce(cancel_time_quality, nullif(line_cancel_time_quality, '(none)')) end
        as cancel_time_quality,
    case
        when is_cancelled then 'cancelled'
        when delivered_at is not null then 'delivered'
        when piece_count > 0 and lines_open > 0 then 'part_shipped'
        when piece_count > 0 then 'shipped'
        when is_on_hold then 'on_hold'
        when coalesce(line_released_at, released_at) is not null then 'released'
        else 'captured'
    end as order_status,
    line_count,
    cast(units_ordered as decimal(18, 3)) as units_ordered,
    cast(units_revised as decimal(18, 3)) as units_revised,
    cast(units_shipped as decimal(18, 3)) as units_shipped,
    cast(merchandise_amount as decimal(18, 4)) as merchandise_amount,
    cast(coalesce(line_freight_amount, freight_amount) as decimal(18, 4)) as freight_amount,
    hold_hours,
    exclusion_reason is not null as is_excluded,
    captured_date,
    captured_at,
    approved_at,
    coalesce(line_released_at, released_at) as released_at,
    pick_started_at,
    pick_completed_at,
    packed_at,
    accepted_at,
    delivered_at,
    invoiced_at,
    case when is_cancelled then coalesce(cancelled_at, line_cancelled_at) end as cancelled_at
from joined
