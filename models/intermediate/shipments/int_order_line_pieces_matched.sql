{{ config(materialized='incremental', by_capture_day=true) }}
{#- Pieces per order line. A piece that knows only its order belongs to every line of it, without quantity. -#}
select
    order_lines.order_id,
    order_lines.line_id,
    pieces.shipment_line_id,
    pieces.node_id,
    pieces.carrier,
    pieces.service,
    pieces.quantity,
    pieces.is_shipped,
    order_lines.captured_date,
    pieces.released_at,
    pieces.pick_started_at,
    pieces.packed_at,
    pieces.ship_confirmed_at,
    pieces.shipped_at,
    pieces.accepted_at,
    pieces.arrived_at,
    pieces.delivered_at,
    pieces.estimated_delivery_first_at
from {{ ref('int_shipment_lines') }} as pieces
inner join {{ ref('int_order_lines_consolidated') }} as order_lines
    on pieces.order_id = order_lines.order_id and pieces.line_id = order_lines.line_id
where not pieces.is_voided

union all

select
    order_lines.order_id,
    order_lines.line_id,
    pieces.shipment_line_id,
    pieces.node_id,
    pieces.carrier,
    pieces.service,
    pieces.quantity,
    pieces.is_shipped,
    order_lines.captured_date,
    pieces.released_at,
    pieces.pick_started_at,
    pieces.packed_at,
    pieces.ship_confirmed_at,
    pieces.shipped_at,
    pieces.accepted_at,
    pieces.arrived_at,
    pieces.delivered_at,
    pieces.estimated_delivery_first_at
from {{ ref('int_shipment_lines') }} as pieces
inner join {{ ref('int_order_lines_consolidated') }} as order_lines on pieces.order_id = order_lines.order_id
where pieces.line_id is null and pieces.quantity is null and not pieces.is_voided

union all

-- An order without known lines is judged as a whole, under an empty line.
select
    pieces.order_id,
    '' as line_id,
    pieces.shipment_line_id,
    pieces.node_id,
    pieces.carrier,
    pieces.service,
    pieces.quantity,
    pieces.is_shipped,
    orders.captured_date,
    pieces.released_at,
    pieces.pick_started_at,
    pieces.packed_at,
    pieces.ship_confirmed_at,
    pieces.shipped_at,
    pieces.accepted_at,
    pieces.arrived_at,
    pieces.delivered_at,
    pieces.estimated_delivery_first_at
from {{ ref('int_shipment_lines') }} as pieces
inner join {{ ref('int_orders_consolidated') }} as orders on pieces.order_id = orders.order_id
left join {{ ref('int_order_lines_consolidated') }} as order_lines on pieces.order_id = order_lines.order_id
where order_lines.order_id is null and not pieces.is_voided
