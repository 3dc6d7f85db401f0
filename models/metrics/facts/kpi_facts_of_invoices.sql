{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#-
    Invoices to accounts that were paid as they stood (K17): accepted by the partner's system, no deduction on price,
    quantity or terms. A partner pays and deducts within the terms: before that the invoice is not judged. Grain is
    invoice_id.
-#}
with disputed as (
    select distinct invoice_id
    from {{ ref('fct_deductions') }}
    where invoice_id is not null and violation like 'invoice%'
),

combined as (
    select
        'invoice_accuracy' as kpi_id,
        'invoice' as row_kind,
        'invoice ' || invoices.invoice_id as row_key,
        invoices.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("invoices.", absent=["carrier", "category", "seller_id"]) }},
        invoices.currency,
        case
            when invoices.channel_type <> 'wholesale' then 'no_order'
            when
                {{ company_date('invoices.invoiced_at') }}
                > {{ add_days(as_of_date(), '-' ~ var('invoice_maturity_days', 45)) }}
                then 'not_due'
        end as exclusion_reason,
        case when disputed.invoice_id is null and not invoices.is_rejected then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('invoices.invoiced_at') }} as period_date
    from {{ ref('fct_invoices') }} as invoices
    left join disputed on invoices.invoice_id = disputed.invoice_id
    -- Of an invoice without a known order nobody can say whether it went to an account.
    where invoices.channel_type in ('wholesale', '(none)')
)

{{ kpi_fact_columns("combined") }}
