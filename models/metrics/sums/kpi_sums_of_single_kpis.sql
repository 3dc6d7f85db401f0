{{ config(
    schema='intermediate', materialized='by_day', contract={'enforced': false}, families=kpi_fact_models_single().split()
) }}
{#- KPIs by order that share their rows with no other, added up one by one. Grain is that of kpi_values;
    `family` is the model of rows. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
{% for model in kpi_fact_models_single().split() %}
    select
        '{{ model }}' as family,
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
    {{ "union all" if not loop.last }}
{% endfor %}
