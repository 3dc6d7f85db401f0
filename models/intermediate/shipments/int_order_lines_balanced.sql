{{ config(materialized='incremental', in_pieces=true, by_capture_day=true) }}
{#- The account of an order line: ordered, cancelled, shipped, delivered, returned, still open. Null = not known. -#}
with cancelled as (
    select
        order_id,
        line_id,
        sum(quantity_cancelled) as quantity_cancelled,
        min(event_order) as first_event_order,
        min(cancelled_at) as cancelled_at,
        {{ first_known('actor') }} as cancel_actor,
        {{ first_known('time_quality') }} as cancel_time_quality
    from {{ ref('int_order_cancellations_resolved') }}
    group by order_id, line_id
),

-- A return that names no line belongs to the first line of its SKU.
returnable as (
    select
        order_id,
        line_id,
        sku,
        min(line_id) over (partition by order_id, sku) = line_id as is_first_of_sku
    from {{ ref('int_order_lines_consolidated') }}
    where order_id in (select returns.order_id from {{ ref('int_returns_consolidated') }} as returns)
),

returned as (
    select
        returnable.order_id,
        returnable.line_id,
        sum(returns.quantity) as quantity_returned
    from {{ ref('int_returns_consolidated') }} as returns
    inner join returnable
        on
            returns.order_id = returnable.order_id
            and coalesce(returns.line_id, returnable.line_id) = returnable.line_id
            and (returns.line_id is not null or (returns.sku = returnable.sku and returnable.is_first_of_sku))
    where returns.received_at is not null
    group by returnable.order_id, returnable.line_id
),

balanced as (
    select
        order_lines.*,
        shipped.node_id as shipped_node_id,
        shipped.carrier,
        shipped.is_quantity_known,
        shipped.quantity_shipped as known_shipped,
        shipped.quantity_shipped_first as known_shipped_first,
        shipped.quantity_delivered as known_delivered,
        shipped.pieces_shipped,
        shipped.pieces_accepted,
        shipped.pieces_delivered,
        shipped.first_shipped_at,
        shipped.first_accepted_at,
        shipped.last_accepted_at,
        shipped.last_delivered_at,
        coalesce(cancelled.quantity_cancelled, 0) as quantity_cancelled,
        -- A change to zero is a cancellation, unless one was told before it.
        case when cancelled.cancelled_at <= order_lines.zeroed_at then cancelled.cancel_actor
            else coalesce(order_lines.zeroed_by, cancelled.cancel_actor)
        end as cancel_actor,
        case when cancelled.cancelled_at <= order_lines.zeroed_at then cancelled.cancel_time_quality
            else coalesce(order_lines.zeroed_time_quality, cancelled.cancel_time_quality)
        end as cancel_time_quality,
        least(cancelled.cancelled_at, order_lines.zeroed_at) as cancelled_at,
        coalesce(returned.quantity_returned, 0) as quantity_returned,
        ship_due.ship_due_basis,
        ship_due.ship_zone,
        ship_due.ship_due_at,
        -- What is never shipped is never open.
        case
            when order_lines.exclusion_reason = 'no_ship' then 0
            else greatest(
                    order_lines.current_total - coalesce(cancelled.quantity_cancelled, 0) - shipped.quantity_shipped, 0
                )
        end as still_open
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    inner join {{ ref('int_order_lines_shipped') }} as shipped
        on order_lines.order_id = shipped.order_id and order_lines.line_id = shipped.line_id
    inner join {{ ref('int_order_lines_ship_due') }} as ship_due
        on order_lines.order_id = ship_due.order_id and order_lines.line_id = ship_due.line_id
    left join cancelled on order_lines.order_id = cancelled.order_id and order_lines.line_id = cancelled.line_id
    left join returned on order_lines.order_id = returned.order_id and order_lines.line_id = returned.line_id
)

select
    order_id,
    line_id,
    sku,
    source,
    order_type,
    currency,
    clock_zone,
    channel,
    channel_type,
    customer_id,
    shipped_node_id as node_id,
    carrier,
    region,
    category,
    seller_id,
    hold_type,
    cancel_actor,
    cancel_time_quality,
    ship_due_basis,
    ship_zone,
    exclusion_reason,
    case
        when current_total <= 0 or (still_open <= 0 and quantity_cancelled > 0 and pieces_shipped = 0) then 'cancelled'
        when pieces_shipped > 0 and pieces_delivered >= pieces_shipped and (still_open <= 0 or not is_quantity_known)
            then 'delivered'
        when pieces_shipped > 0 and (still_open <= 0 or not is_quantity_known) then 'shipped'
        when pieces_shipped > 0 then 'part_shipped'
        when quantity_cancelled > 0 and still_open <= 0 then 'cancelled'
        when is_on_hold then 'on_hold'
        when released_at is not null then 'released'
        else 'captured'
    end as line_status,
    base_original,
    base_revised,
    current_total,
    cast(quantity_cancelled as decimal(18, 3)) as quantity_cancelled,
    quantity_promised,
    quantity_released,
    cast(case when is_quantity_known then known_shipped end as decimal(18, 3)) as quantity_shipped,
    cast(case when is_quantity_known then known_shipped_first end as decimal(18, 3)) as quantity_shipped_first,
    cast(case when is_quantity_known then known_delivered end as decimal(18, 3)) as quantity_delivered,
    cast(quantity_returned as decimal(18, 3)) as quantity_returned,
    cast(case when is_quantity_known then still_open end as decimal(18, 3)) as open_quantity,
    unit_price,
    unit_cost,
    freight_amount,
    pieces_shipped,
    pieces_accepted,
    pieces_delivered,
    is_quantity_known,
    is_on_hold,
    captured_date,
    captured_at,
    last_buyer_change_at,
    requested_at,
    promise_first_at,
    promise_latest_at,
    window_start_at,
    window_end_at,
    ship_window_start_at,
    ship_by_at,
    ship_due_at,
    cancel_after_at,
    released_at,
    cancelled_at,
    first_shipped_at,
    first_accepted_at,
    last_accepted_at,
    last_delivered_at
from balanced
