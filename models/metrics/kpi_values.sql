{{ config(materialized='view', by_day=true) }}
{#-
    The sums, told per KPI: in kpi_sums_of_* KPIs that share their rows stand side by side, so that a day and its dimensions
    are written once for all of them.
-#}
{% set sums = {
    "orders_due": fromjson(service_order_kpis()).keys() | list,
    "lines_due": fromjson(service_line_kpis()).keys() | list,
} %}
{%- for model, kpis in sums.items() %}
    {%- for kpi in kpis %}
        select
            '{{ kpi }}' as kpi_id,
            profile_id,
            is_headline,
            period_date,
            {{ dimensions() }},
            currency,
            {{ kpi }}_numerator as numerator,
            {{ kpi }}_denominator as denominator,
            {{ kpi }}_observations as observations,
            is_provisional
        from {{ ref('kpi_sums_of_' ~ model) }}
        where {{ kpi }}_observations > 0
        union all
    {%- endfor %}
{%- endfor %}
{%- for model, kpis in fromjson(kpi_wide_facts()).items() %}
    {%- for kpi in kpis %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            period_date,
            {{ dimensions() }},
            currency,
            {{ kpi }}_numerator as numerator,
            {{ kpi }}_denominator as denominator,
            {{ kpi }}_observations as observations,
            {{ kpi }}_provisional as is_provisional
        from {{ ref('kpi_sums_of_' ~ model) }}
        where {{ kpi }}_observations > 0
        union all
    {%- endfor %}
{%- endfor %}
select
    kpi_id,
    profile_id,
    is_headline,
    period_date,
    {{ dimensions() }},
    currency,
    numerator,
    denominator,
    observations,
    is_provisional
from {{ ref('kpi_sums_of_single_kpis') }}
union all
select
    kpi_id,
    profile_id,
    is_headline,
    period_date,
    {{ dimensions() }},
    currency,
    numerator,
    denominator,
    observations,
    is_provisional
from {{ ref('kpi_rows_of_others') }}
where exclusion_reason is null
