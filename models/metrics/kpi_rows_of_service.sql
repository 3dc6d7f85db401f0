{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#-
    Numerators and denominators of the KPIs that a service profile judges, per due day and dimensions: the sums of
    kpi_facts_of_orders_due and kpi_facts_of_lines_due, added up wide first, so that the verdicts are read once, then told
    per KPI.
-#}
{% set order_kpis = fromjson(service_order_kpis()) %}
{% set line_kpis = fromjson(service_line_kpis()) %}
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
