{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every line under every profile that judges it (K1, K4). Grain is kpi_id, profile_id, order_id, line_id. -#}
{% set needs = {"otif_value": "unit_cost", "value_fill": "unit_price"} %}
with assessed as (
    select
        assessed.*,
        coalesce(
            {{ service_exclusion("assessed.") }},
            case when assessed.is_otif is null then 'no_shipped_quantity' end
        ) as reason,
        coalesce(assessed.due_date, {{ company_date('order_lines.captured_at') }}) as period_date
    from {{ ref('int_service_units_assessed') }} as assessed
    inner join {{ ref('fct_order_lines') }} as order_lines
        on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
    where assessed.line_id <> '' and not assessed.is_bridge_step
),

combined as (
    {%- for kpi, (numerator, denominator) in fromjson(service_line_kpis()).items() %}
        select
            '{{ kpi }}' as kpi_id,
            'line' as row_kind,
            concat_ws(' ', order_id, line_id) as row_key,
            profile_id,
            order_id,
            line_id,
            sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            coalesce(reason, case when ({{ numerator }}) is null then 'no_{{ needs.get(kpi, "shipped_quantity") }}' end)
                as exclusion_reason,
            {{ numerator }} as numerator,
            {{ denominator }} as denominator,
            is_headline,
            is_provisional,
            period_date
        from assessed
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined", profile_id="profile_id", is_headline="is_headline") }}
