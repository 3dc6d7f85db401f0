{{ config(schema='intermediate', materialized='by_day', families=['orders_due'], contract={'enforced': false}) }}
{#- KPIs of orders that a service profile judges, side by side: sums of kpi_facts_of_orders_due by day. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
select
    profile_id,
    is_headline,
    due_date as period_date,
    {{ kpi_dimensions() }},
    coalesce(currency, '(none)') as currency,
    {%- for kpi, flag in fromjson(service_order_kpis()).items() %}
        cast(count(case when {{ flag }} then 1 end) as double) as {{ kpi }}_numerator,
        cast(count({{ flag }}) as double) as {{ kpi }}_denominator,
        count({{ flag }}) as {{ kpi }}_observations,
    {%- endfor %}
    max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
from {{ ref('fct_order_assessments') }}
where is_due and exclusion_reason is null and due_date is not null
group by all
