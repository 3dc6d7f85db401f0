{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every order under its headline profile with the components of perfection (K3). Grain is order_id. -#}
with judged as (
    select
        assessed.order_id,
        {{ dimensions("assessed.") }},
        assessed.currency,
        perfect.is_perfect,
        perfect.is_complete,
        perfect.is_on_time,
        perfect.is_documented,
        perfect.is_sound,
        coalesce(
            {{ service_exclusion("assessed.") }},
            case when perfect.order_id is null then 'no_shipped_quantity' end
        ) as exclusion_reason,
        coalesce(perfect.is_provisional, false) as is_provisional,
        coalesce(assessed.due_date, orders.captured_date) as period_date
    from {{ ref('fct_order_assessments') }} as assessed
    inner join {{ ref('fct_orders') }} as orders on assessed.order_id = orders.order_id
    left join {{ ref('fct_perfect_orders') }} as perfect on assessed.order_id = perfect.order_id
    where assessed.is_headline
)

select
    order_id as row_key,
    order_id,
    cast(null as varchar) as line_id,
    cast(null as varchar) as sku,
    {{ kpi_dimensions() }},
    currency,
    {%- for kpi, flag in {
        "perfect_order": "is_perfect",
        "perfect_in_full": "is_complete",
        "perfect_on_time": "is_on_time",
        "perfect_documents": "is_documented",
        "perfect_condition": "is_sound",
    }.items() %}
        exclusion_reason as {{ kpi }}_reason,
        case when {{ flag }} then 1 else 0 end as {{ kpi }}_numerator,
        1 as {{ kpi }}_denominator,
        is_provisional as {{ kpi }}_provisional,
    {%- endfor %}
    period_date
from judged
