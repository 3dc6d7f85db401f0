{#-
    What each document of the chain says about the units of a wholesale order line: ordered (850), confirmed and put on
    backorder (855, the latest answer), noticed (856, a corrected notice replaces the earlier), received (861), invoiced
    (810). Null = the document says nothing about this line. A document that names no line is about the first line of
    its SKU.
-#}
with lines as (
    select
        order_id,
        line_id,
        sku,
        channel,
        customer_id,
        currency,
        base_original,
        base_revised,
        quantity_shipped,
        quantity_delivered,
        open_quantity,
        unit_price,
        line_status = 'delivered' as is_delivered,
        least(window_end_at, cancel_after_at) as end_at,
        row_number() over (partition by order_id, sku order by line_id) = 1 as is_first_of_sku
    from {{ ref('fct_order_lines') }}
    where channel_type = 'wholesale' and not is_excluded
),

answers as (
    select
        order_id,
        line_id,
        reason,
        quantity,
        event_at,
        max(event_at) over (partition by order_id, line_id) as latest_at
    from {{ ref('int_order_events_identified') }}
    where event_type = 'order.promised' and line_id is not null and not is_shadowed
),

confirmed as (
    select
        order_id,
        line_id,
        sum(case when coalesce(reason, '') <> 'IB' then quantity else 0 end) as quantity_confirmed,
        sum(case when reason = 'IB' then quantity end) as quantity_backordered
    from answers
    where event_at = latest_at and quantity is not null
    group by order_id, line_id
),

voided as (
    select
        shipment_id,
        max(event_at) as voided_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'label.voided' and source = 'edi' and shipment_id is not null
    group by shipment_id
),

notices as (
    select
        events.order_id,
        events.line_id,
        events.sku,
        events.quantity,
        events.event_at,
        max(events.event_at) over (partition by events.order_id, events.shipment_id) as latest_at,
        voided.voided_at
    from {{ ref('int_shipment_events_identified') }} as events
    left join voided on events.shipment_id = voided.shipment_id
    where events.event_type = 'asn.sent' and events.order_id is not null
),

said as (
    select
        'noticed' as said_by,
        order_id,
        line_id,
        sku,
        quantity,
        cast(null as decimal(18, 4)) as unit_price
    from notices
    where event_at = latest_at and coalesce(event_at > voided_at, true)
    union all
    select
        'received' as said_by,
        order_id,
        line_id,
        sku,
        quantity,
        cast(null as decimal(18, 4)) as unit_price
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'received' and order_id is not null
    union all
    select
        'invoiced' as said_by,
        order_id,
        line_id,
        sku,
        quantity,
        unit_price
    from {{ ref('int_invoice_lines_latest') }}
    where not is_total
),

summed as (
    select
        lines.order_id,
        lines.line_id,
        sum(case when said.said_by = 'noticed' then said.quantity end) as quantity_noticed,
        sum(case when said.said_by = 'received' then said.quantity end) as quantity_received,
        sum(case when said.said_by = 'invoiced' then said.quantity end) as quantity_invoiced,
        max(said.unit_price) as price_invoiced
    from lines
    inner join said
        on
            lines.order_id = said.order_id
            and lines.line_id = coalesce(said.line_id, lines.line_id)
            and (said.line_id is not null or (lines.sku = said.sku and lines.is_first_of_sku))
    group by lines.order_id, lines.line_id
)

select
    lines.order_id,
    lines.line_id,
    lines.sku,
    lines.channel,
    lines.customer_id,
    lines.currency,
    lines.base_original as quantity_ordered,
    lines.base_revised as quantity_revised,
    confirmed.quantity_confirmed,
    confirmed.quantity_backordered,
    summed.quantity_noticed,
    lines.quantity_shipped,
    -- What the customer counted outranks what the carrier brought.
    coalesce(summed.quantity_received, lines.quantity_delivered) as quantity_delivered,
    summed.quantity_received,
    summed.quantity_invoiced,
    lines.open_quantity,
    lines.unit_price as price_ordered,
    summed.price_invoiced,
    lines.is_delivered,
    lines.end_at
from lines
left join confirmed on lines.order_id = confirmed.order_id and lines.line_id = confirmed.line_id
left join summed on lines.order_id = summed.order_id and lines.line_id = summed.line_id
