{{ config(materialized='view') }}
{#- Document events under the order they belong to. -#}
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
    events.document_type,
    events.direction,
    events.partner_id,
    events.interchange_control,
    events.group_control,
    events.set_control,
    events.document_id,
    coalesce(renames.order_id, events.order_id) as order_id,
    events.answered_by,
    events.status,
    events.reason,
    events.attributes
from {{ ref('stg_landing__document_events') }} as events
{{ join_renames() }}
