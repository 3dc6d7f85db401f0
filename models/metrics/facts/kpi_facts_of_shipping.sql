{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Orders and lines that were due with the carrier (K2). Grain is kpi_id, order_id, line_id (null for orders). -#}
with handed_over as (
    select
        order_id,
        count(case when ship_exclusion_reason is null then 1 end) as lines_counted,
        min(ship_exclusion_reason) as ship_exclusion_reason,
        max(case when ship_exclusion_reason is null then ship_due_date end) as counted_due_date,
        max(ship_due_date) as ship_due_date,
        max(case when ship_exclusion_reason is null and not is_ship_due then 1 else 0 end) = 0 as is_ship_due,
        max(case when ship_exclusion_reason is null and (not is_handed_over or is_too_early) then 1 else 0 end) = 0
            as is_handed_over
    from {{ ref('int_order_lines_handed_over') }}
    where
        {{ of_orders_on_days_changed(
            "order_id", ref('int_order_lines_handed_over'), "coalesce(ship_due_date, captured_date)"
        ) }}
    group by order_id
),

combined as (
    select
        'on_time_ship' as kpi_id,
        'order' as row_kind,
        orders.order_id as row_key,
        orders.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        case
            when handed_over.lines_counted = 0 then handed_over.ship_exclusion_reason
            when not handed_over.is_ship_due then 'not_due'
        end as exclusion_reason,
        case when handed_over.is_handed_over then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        coalesce(handed_over.counted_due_date, handed_over.ship_due_date, orders.captured_date) as period_date
    from handed_over
    inner join {{ ref('fct_orders') }} as orders on handed_over.order_id = orders.order_id
    union all
    select
        'ship_by_adherence' as kpi_id,
        'line' as row_kind,
        concat_ws(' ', handed_over.order_id, handed_over.line_id) as row_key,
        handed_over.order_id,
        handed_over.line_id,
        order_lines.sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("handed_over.") }},
        handed_over.currency,
        coalesce(
            handed_over.ship_exclusion_reason,
            case
                when handed_over.ship_due_basis <> 'stated' then 'no_ship_by'
                when not handed_over.is_ship_due then 'not_due'
            end
        ) as exclusion_reason,
        case when handed_over.is_handed_over then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        coalesce(handed_over.ship_due_date, handed_over.captured_date) as period_date
    from {{ ref('int_order_lines_handed_over') }} as handed_over
    inner join (
        select
            order_id,
            line_id,
            sku
        from {{ ref('fct_order_lines') }}
        where
            {{ of_orders_on_days_changed(
                "order_id", ref('int_order_lines_handed_over'), "coalesce(ship_due_date, captured_date)"
            ) }}
    ) as order_lines
        on handed_over.order_id = order_lines.order_id and handed_over.line_id = order_lines.line_id
)

{{ kpi_fact_columns("combined") }}
