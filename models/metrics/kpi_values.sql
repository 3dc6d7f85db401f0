{#- The service KPIs are added up wide (kpi_rows_of_service), all others row by row. -#}
{% set service = ["orders_due", "lines_due"] %}
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
{% for model in kpi_fact_models().split() if model not in service %}
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
