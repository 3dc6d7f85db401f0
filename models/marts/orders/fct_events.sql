{{ config(materialized='incremental', linked=true) }}
{#- Everything that is known to have happened to an order, in one timeline. A scan of a parcel that carries several
    orders is told to each of them. -#}
with parcels as (
    select
        tracking_number,
        order_id,
        scans_to_at,
        min(scans_from_at) as scans_from_at
    from {{ ref('int_shipment_lines') }}
    where tracking_number is not null
    group by tracking_number, order_id, scans_to_at
),

-- The pieces of a parcel may have spans of their own that overlap: an order is told of a scan once.
scans_told as (
    select distinct
        events.event_id,
        parcels.order_id
    from {{ ref('int_shipment_events_identified') }} as events
    inner join parcels
        on
            events.tracking_number = parcels.tracking_number
            and events.event_at >= parcels.scans_from_at
            and events.event_at < parcels.scans_to_at
    where events.order_id is null
),

shipment_events as (
    select
        events.event_id,
        coalesce(events.order_id, scans_told.order_id) as order_id,
        events.line_id,
        events.event_at,
        events.event_type,
        events.quantity,
        events.source,
        events.source_ref,
        events.batch_id,
        concat_ws(', ', events.node_id, events.carrier, events.tracking_number, events.status_code, events.reason)
            as detail,
        count(*) over (partition by events.event_id) as copies
    from {{ ref('int_shipment_events_identified') }} as events
    left join scans_told on events.event_id = scans_told.event_id
),

combined as (
    select
        event_id,
        order_id,
        line_id,
        event_at,
        event_type,
        'order' as family,
        quantity,
        concat_ws(', ', sku, actor, hold_type, reason, node_id) as detail,
        source,
        source_ref,
        batch_id
    from {{ ref('int_order_events_identified') }}
    union all
    select
        case when copies = 1 then event_id else md5(concat_ws('|', event_id, order_id)) end as event_id,
        order_id,
        line_id,
        event_at,
        event_type,
        'shipment' as family,
        quantity,
        detail,
        source,
        source_ref,
        batch_id
    from shipment_events
    union all
    select
        event_id,
        order_id,
        line_id,
        event_at,
        event_type,
        'return' as family,
        quantity,
        concat_ws(', ', rma_id, sku, reason, disposition) as detail,
        source,
        source_ref,
        batch_id
    from {{ ref('int_return_events_identified') }}
    union all
    select
        event_id,
        order_id,
        line_id,
        event_at,
        event_type,
        'finance' as family,
        quantity,
        concat_ws(', ', document_id, cast(amount as varchar), currency, reason_code, violation, outcome) as detail,
        source,
        source_ref,
        batch_id
    from {{ ref('int_finance_events_identified') }}
    union all
    select
        event_id,
        order_id,
        cast(null as varchar) as line_id,
        event_at,
        event_type,
        'document' as family,
        cast(null as decimal(18, 3)) as quantity,
        concat_ws(', ', document_type, partner_id, document_id, status, reason) as detail,
        source,
        source_ref,
        batch_id
    from {{ ref('int_document_events_identified') }}
)

select
    event_id,
    order_id,
    line_id,
    event_type,
    family,
    case when detail = '' then event_type else concat(event_type, ': ', detail) end as summary,
    source,
    source_ref,
    batch_id,
    quantity,
    event_at
from combined
where order_id is not null
