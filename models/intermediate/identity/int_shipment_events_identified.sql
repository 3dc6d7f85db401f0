{{ config(materialized='view', fixed_inputs=['int_orders_linked']) }}
{#- Shipment events under the order they belong to. -#}
-- depends_on: {{ ref('int_orders_changed') }}
-- depends_on: {{ ref('int_orders_linked') }}
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
    coalesce(renames.order_id, events.order_id) as order_id,
    events.line_id,
    events.sku,
    events.quantity,
    events.uom,
    events.node_id,
    events.carrier,
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
from {{ ref('stg_landing__shipment_events') }} as events
{{ join_renames() }}
