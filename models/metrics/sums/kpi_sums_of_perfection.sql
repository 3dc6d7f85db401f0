{{ config(schema='intermediate', materialized='by_day', families=['perfection'], contract={'enforced': false}) }}
{#- Perfect orders: sums of kpi_facts_wide_of_perfection by day and dimensions. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
{{ kpi_wide_sums('perfection') }}
