{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every line captured: was it oversold, did its promise slip (K12)? Grain is kpi_id, order_id, line_id. -#}
with combined as (
    {%- for kpi in fromjson(kpi_wide_facts())["promises"] %}
        {{ kpi_facts_told(kpi, ref('kpi_facts_wide_of_promises'), row_kind='line') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
