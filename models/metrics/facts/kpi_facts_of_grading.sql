{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every return line and what its grading made of it (K10). Grain is kpi_id, rma_id, line_id. -#}
with combined as (
    {%- for kpi, dispositions in {
        "restock_rate": "'restock_a'",
        "resale_rate": "'b_grade', 'refurbish', 'rtv'",
        "write_off_rate": "'liquidate', 'donate', 'destroy'",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            'return line' as row_kind,
            concat_ws(' ', rma_id, line_id) as row_key,
            order_id,
            line_id,
            sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            case
                when graded_at is null then 'not_graded'
                when disposition is null then 'no_disposition'
                when not is_quantity_known then 'no_returned_quantity'
            end as exclusion_reason,
            case when disposition in ({{ dispositions }}) then quantity else 0 end as numerator,
            quantity as denominator,
            false as is_provisional,
            {{ company_date('coalesce(graded_at, received_at, created_at, refunded_at)') }} as period_date
        from {{ ref('fct_returns') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
