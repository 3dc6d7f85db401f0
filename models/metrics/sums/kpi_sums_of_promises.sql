{{ config(schema='intermediate', materialized='by_day', families=['promises'], contract={'enforced': false}) }}
{#- Promises of lines: sums of kpi_facts_wide_of_promises by day and dimensions. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
{{ kpi_wide_sums('promises') }}
