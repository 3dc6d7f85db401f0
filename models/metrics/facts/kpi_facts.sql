{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#-
    Every row that a KPI counts or leaves out: the passport of a number is a question to this view. kpi_values are sums of
    these rows. Grain is kpi_id, profile_id, row_key.
-#}
{% for model in kpi_fact_models().split() + ["stages"] %}
    select * from {{ ref('kpi_facts_of_' ~ model) }}
    {{ "union all" if not loop.last }}
{% endfor %}
