{{ config(materialized='view') }}
{#- Finance events under the order they belong to. -#}
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
    events.document_id,
    events.reference_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.line_id,
    events.sku,
    events.customer_id,
    events.quantity,
    events.unit_price,
    events.amount,
    events.currency,
    events.reason_code,
    events.violation,
    events.due_at,
    events.outcome,
    events.attributes
from {{ ref('stg_landing__finance_events') }} as events
{{ join_renames() }}
