{#- Shipments that left without word: ship notice late or missing, carrier silent. -#}
with asns as (
    select
        *,
        shipped_at + interval '1' hour * {{ var('asn_grace_hours', 1) }} as deadline_at
    from {{ ref('int_asns_matched') }}
),

asn_late as (
    select
        'asn_late' as kind,
        order_id || ' ' || tracking_number as subject,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        node_id,
        carrier,
        channel,
        customer_id,
        cast(null as decimal(18, 4)) as money_at_risk,
        case
            when asn_sent_at is null
                then 'No ship notice was sent to ' || customer_id || ' for order ' || order_id
            else
                'The ship notice to ' || customer_id || ' for order ' || order_id || ' was sent '
                || {{ as_days('shipped_at', 'asn_sent_at') }} || ' after departure'
        end as title,
        'Left ' || {{ as_stamp('shipped_at') }} || ' as ' || tracking_number || ', notice '
        || coalesce('sent ' || {{ as_stamp('asn_sent_at') }}, 'missing')
        || coalesce(', arrived ' || {{ as_stamp('arrived_at') }}, '') as evidence,
        deadline_at as opened_at,
        coalesce(arrived_at, deadline_at) as due_at
    from asns
    where
        deadline_at < {{ as_of() }}
        and coalesce(asn_sent_at, {{ as_of() }}) > deadline_at
        and shipped_at >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
),

scans as (
    select
        tracking_number,
        max(event_at) as last_scan_at,
        max(case when event_type = 'exception' then event_at end) as exception_at
    from {{ ref('int_shipment_events_identified') }}
    where
        event_type in ('carrier.accepted', 'in_transit', 'exception', 'arrived', 'delivered', 'received')
        and tracking_number is not null
    group by tracking_number
),

on_the_way as (
    select
        lines.tracking_number,
        max(lines.order_id) as order_id,
        count(distinct lines.order_id) as order_count,
        max(lines.node_id) as node_id,
        max(lines.carrier) as carrier,
        max(order_lines.channel) as channel,
        max(order_lines.customer_id) as customer_id,
        sum(lines.quantity) as quantity,
        sum(lines.quantity * coalesce(order_lines.unit_price, 0)) as amount,
        min(lines.accepted_at) as accepted_at,
        max(lines.estimated_delivery_first_at) as estimated_delivery_at
    from {{ ref('fct_shipment_lines') }} as lines
    inner join {{ ref('fct_order_lines') }} as order_lines
        on lines.order_id = order_lines.order_id and lines.line_id = order_lines.line_id
    where
        lines.tracking_number is not null
        and lines.accepted_at is not null
        and lines.delivered_at is null
        and not lines.is_voided
        and not order_lines.is_excluded
    group by lines.tracking_number
),

carrier_silent as (
    select
        'carrier_silent' as kind,
        on_the_way.tracking_number as subject,
        on_the_way.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        on_the_way.node_id,
        on_the_way.carrier,
        on_the_way.channel,
        on_the_way.customer_id,
        on_the_way.amount as money_at_risk,
        'Parcel ' || on_the_way.tracking_number || ' of order ' || on_the_way.order_id || ' has had no scan for '
        || {{ as_days('scans.last_scan_at', as_of()) }} as title,
        'Accepted by ' || coalesce(on_the_way.carrier, 'the carrier') || ' ' || {{ as_stamp('on_the_way.accepted_at') }}
        || ', last scan ' || {{ as_stamp('scans.last_scan_at') }}
        || coalesce(', exception ' || {{ as_stamp('scans.exception_at') }}, '')
        || coalesce(', first estimate ' || {{ as_stamp('on_the_way.estimated_delivery_at') }}, '')
        || '; ' || {{ counted('on_the_way.quantity', 'unit') }} as evidence,
        scans.last_scan_at + interval '1' day * 5 as opened_at,
        on_the_way.estimated_delivery_at as due_at
    from on_the_way
    inner join scans on on_the_way.tracking_number = scans.tracking_number
    where
        scans.last_scan_at + interval '1' day * 5 <= {{ as_of() }}
        -- After that it is a claim, not a trace.
        and scans.last_scan_at >= {{ as_of() }} - interval '1' day * {{ var('carrier_trace_days', 45) }}
)

select * from asn_late
union all
select * from carrier_silent
