{{ config(schema='intermediate', materialized='by_day', families=['goods_shipped'], contract={'enforced': false}) }}
{#- Lines shipped and what came back of them: sums of kpi_facts_wide_of_goods_shipped by day and dimensions. -#}
-- depends_on: {{ ref('kpi_days_changed') }}
{{ kpi_wide_sums('goods_shipped') }}
