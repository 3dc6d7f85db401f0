{{ config(
    schema='intermediate', materialized='table', contract={'enforced': false},
    fixed_inputs=['kpi_rows_of_others', 'kpi_days_changed']
) }}
{#- The days that kpi_exclusions is added up anew for, as kpi_days_changed says it for the sums. -#}
-- depends_on: {{ ref('kpi_rows_of_others') }}
-- depends_on: {{ ref('kpi_days_changed') }}
{%- for model in kpi_fact_models_by_order().split() %}
-- depends_on: {{ ref('kpi_facts_of_' ~ model) }}
{%- endfor %}
{{ kpi_days_excluded(model) }}
