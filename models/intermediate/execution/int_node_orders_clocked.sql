{{ config(materialized='incremental', in_pieces=true, ticks='not is_due and due_at <= as_of') }}
{#-
    The clock of every order at every node that works on it, for the cut-offs (K14). What was released to a node strictly
    before its cut-off on an operating day is due to the carrier that day, what came later on the next. A node answers for
    what it shipped and for what it still owes, by its own calendar and from its own release, whatever other nodes did for
    the same line. Every line is at one node at least, `(none)` if nobody names one; what is not judged says why. Grain is
    order and node.
-#}
with told as (
    select
        order_id,
        line_id,
        node_id,
        carrier,
        quantity,
        accepted_at is null as is_unscanned,
        packed_at,
        accepted_at,
        cast(null as decimal(18, 3)) as quantity_released,
        cast(null as timestamp) as released_at
    from {{ ref('int_order_line_pieces_matched') }}
    union all
    -- A node that is told the same release again was released to once.
    select distinct
        order_id,
        line_id,
        node_id,
        cast(null as varchar) as carrier,
        cast(null as decimal(18, 3)) as quantity,
        cast(null as boolean) as is_unscanned,
        cast(null as timestamp) as packed_at,
        cast(null as timestamp) as accepted_at,
        cast(quantity as decimal(18, 3)) as quantity_released,
        event_at as released_at
    from {{ ref('int_order_events_sequenced') }}
    where event_type = 'order.released' and line_id is not null and node_id is not null
),

line_nodes as (
    select
        order_id,
        line_id,
        node_id,
        {{ one_or_multiple("carrier") }} as carrier,
        coalesce(sum(quantity), 0) as quantity,
        count(is_unscanned) as pieces,
        count(case when is_unscanned then 1 end) as pieces_unscanned,
        max(packed_at) as packed_at,
        max(accepted_at) as accepted_at,
        sum(quantity_released) as quantity_released,
        min(released_at) as released_at
    from told
    group by order_id, line_id, node_id
),

open_holds as (
    select
        order_id,
        line_id,
        min(placed_at) as placed_at
    from {{ ref('int_order_holds_paired') }}
    where released_at is null
    group by order_id, line_id
),

called_off as (
    select
        order_id,
        line_id,
        max(case when time_quality <> 'estimated' then cancelled_at end) as called_off_at
    from {{ ref('int_order_cancellations_resolved') }}
    where quantity_cancelled > 0
    group by order_id, line_id
),

shares as (
    select
        order_lines.order_id,
        order_lines.currency,
        order_lines.channel,
        order_lines.channel_type,
        order_lines.customer_id,
        order_lines.region,
        order_lines.category,
        order_lines.seller_id,
        order_lines.exclusion_reason,
        order_lines.line_status,
        coalesce(
            called_off.called_off_at,
            case when order_lines.cancel_time_quality <> 'estimated' then order_lines.cancelled_at end
        ) as called_off_at,
        order_lines.first_shipped_at,
        order_lines.cancel_actor,
        order_lines.captured_at,
        coalesce(line_nodes.node_id, planned.node_id, '(none)') as node_id,
        coalesce(nullif(line_nodes.carrier, '(none)'), order_lines.carrier) as carrier,
        planned.node_id as released_node_id,
        coalesce(line_nodes.pieces, 0) as pieces,
        coalesce(line_nodes.pieces_unscanned, 0) as pieces_unscanned,
        line_nodes.packed_at,
        line_nodes.accepted_at,
        coalesce(line_nodes.released_at, order_lines.released_at) as released_at,
        coalesce(
            line_nodes.quantity_released,
            case when line_nodes.pieces > 0 and planned.node_id <> line_nodes.node_id then line_nodes.quantity end,
            order_lines.quantity_released,
            order_lines.base_revised
        ) as units,
        least(line_holds.placed_at, order_holds.placed_at) as held_at,
        coalesce(covered.has_accepted, false) as has_accepted,
        -- Released in parts, every node owes its part; released anew, the last one owes all that is open.
        coalesce(order_lines.open_quantity, 0) > 0
        and case
            when order_lines.quantity_released <= order_lines.base_revised and line_nodes.released_at is not null
                then line_nodes.quantity < line_nodes.quantity_released
            else coalesce(line_nodes.node_id = planned.node_id, true)
        end as is_owed,
        coalesce(order_lines.quantity_shipped_first, 0) < order_lines.base_revised as is_first_short
    from {{ ref('fct_order_lines') }} as order_lines
    inner join {{ ref('int_order_lines_consolidated') }} as planned
        on order_lines.order_id = planned.order_id and order_lines.line_id = planned.line_id
    left join line_nodes
        on order_lines.order_id = line_nodes.order_id and order_lines.line_id = line_nodes.line_id
    left join called_off
        on order_lines.order_id = called_off.order_id and order_lines.line_id = called_off.line_id
    left join open_holds as line_holds
        on order_lines.order_id = line_holds.order_id and order_lines.line_id = line_holds.line_id
    left join open_holds as order_holds
        on order_lines.order_id = order_holds.order_id and order_holds.line_id = ''
    left join {{ ref('int_order_sources_covered') }} as covered
        on order_lines.source = covered.source and order_lines.channel = covered.channel
),

placed as (
    select
        shares.*,
        nodes.node_id is not null as is_node_known,
        nodes.zone,
        nodes.daily_capacity_units,
        cast({{ to_local('shares.released_at', 'nodes.zone') }} as date) as released_date
    from shares
    left join {{ ref('nodes') }} as nodes on shares.node_id = nodes.node_id
),

dated as (
    select
        placed.*,
        case when placed.released_at < days.cut_off_at then days.due_at else days.due_after_at end as due_at
    from placed
    left join {{ ref('int_node_days_opened') }} as days
        on placed.node_id = days.node_id and placed.released_date = days.local_date
),

clocked as (
    select
        *,
        case
            when exclusion_reason is not null then exclusion_reason
            when
                pieces = 0
                and not is_owed
                and (first_shipped_at is not null or coalesce(node_id <> released_node_id, false))
                then 'made_elsewhere'
            -- What was called off or held before the deadline is not the node's to ship; after it the miss stays.
            when line_status = 'cancelled' and coalesce(called_off_at < due_at, true) then 'cancelled'
            when released_at is null then 'not_released'
            when first_shipped_at is null and coalesce(held_at < coalesce(due_at, {{ as_of() }}), false) then 'on_hold'
            when node_id = '(none)' then 'no_node'
            when not is_node_known then 'unknown_node'
            when due_at is null then 'no_operating_day'
            when not has_accepted then 'event_not_available'
        end as reason
    from dated
),

rolled_up as (
    select
        order_id,
        node_id,
        max(currency) as currency,
        max(channel) as channel,
        max(channel_type) as channel_type,
        max(customer_id) as customer_id,
        {{ one_or_multiple("carrier") }} as carrier,
        max(region) as region,
        {{ one_or_multiple("category") }} as category,
        {{ one_or_multiple("seller_id") }} as seller_id,
        max(zone) as zone,
        max(daily_capacity_units) as daily_capacity_units,
        case when count(*) = count(reason) then min(reason) end as exclusion_reason,
        min(captured_at) as captured_at,
        max(case when reason is null then released_at end) as released_at,
        max(case when reason is null then due_at end) as due_at,
        max(due_at) as known_due_at,
        max(case when reason is null then accepted_at end) as accepted_at,
        max(case when reason is null then packed_at end) as packed_at,
        coalesce(sum(case when reason is null then units end), 0) as units,
        max(
            case
                when reason is not null then 0
                when pieces > 0 and pieces_unscanned = 0 and not is_owed and accepted_at < due_at then 0
                else 1
            end
        ) = 0 as is_adhered,
        -- Stock is missed by a node that packed what there was, or where we say so; one that did nothing has no excuse.
        max(
            case
                when reason is not null then 0
                when (first_shipped_at is not null and is_first_short) or cancel_actor = 'seller_oos' then 1
                else 0
            end
        ) = 1 as is_short
    from clocked
    group by order_id, node_id
)

select
    order_id,
    node_id,
    coalesce(currency, '{{ var("company_currency") }}') as currency,
    channel,
    channel_type,
    customer_id,
    carrier,
    region,
    category,
    seller_id,
    exclusion_reason,
    units,
    daily_capacity_units,
    coalesce(due_at <= {{ as_of() }}, false) as is_due,
    is_adhered and exclusion_reason is null as is_adhered,
    is_short,
    coalesce(
        cast({{ to_local(just_before('known_due_at'), 'zone') }} as date), {{ company_date('captured_at') }}
    ) as due_date,
    released_at,
    due_at,
    packed_at,
    accepted_at
from rolled_up
