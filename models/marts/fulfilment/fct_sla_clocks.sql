{#-
    The proof of a service clock per case: when it began, what it had to keep to and by whose calendar, what paused the
    order, when it stopped, and the verdict raw and with excuses. Two clocks: a node's hand-over (per order and node, by
    its cut-off) and a carrier's delivery (per parcel and order, by the first estimate the carrier gave).
-#}
with hand_overs as (
    select
        clocks.order_id,
        clocks.node_id,
        sum(
            {{ hours_between(
                'greatest(holds.placed_at, clocks.released_at)',
                'least(coalesce(holds.released_at, ' ~ as_of() ~ '), clocks.due_at)'
            ) }}
        ) as pause_hours
    from {{ ref('int_node_orders_cut_off') }} as clocks
    inner join {{ ref('int_order_holds_paired') }} as holds
        on
            clocks.order_id = holds.order_id
            and clocks.due_at > holds.placed_at
            and clocks.released_at < coalesce(holds.released_at, {{ as_of() }})
    group by clocks.order_id, clocks.node_id
),

clocks as (
    select
        'hand_over' as clock,
        clocks.node_id as party_id,
        clocks.order_id,
        clocks.node_id as subject_id,
        clocks.channel,
        clocks.customer_id,
        clocks.region,
        clocks.currency,
        nodes.cut_off_time,
        nodes.operating_days,
        nodes.zone as clock_zone,
        clocks.excuse,
        clocks.units,
        coalesce(hand_overs.pause_hours, 0) as pause_hours,
        clocks.is_due,
        clocks.is_adhered as is_kept,
        clocks.due_date,
        clocks.released_at as started_at,
        clocks.due_at,
        clocks.packed_at,
        clocks.accepted_at as stopped_at
    from {{ ref('int_node_orders_cut_off') }} as clocks
    inner join {{ ref('nodes') }} as nodes on clocks.node_id = nodes.node_id
    left join hand_overs on clocks.order_id = hand_overs.order_id and clocks.node_id = hand_overs.node_id
    where clocks.exclusion_reason is null

    union all

    select
        'delivery' as clock,
        coalesce(carrier, '(none)') as party_id,
        order_id,
        tracking_number as subject_id,
        channel,
        customer_id,
        region,
        currency,
        cast(null as varchar) as cut_off_time,
        cast(null as varchar) as operating_days,
        cast(null as varchar) as clock_zone,
        cast(null as varchar) as excuse,
        cast(null as double) as units,
        cast(null as double) as pause_hours,
        is_due,
        is_on_time as is_kept,
        estimated_date as due_date,
        accepted_at as started_at,
        estimated_at as due_at,
        cast(null as timestamp) as packed_at,
        delivered_at as stopped_at
    from {{ ref('int_parcels_estimated') }}
    where estimated_at is not null and exclusion_reason is null
)

select
    clock,
    party_id,
    order_id,
    subject_id,
    channel,
    customer_id,
    region,
    coalesce(currency, '{{ var("company_currency") }}') as currency,
    cut_off_time,
    operating_days,
    clock_zone,
    excuse,
    cast(units as double) as units,
    cast(pause_hours as double) as pause_hours,
    is_due,
    is_kept,
    is_due and (is_kept or excuse is null) as is_counted,
    due_date,
    {{ week_of('due_date') }} as due_week,
    started_at,
    due_at,
    packed_at,
    stopped_at
from clocks
