{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#- Numerators and denominators of the KPIs of perfection and accuracy: K3, K6, K20. -#}
with perfect as (
    {%- for kpi, flag in {
        "perfect_order": "is_perfect",
        "perfect_in_full": "is_complete",
        "perfect_on_time": "is_on_time",
        "perfect_documents": "is_documented",
        "perfect_condition": "is_sound",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            due_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            case when {{ flag }} then 1 else 0 end as numerator,
            1 as denominator,
            is_provisional
        from {{ ref('fct_perfect_orders') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

touchless as (
    select
        'touchless_rate' as kpi_id,
        orders.captured_date as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        case when touched.touched_by is null then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from {{ ref('int_orders_touched') }} as touched
    inner join {{ ref('fct_orders') }} as orders on touched.order_id = orders.order_id
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
        {{ company_date('orders.accepted_at') }} as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        case when faults.order_id is null then 1 else 0 end as numerator,
        1 as denominator,
        {{ company_date('coalesce(orders.delivered_at, orders.accepted_at)') }}
        > {{ add_days(as_of_date(), '-' ~ var('claim_days', 30)) }} as is_provisional
    from {{ ref('fct_orders') }} as orders
    left join faults on orders.order_id = faults.order_id
    where not orders.is_excluded and orders.order_type <> 'replacement' and orders.accepted_at is not null
),

shipped as (
    select
        *,
        {{ company_date('first_accepted_at') }} as shipped_date
    from {{ ref('fct_order_lines') }}
    where not is_excluded and quantity_shipped is not null and first_accepted_at is not null and base_revised > 0
),

over_shipped as (
    select
        'over_shipped_rate' as kpi_id,
        shipped_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        greatest(quantity_shipped - base_revised, 0) as numerator,
        base_revised as denominator,
        false as is_provisional
    from shipped
),

damaged_units as (
    select
        returns.order_id,
        returns.line_id,
        sum(returns.quantity) as quantity
    from {{ ref('fct_returns') }} as returns
    inner join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
    where reasons.reason_class = 'damaged'
    group by returns.order_id, returns.line_id
),

damaged as (
    select
        'damage_rate' as kpi_id,
        shipped.shipped_date as period_date,
        {{ kpi_dimensions("shipped.") }},
        shipped.currency,
        least(coalesce(damaged_units.quantity, 0), shipped.quantity_shipped) as numerator,
        shipped.quantity_shipped as denominator,
        shipped.shipped_date > {{ add_days(as_of_date(), '-' ~ var('return_maturity_days', 51)) }} as is_provisional
    from shipped
    left join damaged_units on shipped.order_id = damaged_units.order_id and shipped.line_id = damaged_units.line_id
    where shipped.quantity_shipped > 0
),

combined as (
    {%- for part in ["perfect", "touchless", "accurate", "over_shipped", "damaged"] %}
        select * from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_rows_summed("combined") }}
