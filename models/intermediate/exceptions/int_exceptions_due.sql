{#- Orders whose ship deadline is near or past, and deliveries that ended short. -#}
with open_orders as (
    select
        order_id,
        channel,
        customer_id,
        max(preferred_node_id) as node_id,
        max(hold_type) as hold_type,
        count(*) as line_count,
        max(line_id) as line_id,
        max(sku) as sku,
        sum(open_quantity) as open_quantity,
        sum(open_quantity * coalesce(unit_price, 0)) as open_amount,
        min(ship_by_at) as ship_by_at,
        min(need_at) as need_at,
        min(cancel_after_at) as cancel_after_at
    from {{ ref('fct_open_lines') }}
    where
        ship_by_at < {{ as_of() }} + interval '1' hour * 48
        -- Two weeks after the buyer's cancel date nobody can mend it any more; the miss stays in the KPIs.
        and coalesce(cancel_after_at > {{ as_of() }} - interval '1' day * 14, true)
    group by order_id, channel, customer_id
),

ship_dates as (
    select
        case when ship_by_at < {{ as_of() }} then 'late_open' else 'ship_window_at_risk' end as kind,
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
            when ship_by_at < {{ as_of() }}
                then
                    'Order ' || order_id || ' should have left ' || {{ as_days('ship_by_at', as_of()) }}
                    || ' ago and is still open'
            else 'Order ' || order_id || ' must leave by ' || {{ as_stamp('ship_by_at') }} || ' and is still open'
        end as title,
        {{ counted('open_quantity', 'unit') }} || ' on ' || {{ counted('line_count', 'line') }}
        || ' not shipped; ship by '
        || {{ as_stamp('ship_by_at') }} || ', needed by ' || coalesce({{ as_stamp('need_at') }}, 'an unknown date')
        || coalesce('; on ' || hold_type || ' hold', '')
        || case
            when cancel_after_at <= {{ as_of() }}
                then
                    '; the buyer''s cancel date ' || {{ as_stamp('cancel_after_at') }}
                    || ' has passed: ask before shipping'
            else ''
        end as evidence,
        case when ship_by_at < {{ as_of() }} then ship_by_at else ship_by_at - interval '1' hour * 48 end as opened_at,
        case when ship_by_at < {{ as_of() }} then need_at else ship_by_at end as due_at
    from open_orders
),

delivered_short as (
    select
        'delivered_short' as kind,
        order_id || ' ' || line_id as subject,
        order_id,
        line_id,
        sku,
        node_id,
        carrier,
        channel,
        customer_id,
        (base_revised - quantity_delivered) * coalesce(unit_price, 0) as money_at_risk,
        'Order ' || order_id || ' was delivered ' || {{ counted('base_revised - quantity_delivered', 'unit') }}
        || ' short of ' || coalesce(sku, 'line ' || line_id) as title,
        {{ as_text('quantity_delivered') }} || ' of ' || {{ counted('base_revised', 'unit') }} || ' delivered, '
        || {{ as_text('quantity_shipped') }} || ' shipped, last delivery ' || {{ as_stamp('last_delivered_at') }}
        || '; nothing is open any more' as evidence,
        last_delivered_at as opened_at,
        cast(null as timestamp) as due_at
    from {{ ref('fct_order_lines') }}
    where
        not is_excluded
        and open_quantity = 0
        and quantity_delivered > 0
        and quantity_delivered < base_revised
        and last_delivered_at >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
        -- Units that the customer took off himself are no shortage, units on their way are not short yet.
        and coalesce(cancel_actor, '') not in ('customer', 'fraud', 'payment')
        and (quantity_delivered >= quantity_shipped or last_delivered_at >= last_accepted_at + interval '1' day * 5)
)

select * from ship_dates
union all
select * from delivered_short
