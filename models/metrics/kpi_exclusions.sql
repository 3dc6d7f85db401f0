{{ config(materialized='by_day', families=['excluded']) }}
{#- What was left out of a KPI, and why: nothing disappears in silence. -#}
-- depends_on: {{ ref('kpi_days_excluded') }}
with excluded as (
    {%- for model in kpi_fact_models_by_order().split() %}
        select
            kpi_id,
            profile_id,
            channel,
            customer_id,
            exclusion_reason,
            1 as rows_counted,
            period_date
        from {{ ref('kpi_facts_of_' ~ model) }}
        where exclusion_reason is not null and period_date is not null
        union all
    {%- endfor %}
    select
        kpi_id,
        profile_id,
        channel,
        customer_id,
        exclusion_reason,
        rows_counted,
        period_date
    from {{ ref('kpi_rows_of_others') }}
    where exclusion_reason is not null
)

select
    kpi_id,
    profile_id,
    channel,
    customer_id,
    exclusion_reason,
    cast(sum(rows_counted) as bigint) as observations,
    period_date
from excluded
group by all
