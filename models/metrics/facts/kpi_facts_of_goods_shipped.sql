{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#-
    Every line shipped: what came back of it and why (K8), what was too much or damaged (K20). Grain is kpi_id, order_id,
    line_id.
-#}
with combined as (
    {%- for kpi in fromjson(kpi_wide_facts())["goods_shipped"] %}
        {{ kpi_facts_told(kpi, ref('kpi_facts_wide_of_goods_shipped'), row_kind='line') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
