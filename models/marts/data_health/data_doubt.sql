{#-
    What the figures cannot be sure of, counted by kind, source and company day. A day is the day the fact belongs to;
    for records that could not be read, the day they landed. `orders` counts the orders touched, where they are known.
-#}
with unread as (
    select
        'unread_record' as doubt,
        rejects.source,
        {{ company_date('batches.landed_at') }} as doubt_date,
        count(distinct rejects.source_ref) as observations,
        cast(null as bigint) as orders
    from {{ ref('fct_rejects') }} as rejects
    inner join {{ ref('fct_batches') }} as batches on rejects.batch_id = batches.batch_id
    group by rejects.source, {{ company_date('batches.landed_at') }}
),

repeated as (
    select
        'repeated_event' as doubt,
        files.source,
        {{ company_date('batches.landed_at') }} as doubt_date,
        sum(files.events_duplicate) as observations,
        cast(null as bigint) as orders
    from {{ ref('fct_files') }} as files
    inner join {{ ref('fct_batches') }} as batches on files.batch_id = batches.batch_id
    where files.events_duplicate > 0
    group by files.source, {{ company_date('batches.landed_at') }}
),

-- Shipped, its window over, and no word of the delivery although deliveries of other goods are told.
proofs as (
    select count(delivered_at) as deliveries
    from {{ ref('fct_shipment_lines') }}
),

without_proof as (
    select
        'missing_delivery_proof' as doubt,
        shipments.source,
        {{ company_date('shipments.ship_confirmed_at') }} as doubt_date,
        count(distinct shipments.shipment_line_id) as observations,
        count(distinct shipments.order_id) as orders
    from {{ ref('fct_shipment_lines') }} as shipments
    inner join {{ ref('fct_order_lines') }} as lines
        on shipments.order_id = lines.order_id and shipments.line_id = lines.line_id
    inner join proofs on proofs.deliveries > 0
    where
        shipments.delivered_at is null
        and shipments.ship_confirmed_at is not null
        and not shipments.is_voided
        and coalesce(lines.window_end_at, lines.promise_latest_at, lines.requested_at) <= {{ as_of() }}
    group by shipments.source, {{ company_date('shipments.ship_confirmed_at') }}
),

orphans as (
    select
        'orphan_shipment' as doubt,
        shipments.source,
        {{ company_date('coalesce(shipments.ship_confirmed_at, shipments.label_at, shipments.accepted_at)') }}
            as doubt_date,
        count(*) as observations,
        count(distinct shipments.order_id) as orders
    from {{ ref('fct_shipment_lines') }} as shipments
    left join {{ ref('fct_orders') }} as orders on shipments.order_id = orders.order_id
    where orders.order_id is null
    group by
        shipments.source,
        {{ company_date('coalesce(shipments.ship_confirmed_at, shipments.label_at, shipments.accepted_at)') }}
),

unsure_references as (
    select
        status || '_order_number' as doubt,
        source,
        {{ company_date('first_seen_at') }} as doubt_date,
        count(*) as observations,
        cast(null as bigint) as orders
    from {{ ref('fct_order_references') }}
    where status in ('ambiguous', 'unmatched')
    group by status, source, {{ company_date('first_seen_at') }}
),

impossible_stages as (
    select
        'impossible_duration' as doubt,
        orders.source,
        {{ company_date('stages.started_at') }} as doubt_date,
        count(*) as observations,
        count(distinct stages.order_id) as orders
    from {{ ref('fct_order_stages') }} as stages
    inner join {{ ref('stages') }} as definitions on stages.stage_id = definitions.stage_id
    inner join {{ ref('fct_orders') }} as orders on stages.order_id = orders.order_id
    where
        not stages.is_valid
        and stages.exclusion_reason is null
        and definitions.to_milestone <> 'invoiced'
    group by orders.source, {{ company_date('stages.started_at') }}
)

{% for part in [
    "unread", "repeated", "without_proof", "orphans", "unsure_references", "impossible_stages",
] %}
    select
        doubt,
        source,
        cast(observations as bigint) as observations,
        cast(orders as bigint) as orders,
        doubt_date
    from {{ part }}
    {{ "union all" if not loop.last }}
{% endfor %}
