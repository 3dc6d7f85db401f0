{#-
    What the law asks of open orders: the clock of 16 CFR 435 on consumers' orders (ftc_clock), and the data that goods
    need to cross a border (export_data_missing).

    The clock: ship within the stated time, or 30 days where none is stated. A notice of a first definite delay of at
    most 30 days moves it, silence being consent; any further delay needs an express one, so a later notice does not.
-#}
with open_orders as (
    select
        lines.order_id,
        lines.channel,
        lines.channel_type,
        lines.customer_id,
        max(lines.preferred_node_id) as node_id,
        count(*) as line_count,
        max(lines.line_id) as line_id,
        max(lines.sku) as sku,
        sum(lines.open_quantity) as open_quantity,
        sum(lines.open_quantity * coalesce(lines.unit_price, 0)) as open_amount,
        max(lines.lane_zone) as lane_zone,
        min(lines.captured_at) as captured_at,
        min(coalesce(lines.ship_by_at, {{ add_days('lines.captured_at', 30) }})) as stated_at,
        -- How much later the customer was told that it would be.
        max(case when details.promise_latest_at > details.promise_first_at then details.promise_latest_at end)
            as delayed_to_at,
        min(details.promise_first_at) as promise_first_at
    from {{ ref('fct_open_lines') }} as lines
    left join {{ ref('fct_order_lines') }} as details
        on lines.order_id = details.order_id and lines.line_id = details.line_id
    group by lines.order_id, lines.channel, lines.channel_type, lines.customer_id
),

clocks as (
    select
        *,
        case
            when delayed_to_at is null then stated_at
            else
                least(
                    stated_at + (delayed_to_at - promise_first_at),
                    {{ add_days('stated_at', 30) }}
                )
        end as clock_at
    from open_orders
    -- The rule holds for consumers in the United States.
    where channel_type in ('dtc', 'marketplace') and lane_zone is not null
),

ftc_clock as (
    select
        'ftc_clock' as kind,
        order_id as subject,
        order_id,
        case when line_count = 1 then line_id end as line_id,
        case when line_count = 1 then sku end as sku,
        node_id,
        cast(null as varchar) as carrier,
        channel,
        customer_id,
        open_amount as money_at_risk,
        case
            when clock_at <= {{ as_of() }} and delayed_to_at is not null
                then 'Order ' || order_id || ' must be refunded: it has not left and the delay that was told is over'
            when clock_at <= {{ as_of() }}
                then 'Order ' || order_id || ' has not left and the customer was told of no delay'
            else 'Order ' || order_id || ' must leave, or the customer be told, by ' || {{ as_stamp('clock_at') }}
        end as title,
        {{ counted('open_quantity', 'unit') }} || ' open; ordered ' || {{ as_stamp('captured_at') }}
        || ', to be shipped by ' || {{ as_stamp('stated_at') }}
        || coalesce(', told of a delay to ' || {{ as_stamp('delayed_to_at') }}, ', no delay told') as evidence,
        clock_at - interval '1' hour * {{ var('ftc_warning_hours', 24) }} as opened_at,
        clock_at as due_at
    from clocks
    where
        clock_at - interval '1' hour * {{ var('ftc_warning_hours', 24) }} <= {{ as_of() }}
),

destinations as (
    select
        order_id,
        max(ship_to_country) as ship_to_country
    from {{ ref('int_order_events_identified') }}
    where event_type in ('order.captured', 'order.changed') and ship_to_country is not null
    group by order_id
),

exports as (
    select
        lines.order_id,
        lines.line_id,
        lines.sku,
        lines.channel,
        lines.customer_id,
        lines.preferred_node_id as node_id,
        lines.open_quantity,
        lines.unit_price,
        lines.ship_by_at,
        lines.captured_at,
        destinations.ship_to_country,
        concat_ws(
            ', ',
            case when items.hs_code is null or length(items.hs_code) < 6 then 'an HS code of at least six digits' end,
            case when items.origin_country is null then 'a country of origin' end,
            case when coalesce(items.declared_value, lines.unit_price) is null then 'a declared value' end
        ) as missing
    from {{ ref('fct_open_lines') }} as lines
    inner join destinations on lines.order_id = destinations.order_id
    left join {{ ref('export_items') }} as items on lines.sku = items.sku
    where destinations.ship_to_country <> '{{ var("company_country") }}'
),

export_data_missing as (
    select
        'export_data_missing' as kind,
        order_id || ' ' || line_id as subject,
        order_id,
        line_id,
        sku,
        node_id,
        cast(null as varchar) as carrier,
        channel,
        customer_id,
        open_quantity * coalesce(unit_price, 0) as money_at_risk,
        'Order ' || order_id || ' cannot leave for ' || ship_to_country || ': ' || coalesce(sku, 'line ' || line_id)
        || ' lacks export data' as title,
        'Missing: ' || missing || '; ' || {{ counted('open_quantity', 'unit') }} || ' open' as evidence,
        captured_at as opened_at,
        ship_by_at as due_at
    from exports
    where missing <> ''
)

select * from ftc_clock
union all
select * from export_data_missing
