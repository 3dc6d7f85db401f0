{#-
    Every shipment to a partner that gets ship notices, with its notice. Notice and shipment meet on the tracking or
    PRO number; where the notice names none the order's own notice counts. The first transmission is the clock, unless the
    partner's 997 rejected it: then the first that he did not reject. Proven is one that he accepted, or that nobody answers.
-#}
with answers as (
    select
        document_id,
        exchanged_at,
        max(case when ack_status = 'R' then 1 else 0 end) = 1 as is_rejected,
        max(case when ack_status in ('missing', 'P') then 1 else 0 end) = 1 as is_unproven
    from {{ ref('fct_documents') }}
    where document_type = '856' and direction = 'out' and document_id is not null
    group by document_id, exchanged_at
),

notices as (
    select
        notices.order_id,
        notices.tracking_number,
        count(distinct notices.sscc) as carton_count,
        min(notices.event_at) as asn_sent_at,
        min(case when not coalesce(answers.is_rejected, false) then notices.event_at end) as asn_accepted_at,
        min(
            case
                when not coalesce(answers.is_rejected, false) and not coalesce(answers.is_unproven, false)
                    then notices.event_at
            end
        ) as asn_proven_at
    from {{ ref('int_shipment_events_identified') }} as notices
    left join answers on notices.shipment_id = answers.document_id and notices.event_at = answers.exchanged_at
    where notices.event_type = 'asn.sent' and notices.order_id is not null
    group by notices.order_id, notices.tracking_number
),

order_notices as (
    select
        order_id,
        max(carton_count) as carton_count,
        min(asn_sent_at) as asn_sent_at,
        min(asn_accepted_at) as asn_accepted_at,
        min(asn_proven_at) as asn_proven_at
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
),

-- Notices under a number that no shipment of the order has.
strays as (
    select distinct notices.order_id
    from notices
    left join shipments
        on notices.order_id = shipments.order_id and notices.tracking_number = shipments.tracking_number
    where notices.tracking_number is not null and shipments.order_id is null
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
    coalesce(notices.asn_sent_at, order_notices.asn_sent_at) is null and strays.order_id is not null
        as is_notice_astray,
    coalesce(notices.asn_sent_at, order_notices.asn_sent_at) as asn_sent_at,
    case when notices.order_id is not null then notices.asn_accepted_at else order_notices.asn_accepted_at end
        as asn_accepted_at,
    case when notices.order_id is not null then notices.asn_proven_at else order_notices.asn_proven_at end
        as asn_proven_at
from shipments
left join notices
    on
        shipments.order_id = notices.order_id
        and shipments.tracking_number = notices.tracking_number
left join order_notices on shipments.order_id = order_notices.order_id
left join strays on shipments.order_id = strays.order_id
where shipments.shipped_at is not null
