{{ config(schema='intermediate', materialized='compared', contract={'enforced': false}) }}
{#- Sums of the KPIs whose rows hang on more than an order: documents, invoices, notices. -#}
{% for model in kpi_fact_models_of_others().split() %}
    select
        kpi_id,
        profile_id,
        is_headline,
        period_date,
        {{ dimensions() }},
        currency,
        exclusion_reason,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        cast(sum(observations) as bigint) as observations,
        count(*) as rows_counted,
        max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
    from {{ ref('kpi_facts_of_' ~ model) }}
    where period_date is not null
    group by all
    {{ "union all" if not loop.last }}
{% endfor %}
