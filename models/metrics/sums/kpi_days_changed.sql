{{ config(schema='intermediate', materialized='table', contract={'enforced': false}) }}
{#-
    The days that sums by day are added up anew for, per model of KPI rows (macros/kpis.sql); a null among them means every
    day. Empty in a build from scratch.
-#}
{%- for model in kpi_fact_models_by_order().split() %}
-- depends_on: {{ ref('kpi_facts_of_' ~ model) }}
{%- endfor %}
{{ kpi_days_changed() }}
