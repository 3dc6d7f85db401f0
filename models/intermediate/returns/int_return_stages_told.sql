{{ config(materialized='compared') }}
{#- Stages of returns that any return ever ended; what no system tells is not waited for. Grain is stage_id. -#}
{%- for stage, (start, finish) in fromjson(return_stages()).items() %}
    select distinct '{{ stage }}' as stage_id
    from {{ ref('fct_returns') }}
    where
        {{ start }} is not null
        and {{ finish }} is not null
        {%- if finish == "restocked_at" %}
            and coalesce(disposition, 'restock_a') = 'restock_a'
        {%- endif %}
    {{ "union all" if not loop.last }}
{%- endfor %}
