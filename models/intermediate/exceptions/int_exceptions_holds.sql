{#- Orders that wait for a decision or for a release: stuck_hold and unreleased_past_cut_off. -#}
with open_orders as (
    select
        order_id,
        max(channel) as channel,
        max(customer_id) as customer_id,
        max(preferred_node_id) as node_id,
        max(currency) as currency,
        sum(open_quantity) as open_quantity,
        sum(open_quantity * coalesce(unit_price, 0)) as open_amount,
        min(ship_by_at) as ship_by_at
    from {{ ref('fct_open_lines') }}
    group by order_id
),

open_holds as (
    select
        order_id,
        max(hold_type) as hold_type,
        min(placed_at) as placed_at
    from {{ ref('int_order_holds_paired') }}
    where released_at is null
    group by order_id
),

stuck as (
    select
        'stuck_hold' as kind,
        open_holds.order_id as subject,
        open_holds.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        open_orders.node_id,
        cast(null as varchar) as carrier,
        open_orders.channel,
        open_orders.customer_id,
        open_orders.open_amount as money_at_risk,
        'Order ' || open_holds.order_id || ' has been on ' || open_holds.hold_type || ' hold for '
        || {{ as_days('open_holds.placed_at', as_of()) }} as title,
        'Hold placed ' || {{ as_stamp('open_holds.placed_at') }} || ', not released; '
        || {{ counted('open_orders.open_quantity', 'unit') }} || ' open, to be shipped by '
        || coalesce({{ as_stamp('open_orders.ship_by_at') }}, 'an unknown date') as evidence,
        open_holds.placed_at + interval '24' hour as opened_at,
        open_orders.ship_by_at as due_at
    from open_holds
    inner join open_orders on open_holds.order_id = open_orders.order_id
    where open_holds.placed_at + interval '24' hour <= {{ as_of() }}
),

days as (
    select cast({{ add_days(as_of_date(), "-step") }} as date) as local_day
    from (
        {% for step in range(11) %}
            select {{ step }} as step {{ "union all" if not loop.last }}
        {% endfor %}
    ) as steps
),

cut_offs as (
    select
        nodes.node_id,
        nodes.zone,
        cast(cast(days.local_day as varchar) || ' ' || nodes.cut_off_time || ':00' as timestamp) as cut_off_local
    from {{ ref('nodes') }} as nodes
    cross join days
    where
        nodes.cut_off_time is not null
        and nodes.zone is not null
        and (
            nodes.operating_days is null
            or nodes.operating_days like '%' || cast({{ iso_weekday("days.local_day") }} as varchar) || '%'
        )
),

last_cut_offs as (
    select
        node_id,
        max({{ to_utc('cut_off_local', 'zone') }}) as cut_off_at
    from cut_offs
    where {{ to_utc('cut_off_local', 'zone') }} <= {{ as_of() }}
    group by node_id
),

releasable as (
    select
        covered.*,
        last_cut_offs.cut_off_at,
        greatest(
            covered.captured_at,
            coalesce(orders.approved_at, covered.captured_at),
            coalesce(covered.ship_not_before_at, covered.captured_at)
        ) as ready_at
    from {{ ref('int_open_lines_covered') }} as covered
    inner join {{ ref('fct_orders') }} as orders on covered.order_id = orders.order_id
    inner join last_cut_offs on covered.preferred_node_id = last_cut_offs.node_id
    where not covered.is_on_hold and covered.short_quantity = 0
),

unreleased as (
    select
        'unreleased_past_cut_off' as kind,
        releasable.order_id as subject,
        releasable.order_id,
        case when count(*) = 1 then max(releasable.line_id) end as line_id,
        case when count(*) = 1 then max(releasable.sku) end as sku,
        max(releasable.preferred_node_id) as node_id,
        cast(null as varchar) as carrier,
        max(releasable.channel) as channel,
        max(releasable.customer_id) as customer_id,
        sum(releasable.unreleased_quantity * coalesce(releasable.unit_price, 0)) as money_at_risk,
        'Order ' || releasable.order_id || ' was not released by the cut-off although stock is there'
        || case
            when bool_or(releasable.is_reserved_away)
                then ', kept for ' || coalesce(max(releasable.kept_for_channel), 'another channel')
            else ''
        end as title,
        'Ready since ' || {{ as_stamp('min(releasable.ready_at)') }} || ', cut-off '
        || {{ as_stamp('max(releasable.cut_off_at)') }} || '; '
        || {{ counted('sum(releasable.unreleased_quantity)', 'unit') }} || ' of '
        || case when count(*) = 1 then max(releasable.sku) else cast(count(*) as varchar) || ' lines' end
        || ' open, ' || {{ as_text('min(releasable.available)') }} || ' free, '
        || {{ as_text('max(releasable.kept_for_others)') }} || ' of them kept for other channels' as evidence,
        max(releasable.cut_off_at) as opened_at,
        max(open_orders.ship_by_at) as due_at
    from releasable
    inner join open_orders on releasable.order_id = open_orders.order_id
    where releasable.ready_at < releasable.cut_off_at
    group by releasable.order_id
)

select * from stuck
union all
select * from unreleased
