{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Orders released without a hand on them, orders shipped without a claimed error (K6). Grain is kpi_id, order_id. -#}
with touchless as (
    select
        'touchless_rate' as kpi_id,
        orders.order_id,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        coalesce(
            orders.exclusion_reason,
            case
                when orders.order_type = 'replacement' then 'replacement'
                when touched.order_id is null then 'not_released'
            end
        ) as exclusion_reason,
        case when touched.touched_by is null then 1 else 0 end as numerator,
        false as is_provisional,
        orders.captured_date as period_date
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('int_orders_touched') }} as touched on orders.order_id = touched.order_id
),

-- Orders shipped without an error that the customer found and told within the days of claim.
faults as (
    select distinct order_id
    from {{ ref('int_return_claims') }}
    where reason_class = 'fulfilment_error'
    union
    select distinct order_id
    from {{ ref('fct_deductions') }}
    where order_id is not null and violation in ('substitution', 'carton_content')
),

accurate as (
    select
        'fulfilment_accuracy' as kpi_id,
        orders.order_id,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        coalesce(
            orders.exclusion_reason,
            case
                when orders.order_type = 'replacement' then 'replacement'
                when orders.accepted_at is null then 'not_shipped'
            end
        ) as exclusion_reason,
        case when faults.order_id is null then 1 else 0 end as numerator,
        coalesce(
            {{ company_date('coalesce(orders.delivered_at, orders.accepted_at)') }}
            > {{ add_days(as_of_date(), '-' ~ var('claim_days', 30)) }},
            false
        ) as is_provisional,
        coalesce({{ company_date('orders.accepted_at') }}, orders.captured_date) as period_date
    from {{ ref('fct_orders') }} as orders
    left join faults on orders.order_id = faults.order_id
),

combined as (
    {%- for part in ["touchless", "accurate"] %}
        select
            kpi_id,
            'order' as row_kind,
            order_id as row_key,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            {{ dimensions() }},
            currency,
            exclusion_reason,
            numerator,
            1 as denominator,
            is_provisional,
            period_date
        from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
