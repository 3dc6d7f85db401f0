{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Days of credit sales still to be paid, at the as-of: a state, so it belongs to the last day before it (K18). Grain
    is kpi_id, currency. -#}
with combined as (
    {%- for kpi, days in {"dso_count_back": "count_back_days", "dso_simple": "simple_days"}.items() %}
        select
            '{{ kpi }}' as kpi_id,
            'currency' as row_kind,
            currency as row_key,
            cast(null as varchar) as order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            '(none)' as channel,
            'wholesale' as channel_type,
            {%- for name in ["customer_id", "node_id", "carrier", "region", "category", "seller_id"] %}
                '(none)' as {{ name }},
            {%- endfor %}
            currency,
            case
                when {{ days }} is not null then null
                when receivable_amount is null then 'no_amount'
                else 'no_payment_or_sale'
            end as exclusion_reason,
            {{ days }} as numerator,
            0 as denominator,
            false as is_provisional,
            {{ company_date(just_before(as_of())) }} as period_date
        from {{ ref('fct_receivables') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
