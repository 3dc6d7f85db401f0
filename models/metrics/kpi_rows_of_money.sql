{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#- Numerators and denominators of the KPIs of money. Amounts of different currencies never meet in one row. -#}
{#- Retailers bill their deductions weeks after the goods left. -#}
{% set chargebacks_settle_days = var('chargeback_maturity_days', 42) %}
with invoiced as (
    select
        'chargeback_rate' as kpi_id,
        shipped_date as period_date,
        {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
        currency,
        0 as numerator,
        amount as denominator,
        0 as counted
    from {{ ref('fct_invoices') }}
),

deducted as (
    {%- for kpi in ["chargeback_rate", "chargeback_amount"] %}
        select
            '{{ kpi }}' as kpi_id,
            shipped_date as period_date,
            {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
            currency,
            amount as numerator,
            0 as denominator,
            1 as counted
        from {{ ref('fct_deductions') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

shipping_orders as (
    select *
    from {{ ref('fct_orders') }}
    where not is_excluded and order_status <> 'cancelled' and freight_amount is not null
),

line_freight as (
    select
        order_lines.*,
        max(case when order_lines.freight_amount is not null then 1 else 0 end) over (
            partition by order_lines.order_id
        ) = 1 as is_on_lines
    from {{ ref('fct_order_lines') }} as order_lines
    inner join shipping_orders on order_lines.order_id = shipping_orders.order_id
),

-- Freight stated per line goes with its line, freight stated for the order with the order.
freight as (
    select
        'freight_share' as kpi_id,
        {{ company_date('captured_at') }} as period_date,
        {{ kpi_dimensions() }},
        currency,
        coalesce(freight_amount, 0) as numerator,
        coalesce(freight_amount, 0)
        + coalesce(case when not is_excluded then base_revised * unit_price end, 0) as denominator,
        1 as counted
    from line_freight
    where is_on_lines and not (is_excluded and freight_amount is null)
    union all
    select
        'freight_share' as kpi_id,
        orders.captured_date as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        orders.freight_amount as numerator,
        orders.freight_amount + coalesce(orders.merchandise_amount, 0) as denominator,
        1 as counted
    from shipping_orders as orders
    left join line_freight on orders.order_id = line_freight.order_id and line_freight.is_on_lines
    where line_freight.order_id is null
),

-- Invoices that were paid as they stood (K17): accepted by the partner's system, no deduction on price, quantity or
-- terms. A partner pays and deducts within the terms: before that the invoice is not judged.
invoices_judged as (
    select
        invoices.*,
        {{ company_date('invoices.invoiced_at') }} as invoiced_date,
        deductions.invoice_id is null and not invoices.is_rejected as is_accurate
    from {{ ref('fct_invoices') }} as invoices
    left join (
        select distinct invoice_id
        from {{ ref('fct_deductions') }}
        where invoice_id is not null and violation like 'invoice%'
    ) as deductions on invoices.invoice_id = deductions.invoice_id
    where invoices.channel_type = 'wholesale'
),

accurate as (
    select
        'invoice_accuracy' as kpi_id,
        invoiced_date as period_date,
        {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
        currency,
        case when is_accurate then 1 else 0 end as numerator,
        1 as denominator,
        1 as counted
    from invoices_judged
    where invoiced_date <= {{ add_days(as_of_date(), '-' ~ var('invoice_maturity_days', 45)) }}
),

recovered as (
    select
        'dispute_recovery' as kpi_id,
        {{ company_date('resolved_at') }} as period_date,
        {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
        currency,
        least(recovered_amount, disputed_amount) as numerator,
        disputed_amount as denominator,
        1 as counted
    from {{ ref('fct_deductions') }}
    where resolved_at is not null and disputed_amount > 0
),

-- Days of credit sales still to be paid, at the as-of: a state, so it belongs to the last day before it.
outstanding as (
    {%- for kpi, days in {"dso_count_back": "count_back_days", "dso_simple": "simple_days"}.items() %}
        select
            '{{ kpi }}' as kpi_id,
            {{ company_date(just_before(as_of())) }} as period_date,
            '(none)' as channel,
            'wholesale' as channel_type,
            {%- for name in ["customer_id", "node_id", "carrier", "region", "category", "seller_id"] %}
                '(none)' as {{ name }},
            {%- endfor %}
            currency,
            {{ days }} as numerator,
            0 as denominator,
            1 as counted
        from {{ ref('fct_receivables') }}
        where {{ days }} is not null
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

combined as (
    {%- for part in ["invoiced", "deducted", "freight", "accurate", "recovered", "outstanding"] %}
        select * from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    kpi_id,
    '' as profile_id,
    false as is_headline,
    period_date,
    {{ dimensions() }},
    coalesce(currency, '(none)') as currency,
    cast(sum(numerator) as double) as numerator,
    cast(sum(denominator) as double) as denominator,
    cast(sum(counted) as bigint) as observations,
    kpi_id like 'chargeback%'
    and period_date > {{ add_days(as_of_date(), '-' ~ chargebacks_settle_days) }} as is_provisional
from combined
where period_date is not null
group by all
