{#- What cannot be true in the data that landed. Rows stay where they are; here they are named. -#}
with negative_durations as (
    select
        'negative_duration' as issue,
        stages.order_id || ' ' || stages.stage_id as subject,
        stages.order_id,
        stages.stage_id || ' ends ' || {{ as_stamp('stages.ended_at') }} || ', before its start '
        || {{ as_stamp('stages.started_at') }}
            as detail
    from {{ ref('fct_order_stages') }} as stages
    inner join {{ ref('stages') }} as definitions on stages.stage_id = definitions.stage_id
    -- An invoice may be written before the goods arrive.
    where
        not stages.is_valid
        and stages.exclusion_reason is null
        and definitions.to_milestone <> 'invoiced'
),

unknown_shipments as (
    select
        'shipment_of_unknown_order' as issue,
        shipments.order_id as subject,
        shipments.order_id,
        cast(count(*) as varchar) || ' shipment lines from ' || min(shipments.source)
        || ' name an order that was never captured' as detail
    from {{ ref('fct_shipment_lines') }} as shipments
    left join {{ ref('fct_orders') }} as orders on shipments.order_id = orders.order_id
    where orders.order_id is null
    group by shipments.order_id
),

unknown_lines as (
    select
        'shipped_item_not_ordered' as issue,
        shipments.order_id || ' ' || shipments.line_id as subject,
        shipments.order_id,
        {{ counted('sum(shipments.quantity)', 'unit') }} || ' of '
        || coalesce(min(shipments.sku), 'line ' || shipments.line_id) || ' shipped by ' || min(shipments.source)
        || ', which the order does not ask for' as detail
    from {{ ref('fct_shipment_lines') }} as shipments
    inner join (select distinct order_id from {{ ref('fct_order_lines') }}) as orders
        on shipments.order_id = orders.order_id
    left join {{ ref('fct_order_lines') }} as lines
        on shipments.order_id = lines.order_id and shipments.line_id = lines.line_id
    where
        lines.line_id is null
        and shipments.line_id is not null
        and not shipments.is_voided
    group by shipments.order_id, shipments.line_id
),

scans as (
    select
        tracking_number,
        min(source) as source,
        count(*) as scan_count,
        min(event_at) as first_scan_at
    from {{ ref('int_shipment_events_identified') }}
    where tracking_number is not null and order_id is null
    group by tracking_number
),

shipped_numbers as (
    select distinct tracking_number
    from {{ ref('fct_shipment_lines') }}
    where tracking_number is not null
),

unknown_scans as (
    select
        'scan_without_shipment' as issue,
        scans.tracking_number as subject,
        cast(null as varchar) as order_id,
        cast(scans.scan_count as varchar) || ' scans of ' || scans.tracking_number || ' from ' || scans.source
        || ' since ' || {{ as_stamp('scans.first_scan_at') }} || ' belong to no shipment' as detail
    from scans
    left join shipped_numbers on scans.tracking_number = shipped_numbers.tracking_number
    where shipped_numbers.tracking_number is null
),

over_shipments as (
    select
        'shipped_more_than_ordered' as issue,
        order_id || ' ' || line_id as subject,
        order_id,
        {{ counted('quantity_shipped', 'unit') }} || ' of ' || coalesce(sku, 'line ' || line_id) || ' shipped, '
        || {{ as_text('base_original') }} || ' ordered' as detail
    from {{ ref('fct_order_lines') }}
    where quantity_shipped > greatest(base_original, base_revised)
),

future_events as (
    select
        'event_after_as_of' as issue,
        source || ' ' || event_type as subject,
        cast(null as varchar) as order_id,
        cast(count(*) as varchar) || ' ' || event_type || ' events of ' || source || ' lie after the as-of, the last '
        || {{ as_stamp('max(event_at)') }} as detail
    from {{ ref('stg_landing__future_events') }}
    group by source, event_type
),

duplicate_orders as (
    select
        'duplicate_purchase_order' as issue,
        order_id as subject,
        order_id,
        cast(count(*) as varchar) || ' purchase orders came with this number, ' || {{ as_stamp('min(exchanged_at)') }}
        || ' to ' || {{ as_stamp('max(exchanged_at)') }} as detail
    from {{ ref('fct_documents') }}
    where document_type = '850' and order_id is not null
    group by order_id
    having count(*) > 1
),

unsure_references as (
    select
        status || '_order_number' as issue,
        source || ' ' || order_reference as subject,
        cast(null as varchar) as order_id,
        case
            when status = 'ambiguous'
                then
                    cast(candidates as varchar) || ' orders fit the number ' || order_reference || ' of ' || source
                    || '; it is linked to none'
            else 'no captured order fits the number ' || order_reference || ' of ' || source
        end as detail
    from {{ ref('fct_order_references') }}
    where status in ('ambiguous', 'unmatched')
),

reused_numbers as (
    select
        'order_number_used_again' as issue,
        source || ' ' || order_reference as subject,
        order_id,
        order_reference || ' of ' || source || ' means ' || order_id || ' since ' || {{ as_stamp('valid_from_at') }}
            as detail
    from {{ ref('fct_order_references') }}
    where valid_from_at is not null and status = 'record'
),

found as (
    select * from unsure_references
    union all
    select * from reused_numbers
    union all
    select * from negative_durations
    union all
    select * from unknown_shipments
    union all
    select * from unknown_lines
    union all
    select * from unknown_scans
    union all
    select * from over_shipments
    union all
    select * from future_events
    union all
    select * from duplicate_orders
)

select
    md5(issue || '|' || subject) as issue_id,
    issue,
    subject,
    order_id,
    detail
from found
