{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#-
    Numerators and denominators of the KPIs that a service profile judges, per due day and dimensions. Added up wide
    first, so that the verdicts are read once, then told per KPI.
-#}
{% set order_kpis = {
    "on_time": "is_on_time",
    "in_full": "is_in_full",
    "otif": "is_otif",
    "order_fill": "is_first_pass",
} %}
{% set line_kpis = {
    "otif_line": ("case when is_otif then 1 else 0 end", "1"),
    "otif_case": ("quantity_in_window", "base_quantity"),
    "otif_value": ("quantity_in_window * unit_cost", "base_quantity * unit_cost"),
    "unit_fill_revised": ("least(quantity_by_end, base_revised)", "base_revised"),
    "unit_fill_original": ("least(quantity_by_end, base_revised, base_original)", "base_original"),
    "unit_fill_first_pass": ("quantity_first_pass", "base_revised"),
    "value_fill": ("least(quantity_by_end, base_revised) * unit_price", "base_revised * unit_price"),
    "line_fill": ("case when is_in_full then 1 else 0 end", "1"),
} %}
with orders as (
    select
        profile_id,
        is_headline,
        due_date,
        {{ kpi_dimensions() }},
        coalesce(currency, '(none)') as currency,
        {%- for kpi, flag in order_kpis.items() %}
            count(case when {{ flag }} then 1 end) as {{ kpi }}_numerator,
            count({{ flag }}) as {{ kpi }}_denominator,
            count({{ flag }}) as {{ kpi }}_observations,
        {%- endfor %}
        max(case when is_provisional then 1 else 0 end) as provisional
    from {{ ref('fct_order_assessments') }}
    where is_due and exclusion_reason is null
    group by all
),

order_lines as (
    select
        profile_id,
        is_headline,
        due_date,
        {{ kpi_dimensions() }},
        coalesce(currency, '(none)') as currency,
        {%- for kpi, (numerator, denominator) in line_kpis.items() %}
            sum({{ numerator }}) as {{ kpi }}_numerator,
            sum(case when ({{ numerator }}) is not null then {{ denominator }} end) as {{ kpi }}_denominator,
            count(case when ({{ numerator }}) is not null then {{ denominator }} end) as {{ kpi }}_observations,
        {%- endfor %}
        max(case when is_provisional then 1 else 0 end) as provisional
    from {{ ref('fct_line_assessments') }}
    where is_due and exclusion_reason is null and is_otif is not null
    group by all
)

{% for kpi in order_kpis.keys() | list + line_kpis.keys() | list %}
    select
        '{{ kpi }}' as kpi_id,
        profile_id,
        is_headline,
        due_date as period_date,
        {{ dimensions() }},
        currency,
        cast({{ kpi }}_numerator as double) as numerator,
        cast({{ kpi }}_denominator as double) as denominator,
        cast({{ kpi }}_observations as bigint) as observations,
        provisional = 1 as is_provisional
    from {{ "orders" if kpi in order_kpis else "order_lines" }}
    where {{ kpi }}_observations > 0
    {{ "union all" if not loop.last }}
{% endfor %}
