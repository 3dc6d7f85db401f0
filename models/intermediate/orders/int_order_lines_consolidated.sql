{{ config(materialized='incremental', by_capture_day=true) }}
{#- What is known of an order line: its own words first, the order's where it has none. -#}
with lines as (
    select distinct
        order_id,
        line_id
    from {{ ref('int_order_events_sequenced') }}
    where
        line_id is not null
        and event_type in ('order.captured', 'order.changed')
        and order_id in (
            select changes.order_id
            from {{ ref('int_order_events_sequenced') }} as changes
            where changes.line_id is null and changes.event_type = 'order.changed'
        )
),

-- What the buyer changes for the whole order holds for every line from then on.
said as (
    select
        order_id,
        line_id,
        event_type,
        event_at,
        event_order,
        sku,
        category,
        seller_id,
        unit_price,
        order_type,
        currency,
        unit_cost,
        freight_amount,
        quantity,
        requested_at,
        case when event_type in ('order.captured', 'order.promised', 'order.changed') then promise_at end as promise_at,
        window_start_at,
        window_end_at,
        ship_window_start_at,
        ship_by_at,
        cancel_after_at,
        node_id
    from {{ ref('int_order_events_sequenced') }}
    where line_id is not null
    union all
    select
        changes.order_id,
        lines.line_id,
        changes.event_type,
        changes.event_at,
        changes.event_order,
        cast(null as varchar) as sku,
        cast(null as varchar) as category,
        cast(null as varchar) as seller_id,
        cast(null as decimal(18, 4)) as unit_price,
        cast(null as varchar) as order_type,
        cast(null as varchar) as currency,
        cast(null as decimal(18, 4)) as unit_cost,
        cast(null as decimal(18, 4)) as freight_amount,
        cast(null as decimal(18, 3)) as quantity,
        changes.requested_at,
        cast(null as timestamp) as promise_at,
        changes.window_start_at,
        changes.window_end_at,
        changes.ship_window_start_at,
        changes.ship_by_at,
        changes.cancel_after_at,
        cast(null as varchar) as node_id
    from {{ ref('int_order_events_sequenced') }} as changes
    inner join lines on changes.order_id = lines.order_id
    where changes.line_id is null and changes.event_type = 'order.changed'
),

-- Most lines are promised once and never changed: what more can happen to them is told by models of its own.
known as (
    select
        order_id,
        line_id,
        {{ last_known('sku') }} as sku,
        {{ last_known('category') }} as category,
        {{ last_known('seller_id') }} as seller_id,
        {{ last_known("case when event_type in ('order.captured', 'order.changed') then unit_price end") }}
            as unit_price,
        {{ last_known('order_type') }} as line_type,
        {{ last_known("case when event_type in ('order.captured', 'order.changed') then currency end") }} as currency,
        {{ last_known('unit_cost') }} as unit_cost,
        {{ last_known('freight_amount') }} as freight_amount,
        {{ first_known("case when event_type = 'order.captured' then quantity end") }} as quantity_captured,
        case when count(promise_at) = 1 then max(case when promise_at is not null then event_at end) end
            as only_promised_at,
        case when count(promise_at) = 1 then max(promise_at) end as only_promise_at,
        case
            when count(promise_at) = 1
                then max(case when event_type = 'order.promised' and promise_at is not null then quantity end)
        end as only_quantity_promised,
        {{ last_known('requested_at') }} as requested_at,
        {{ last_known('window_start_at') }} as window_start_at,
        {{ last_known('window_end_at') }} as window_end_at,
        {{ last_known('ship_window_start_at') }} as ship_window_start_at,
        {{ last_known('ship_by_at') }} as ship_by_at,
        {{ last_known('cancel_after_at') }} as cancel_after_at,
        {{ last_known("case when event_type = 'order.released' then node_id end") }} as released_node_id,
        {{ last_known("case when event_type in ('order.captured', 'alloc.committed') then node_id end") }}
            as planned_node_id,
        min(case when event_type = 'order.captured' then event_at end) as captured_at,
        min(case when event_type = 'order.released' then event_at end) as released_at,
        max(case when event_type in ('order.captured', 'order.changed') then 1 else 0 end) = 1 as is_ordered
    from said
    group by order_id, line_id
),

released as (
    select
        order_id,
        line_id,
        cast(sum(quantity) as decimal(18, 3)) as quantity_released
    from (
        -- A node that is told the same release again was released to once.
        select distinct
            order_id,
            line_id,
            node_id,
            event_at,
            quantity
        from {{ ref('int_order_events_sequenced') }}
        where event_type = 'order.released' and line_id is not null
    ) as releases
    group by order_id, line_id
),

line_holds as (
    select
        order_id,
        line_id,
        max(hold_type) as hold_type
    from {{ ref('int_order_holds_paired') }}
    where line_id <> '' and released_at is null
    group by order_id, line_id
),

order_holds as (
    select
        order_id,
        max(hold_type) as hold_type
    from {{ ref('int_order_holds_paired') }}
    where line_id = '' and released_at is null
    group by order_id
)

select
    known.order_id,
    known.line_id,
    known.sku,
    orders.source,
    orders.order_type,
    coalesce(known.currency, orders.currency) as currency,
    orders.clock_zone,
    orders.channel,
    orders.channel_type,
    orders.customer_id,
    orders.region,
    coalesce(known.category, skus.category, '(none)') as category,
    coalesce(known.seller_id, '(none)') as seller_id,
    coalesce(known.released_node_id, known.planned_node_id, orders.planned_node_id) as node_id,
    coalesce(line_holds.hold_type, order_holds.hold_type) as hold_type,
    coalesce(orders.exclusion_reason, case when known.line_type = 'no_ship' then 'no_ship' end) as exclusion_reason,
    cast(coalesce(quantities.base_original, known.quantity_captured) as decimal(18, 3)) as base_original,
    cast(coalesce(quantities.base_revised, known.quantity_captured) as decimal(18, 3)) as base_revised,
    cast(coalesce(quantities.current_total, known.quantity_captured) as decimal(18, 3)) as current_total,
    quantities.zeroed_by,
    quantities.zeroed_time_quality,
    quantities.zeroed_at,
    cast(
        coalesce(
            promises.quantity_promised, known.only_quantity_promised, quantities.base_original, known.quantity_captured
        ) as decimal(18, 3)
    ) as quantity_promised,
    released.quantity_released,
    coalesce(known.unit_price, skus.unit_price) as unit_price,
    coalesce(known.unit_cost, skus.unit_cost) as unit_cost,
    known.freight_amount,
    coalesce(line_holds.hold_type, order_holds.hold_type) is not null as is_on_hold,
    orders.captured_date,
    coalesce(known.requested_at, orders.requested_at) as requested_at,
    coalesce(promises.promise_first_at, known.only_promise_at, orders.promise_first_at) as promise_first_at,
    case
        when
            coalesce(promises.latest_said_at, known.only_promised_at)
            >= coalesce(orders.latest_said_at, promises.latest_said_at, known.only_promised_at)
            then coalesce(promises.promise_latest_at, known.only_promise_at)
        else orders.promise_latest_at
    end as promise_latest_at,
    coalesce(known.window_start_at, orders.window_start_at) as window_start_at,
    coalesce(known.window_end_at, orders.window_end_at) as window_end_at,
    coalesce(known.ship_window_start_at, orders.ship_window_start_at) as ship_window_start_at,
    coalesce(known.ship_by_at, orders.ship_by_at) as ship_by_at,
    coalesce(known.cancel_after_at, orders.cancel_after_at) as cancel_after_at,
    coalesce(known.captured_at, orders.captured_at) as captured_at,
    quantities.last_buyer_change_at,
    coalesce(known.released_at, orders.released_whole_at) as released_at
from known
inner join {{ ref('int_orders_consolidated') }} as orders on known.order_id = orders.order_id
left join {{ ref('int_order_quantities_revised') }} as quantities
    on known.order_id = quantities.order_id and known.line_id = quantities.line_id
left join {{ ref('int_order_promises_dated') }} as promises
    on known.order_id = promises.order_id and known.line_id = promises.line_id
left join released on known.order_id = released.order_id and known.line_id = released.line_id
left join line_holds on known.order_id = line_holds.order_id and known.line_id = line_holds.line_id
left join order_holds on known.order_id = order_holds.order_id
left join {{ ref('skus') }} as skus on known.sku = skus.sku
where known.is_ordered
order by orders.captured_date
