{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Freight charged over merchandise and freight. Freight stated per line goes with its line, freight stated for the
    order with the order. Grain is order_id, line_id (null where the freight is the order's). -#}
{#- As a text: each reader takes the orders it needs. -#}
{% set shipping_orders %}
    (
        select
            *,
            coalesce(
                exclusion_reason,
                case
                    when order_status = 'cancelled' then 'cancelled'
                    when freight_amount is null then 'no_freight'
                end
            ) as reason
        from {{ ref('fct_orders') }}
    )
{%- endset %}
with orders_on_lines as (
    select distinct order_id
    from {{ ref('fct_order_lines') }}
    where freight_amount is not null
),

line_freight as (
    select
        order_lines.*,
        orders.reason
    from {{ ref('fct_order_lines') }} as order_lines
    inner join orders_on_lines on order_lines.order_id = orders_on_lines.order_id
    inner join (
        select * from {{ shipping_orders }} as shipping_orders
        where order_id in (select orders_on_lines.order_id from orders_on_lines)
    ) as orders on order_lines.order_id = orders.order_id
),

combined as (
    select
        'freight_share' as kpi_id,
        'line' as row_kind,
        concat_ws(' ', order_id, line_id) as row_key,
        order_id,
        line_id,
        sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions() }},
        currency,
        coalesce(
            reason,
            case
                when is_excluded and freight_amount is null then exclusion_reason
                when not is_excluded and unit_price is null then 'no_unit_price'
            end
        ) as exclusion_reason,
        coalesce(freight_amount, 0) as numerator,
        coalesce(freight_amount, 0)
        + coalesce(case when not is_excluded then base_revised * unit_price end, 0) as denominator,
        false as is_provisional,
        {{ company_date('captured_at') }} as period_date
    from line_freight
    union all
    select
        'freight_share' as kpi_id,
        'order' as row_kind,
        orders.order_id as row_key,
        orders.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        coalesce(orders.reason, case when orders.merchandise_amount is null then 'no_merchandise_amount' end)
            as exclusion_reason,
        orders.freight_amount as numerator,
        orders.freight_amount + orders.merchandise_amount as denominator,
        false as is_provisional,
        orders.captured_date as period_date
    from {{ shipping_orders }} as orders
    left join orders_on_lines on orders.order_id = orders_on_lines.order_id
    where orders_on_lines.order_id is null
)

{{ kpi_fact_columns("combined") }}
