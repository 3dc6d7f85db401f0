{#- A carrier goes by one name: a ship notice names its SCAC, a platform its own code (seed `carrier_codes`). -#}
select
    events.event_id,
    events.event_type,
    events.event_at,
    events.observed_at,
    events.time_quality,
    events.source,
    events.source_ref,
    events.batch_id,
    events.shipment_id,
    events.order_id,
    events.line_id,
    events.sku,
    events.quantity,
    events.uom,
    events.node_id,
    coalesce(codes.carrier, events.carrier) as carrier,
    events.service,
    events.tracking_number,
    events.sscc,
    events.status_code,
    events.reason,
    events.estimated_delivery_at,
    events.appointment_at,
    events.origin_region,
    events.ship_to_region,
    events.cost_amount,
    events.currency,
    events.attributes
from {{ source('landing', 'shipment_events') }} as events
left join {{ ref('carrier_codes') }} as codes on lower(events.carrier) = codes.carrier_code
where events.event_at < {{ as_of() }}
