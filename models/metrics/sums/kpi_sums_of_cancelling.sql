{{ config(schema='intermediate', materialized='by_day', families=['cancelling'], contract={'enforced': false}) }}
{#- Orders and what was cancelled of them: sums of kpi_facts_wide_of_cancelling by day and dimensions. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
{{ kpi_wide_sums('cancelling') }}
