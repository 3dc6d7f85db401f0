{#-
    Every shipment to a partner that gets ship notices, with its notice. Notice and shipment meet on the tracking or
    PRO number; where the notice names none the order's own notice counts. The first transmission is the clock.
-#}
with notices as (
    select
        order_id,
        tracking_number,
        count(distinct sscc) as carton_count,
        min(event_at) as asn_sent_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'asn.sent' and order_id is not null
    group by order_id, tracking_number
),

order_notices as (
    select
        order_id,
        max(carton_count) as carton_count,
        min(asn_sent_at) as asn_sent_at
    from notices
    where tracking_number is null
    group by order_id
),

partners as (
    select distinct orders.customer_id
    from notices
    inner join {{ ref('fct_orders') }} as orders on notices.order_id = orders.order_id
    where orders.channel_type = 'wholesale'
),

shipments as (
    select
        lines.order_id,
        lines.tracking_number,
        orders.customer_id,
        orders.channel,
        orders.currency,
        max(lines.node_id) as node_id,
        max(lines.carrier) as carrier,
        sum(lines.quantity) as quantity,
        count(distinct lines.sscc) as carton_count,
        min(coalesce(lines.accepted_at, lines.ship_confirmed_at)) as shipped_at,
        min(coalesce(lines.arrived_at, lines.delivered_at)) as arrived_at
    from {{ ref('fct_shipment_lines') }} as lines
    inner join {{ ref('fct_orders') }} as orders on lines.order_id = orders.order_id
    inner join partners on orders.customer_id = partners.customer_id
    where not lines.is_voided and orders.channel_type = 'wholesale' and not orders.is_excluded
    group by lines.order_id, lines.tracking_number, orders.customer_id, orders.channel, orders.currency
)

select
    shipments.order_id,
    coalesce(shipments.tracking_number, '(none)') as tracking_number,
    shipments.customer_id,
    shipments.channel,
    shipments.currency,
    shipments.node_id,
    shipments.carrier,
    shipments.quantity,
    -- Cartons of a shipment without a notice are those that the warehouse packed; 0 = nobody tells of cartons.
    coalesce(notices.carton_count, order_notices.carton_count, shipments.carton_count) as carton_count,
    shipments.shipped_at,
    shipments.arrived_at,
    coalesce(notices.asn_sent_at, order_notices.asn_sent_at) as asn_sent_at
from shipments
left join notices
    on
        shipments.order_id = notices.order_id
        and shipments.tracking_number = notices.tracking_number
left join order_notices on shipments.order_id = order_notices.order_id
where shipments.shipped_at is not null
