{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every order under every profile that judges it (K1, K4). Grain is kpi_id, profile_id, order_id. -#}
with assessed as (
    select
        assessed.*,
        {{ service_exclusion("assessed.") }} as reason,
        coalesce(assessed.due_date, orders.captured_date) as period_date
    from {{ ref('fct_order_assessments') }} as assessed
    inner join {{ ref('fct_orders') }} as orders on assessed.order_id = orders.order_id
),

combined as (
    {%- for kpi, flag in fromjson(service_order_kpis()).items() %}
        select
            '{{ kpi }}' as kpi_id,
            'order' as row_kind,
            order_id as row_key,
            profile_id,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            coalesce(reason, case when {{ flag }} is null then 'no_shipped_quantity' end) as exclusion_reason,
            case when {{ flag }} then 1 else 0 end as numerator,
            1 as denominator,
            is_headline,
            is_provisional,
            period_date
        from assessed
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined", profile_id="profile_id", is_headline="is_headline") }}
