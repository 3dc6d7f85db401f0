{{ config(materialized='by_day', fixed_inputs=['kpi_rows_of_others']) }}
{#-
    The service KPIs (kpi_rows_of_service) and others that share their rows (kpi_facts_wide_of_*) are added up side by side
    and then told per KPI, the rest row by row.
-#}
{% set service = ["orders_due", "lines_due"] %}
{% set wide = fromjson(kpi_wide_facts()) %}
with
{%- for model, kpis in wide.items() %}

    {{ model }}_sums as (
        select
            period_date,
            {{ dimensions() }},
            coalesce(currency, '(none)') as currency,
        {%- for kpi in kpis %}
            sum(case when {{ kpi }}_reason is null then {{ kpi }}_numerator end) as {{ kpi }}_numerator,
            sum(case when {{ kpi }}_reason is null then {{ kpi }}_denominator end) as {{ kpi }}_denominator,
            count(case when {{ kpi }}_reason is null then 1 end) as {{ kpi }}_observations,
            max(case when {{ kpi }}_reason is null and {{ kpi }}_provisional then 1 else 0 end)
                as {{ kpi }}_provisional{{ "," if not loop.last }}
        {%- endfor %}
        from {{ ref('kpi_facts_wide_of_' ~ model) }}
        where period_date is not null
        group by all
    ){{ "," if not loop.last }}
{%- endfor %}

select
    kpi_id,
    profile_id,
    is_headline,
    period_date,
    {{ dimensions() }},
    currency,
    numerator,
    denominator,
    observations,
    is_provisional
from {{ ref('kpi_rows_of_service') }}
{% for model, kpis in wide.items() %}
    {%- for kpi in kpis %}
        union all
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            period_date,
            {{ dimensions() }},
            currency,
            cast({{ kpi }}_numerator as double) as numerator,
            cast({{ kpi }}_denominator as double) as denominator,
            cast({{ kpi }}_observations as bigint) as observations,
            {{ kpi }}_provisional = 1 as is_provisional
        from {{ model }}_sums
        where {{ kpi }}_observations > 0
    {%- endfor %}
{%- endfor %}
{% for model in kpi_fact_models_by_order().split() if model not in service and model not in wide %}
    union all
    select
        kpi_id,
        profile_id,
        is_headline,
        period_date,
        {{ dimensions() }},
        currency,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        cast(sum(observations) as bigint) as observations,
        max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
    from {{ ref('kpi_facts_of_' ~ model) }}
    where exclusion_reason is null
    group by all
{% endfor %}
union all
select
    kpi_id,
    profile_id,
    is_headline,
    period_date,
    {{ dimensions() }},
    currency,
    numerator,
    denominator,
    observations,
    is_provisional
from {{ ref('kpi_rows_of_others') }}
where exclusion_reason is null
