{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every line captured: was it oversold, did its promise slip (K12)? Grain is kpi_id, order_id, line_id. -#}
with out_of_stock as (
    select
        order_id,
        line_id,
        sum(quantity_cancelled) as quantity
    from {{ ref('int_order_cancellations_resolved') }}
    where actor = 'seller_oos'
    group by order_id, line_id
),

lines as (
    select
        order_lines.*,
        out_of_stock.quantity as quantity_out_of_stock
    from {{ ref('fct_order_lines') }} as order_lines
    left join out_of_stock
        on order_lines.order_id = out_of_stock.order_id and order_lines.line_id = out_of_stock.line_id
),

combined as (
    {%- for kpi, missing, reason, numerator, denominator in [
        ("oversell_rate", "not coalesce(base_original > 0, false)", "no_quantity",
            "least(coalesce(quantity_out_of_stock, 0), base_original)", "base_original"),
        ("promise_slip_rate", "promise_first_at is null", "no_promise",
            "case when promise_latest_at > promise_first_at then 1 else 0 end", "1"),
    ] %}
        select
            '{{ kpi }}' as kpi_id,
            'line' as row_kind,
            concat_ws(' ', order_id, line_id) as row_key,
            order_id,
            line_id,
            sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            coalesce(exclusion_reason, case when {{ missing }} then '{{ reason }}' end) as exclusion_reason,
            {{ numerator }} as numerator,
            {{ denominator }} as denominator,
            false as is_provisional,
            {{ company_date('captured_at') }} as period_date
        from lines
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
