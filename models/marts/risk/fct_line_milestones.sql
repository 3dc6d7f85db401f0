{#-
    What happened to a line and when we could have known it: the raw material of at-risk predictions, which look at
    history as it looked on each of its days.

    A source that tells an event type within six hours nine times of ten is taken at its word about when it told. Files
    loaded later, and documents that restate an order's latest state, cannot say when their news was learnt; there the
    business instant counts as the instant of knowing.
-#}
{% set pieces = ["pick_started", "packed", "accepted", "arrived", "delivered"] %}
with told as (
    select
        source,
        event_type,
        order_id,
        cast(null as varchar) as tracking_number,
        event_at,
        observed_at
    from {{ ref('int_order_events_identified') }}
    where observed_at is not null
    union all
    select
        source,
        event_type,
        order_id,
        tracking_number,
        event_at,
        observed_at
    from {{ ref('int_shipment_events_identified') }}
    where observed_at is not null
),

prompt as (
    select
        source,
        event_type
    from told
    group by source, event_type
    having {{ percentile(hours_between('event_at', 'observed_at'), 0.9) }} <= {{ var('prompt_hours', 6) }}
),

heard as (
    select
        told.order_id,
        told.tracking_number,
        told.event_at,
        min(told.observed_at) as heard_at
    from told
    inner join prompt on told.source = prompt.source and told.event_type = prompt.event_type
    group by told.order_id, told.tracking_number, told.event_at
),

heard_of_orders as (
    select
        order_id,
        event_at,
        min(heard_at) as heard_at
    from heard
    where order_id is not null
    group by order_id, event_at
),

heard_of_parcels as (
    select
        tracking_number,
        event_at,
        min(heard_at) as heard_at
    from heard
    where tracking_number is not null
    group by tracking_number, event_at
),

pieces as (
    select
        matched.*,
        shipped.tracking_number
    from {{ ref('int_order_line_pieces_matched') }} as matched
    left join {{ ref('int_shipment_lines') }} as shipped on matched.shipment_line_id = shipped.shipment_line_id
),

reached as (
    select
        order_id,
        line_id,
        '' as piece_id,
        cast(null as varchar) as tracking_number,
        'captured' as milestone,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        cast(null as varchar) as service,
        cast(null as varchar) as detail,
        base_original as quantity,
        captured_at as reached_at
    from {{ ref('int_order_lines_balanced') }}
    union all
    select
        order_id,
        '' as line_id,
        '' as piece_id,
        cast(null as varchar) as tracking_number,
        'approved' as milestone,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        cast(null as varchar) as service,
        cast(null as varchar) as detail,
        cast(null as decimal(18, 3)) as quantity,
        approved_at as reached_at
    from {{ ref('int_orders_consolidated') }}
    union all
    select
        order_id,
        coalesce(line_id, '') as line_id,
        '' as piece_id,
        cast(null as varchar) as tracking_number,
        case event_type
            when 'hold.placed' then 'hold_placed'
            when 'hold.released' then 'hold_released'
            else 'released'
        end as milestone,
        node_id,
        cast(null as varchar) as carrier,
        cast(null as varchar) as service,
        hold_type as detail,
        quantity,
        event_at as reached_at
    from {{ ref('int_order_events_sequenced') }}
    where event_type in ('hold.placed', 'hold.released', 'order.released')
    union all
    select
        order_id,
        line_id,
        '' as piece_id,
        cast(null as varchar) as tracking_number,
        'cancelled' as milestone,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        cast(null as varchar) as service,
        actor as detail,
        quantity_cancelled as quantity,
        cancelled_at as reached_at
    from {{ ref('int_order_cancellations_resolved') }}
    {% for milestone in pieces %}
        union all
        select
            order_id,
            line_id,
            shipment_line_id as piece_id,
            tracking_number,
            '{{ milestone }}' as milestone,
            node_id,
            carrier,
            service,
            cast(null as varchar) as detail,
            quantity,
            {{ milestone }}_at as reached_at
        from pieces
    {% endfor %}
),

summed as (
    select
        order_id,
        line_id,
        piece_id,
        milestone,
        max(tracking_number) as tracking_number,
        max(node_id) as node_id,
        max(carrier) as carrier,
        max(service) as service,
        coalesce(detail, '') as detail,
        sum(quantity) as quantity,
        reached_at
    from reached
    where reached_at is not null and reached_at < {{ as_of() }}
    group by order_id, line_id, piece_id, milestone, coalesce(detail, ''), reached_at
)

select
    summed.order_id,
    summed.line_id,
    summed.piece_id,
    summed.milestone,
    summed.node_id,
    summed.carrier,
    summed.service,
    summed.detail,
    cast(summed.quantity as decimal(18, 3)) as quantity,
    summed.reached_at,
    greatest(
        summed.reached_at, coalesce(heard_of_parcels.heard_at, heard_of_orders.heard_at, summed.reached_at)
    ) as known_at
from summed
left join heard_of_parcels
    on summed.tracking_number = heard_of_parcels.tracking_number and summed.reached_at = heard_of_parcels.event_at
left join heard_of_orders
    on summed.order_id = heard_of_orders.order_id and summed.reached_at = heard_of_orders.event_at
