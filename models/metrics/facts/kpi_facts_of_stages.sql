{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#-
    Stages as rows of the KPIs of hours (K5, K9, K13): the numerator is their hours, and the figure is a percentile of
    them, not their sum. Grain is kpi_id, stage_id, subject.
-#}
with combined as (
    select
        kpi_id,
        'stage' as row_kind,
        concat_ws(' ', stage_id, subject) as row_key,
        order_id,
        line_id,
        sku,
        cast(null as varchar) as service,
        {{ dimensions() }},
        cast(null as varchar) as currency,
        case
            when exclusion_reason is not null then exclusion_reason
            when not is_valid then 'ends_before_it_starts'
            when hours is null then 'open'
        end as exclusion_reason,
        hours as numerator,
        1 as denominator,
        false as is_provisional,
        cohort_date as period_date
    from {{ ref('kpi_durations') }}
)

{{ kpi_fact_columns("combined") }}
