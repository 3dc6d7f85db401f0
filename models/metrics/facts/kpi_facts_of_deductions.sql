{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#-
    What accounts deducted because we failed to comply, over what they were invoiced gross (credit memos and rejected
    invoices take nothing off it), and what was won back (K19). What was deducted by agreement or as a claim (seed
    violations) is no chargeback; for a reason that nobody knows it is one until somebody does. Of what has no known order
    nobody can say that it is another channel's. Amounts of different currencies never meet in one row. Grain is kpi_id,
    row_kind, invoice_id or deduction_id.
-#}
with combined as (
    -- A week with invoices and no deduction has cost nothing: it is a figure.
    {%- for kpi, base in [("chargeback_rate", "amount"), ("chargeback_amount", "0")] %}
        select
            '{{ kpi }}' as kpi_id,
            'invoice' as row_kind,
            'invoice ' || invoice_id as row_key,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
            currency,
            {%- if kpi == "chargeback_rate" %}
                case
                    when is_void then 'rejected'
                    when amount is null then 'no_amount'
                    when amount < 0 then 'credit_memo'
                end as exclusion_reason,
            {%- else %}
                cast(null as varchar) as exclusion_reason,
            {%- endif %}
            0 as numerator,
            {{ base }} as denominator,
            {{ 1 if kpi == "chargeback_rate" else 0 }} as counted,
            shipped_date > {{ deductions_settled_until() }} as is_provisional,
            shipped_date as period_date
        from {{ ref('fct_invoices') }}
        where
            channel_type in ('wholesale', '(none)')
            {%- if kpi == "chargeback_amount" %}
                and currency in (select deductions.currency from {{ ref('fct_deductions') }} as deductions)
            {%- endif %}
        union all
    {%- endfor %}
    {%- for kpi in ["chargeback_rate", "chargeback_amount"] %}
        select
            '{{ kpi }}' as kpi_id,
            'deduction' as row_kind,
            'deduction ' || deduction_id as row_key,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
            currency,
            case
                when channel_type not in ('wholesale', '(none)') then 'no_account'
                when not coalesce(is_compliance, true) then 'no_violation'
            end as exclusion_reason,
            amount as numerator,
            0 as denominator,
            {{ 0 if kpi == "chargeback_rate" else 1 }} as counted,
            shipped_date > {{ deductions_settled_until() }} as is_provisional,
            shipped_date as period_date
        from {{ ref('fct_deductions') }}
        union all
    {%- endfor %}
    select
        'dispute_recovery' as kpi_id,
        'deduction' as row_kind,
        'deduction ' || deduction_id as row_key,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
        currency,
        case when resolved_at is null then 'not_resolved' end as exclusion_reason,
        least(recovered_amount, disputed_amount) as numerator,
        disputed_amount as denominator,
        1 as counted,
        false as is_provisional,
        {{ company_date('coalesce(resolved_at, disputed_at, taken_at)') }} as period_date
    from {{ ref('fct_deductions') }}
    where disputed_amount > 0
)

{{ kpi_fact_columns("combined", counted="counted") }}
