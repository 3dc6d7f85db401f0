{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every order captured and who cancelled it whole (K7). Grain is kpi_id, order_id. -#}
with combined as (
    {%- for kpi in fromjson(kpi_wide_facts())["cancelling"] %}
        {{ kpi_facts_told(kpi, ref('kpi_facts_wide_of_cancelling'), row_kind='order') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
