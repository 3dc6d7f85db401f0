{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every order under its headline profile with the components of perfection (K3). Grain is kpi_id, order_id. -#}
with combined as (
    {%- for kpi in fromjson(kpi_wide_facts())["perfection"] %}
        {{ kpi_facts_told(kpi, ref('kpi_facts_wide_of_perfection'), row_kind='order') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
