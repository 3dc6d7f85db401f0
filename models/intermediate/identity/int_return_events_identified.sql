{{ config(materialized='view') }}
{#- Return events under the order they belong to. -#}
-- depends_on: {{ ref('int_orders_changed') }}
select
    events.event_id,
    events.event_type,
    events.event_at,
    events.observed_at,
    events.time_quality,
    events.source,
    events.source_ref,
    events.batch_id,
    events.rma_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.line_id,
    events.sku,
    events.quantity,
    events.reason,
    events.disposition,
    events.amount,
    events.currency,
    events.tracking_number,
    events.node_id,
    events.attributes
from {{ ref('stg_landing__return_events') }} as events
{{ join_renames() }}
