{#- What was left out of a KPI, and why: nothing disappears in silence. -#}
with excluded as (
    {%- for model in kpi_fact_models().split() %}
        select
            kpi_id,
            profile_id,
            channel,
            customer_id,
            exclusion_reason,
            period_date
        from {{ ref('kpi_facts_of_' ~ model) }}
        where exclusion_reason is not null and period_date is not null
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    kpi_id,
    profile_id,
    channel,
    customer_id,
    exclusion_reason,
    cast(count(*) as bigint) as observations,
    period_date
from excluded
group by all
