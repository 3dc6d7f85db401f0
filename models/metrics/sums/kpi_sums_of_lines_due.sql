{{ config(schema='intermediate', materialized='by_day', families=['lines_due'], contract={'enforced': false}) }}
{#- KPIs of lines that a service profile judges, side by side: sums of kpi_facts_of_lines_due by day. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
select
    profile_id,
    is_headline,
    due_date as period_date,
    {{ kpi_dimensions() }},
    coalesce(currency, '(none)') as currency,
    {%- for kpi, (numerator, denominator) in fromjson(service_line_kpis()).items() %}
        cast(sum({{ numerator }}) as double) as {{ kpi }}_numerator,
        cast(sum(case when ({{ numerator }}) is not null then {{ denominator }} end) as double)
            as {{ kpi }}_denominator,
        count(case when ({{ numerator }}) is not null then {{ denominator }} end) as {{ kpi }}_observations,
    {%- endfor %}
    max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
from {{ ref('int_service_units_assessed') }}
where
    is_due and exclusion_reason is null and due_date is not null and is_otif is not null
    and line_id <> '' and not is_bridge_step
group by all
