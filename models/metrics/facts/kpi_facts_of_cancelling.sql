{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every order captured and who cancelled it whole (K7). Grain is kpi_id, order_id. -#}
with combined as (
    {%- for kpi, condition in {
        "cancellation_rate": "true",
        "cancellation_rate_customer": "cancel_actor = 'customer'",
        "cancellation_rate_seller": "cancel_actor in ('seller_oos', 'seller_other')",
        "cancellation_rate_fraud": "cancel_actor in ('fraud', 'payment')",
        "cancellation_rate_retailer": "cancel_actor = 'retailer_expiry'",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            'order' as row_kind,
            order_id as row_key,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            coalesce(exclusion_reason, case when order_type = 'replacement' then 'replacement' end)
                as exclusion_reason,
            case
                when order_status = 'cancelled' and {{ condition }} then 1
                else 0
            end as numerator,
            1 as denominator,
            false as is_provisional,
            captured_date as period_date
        from {{ ref('fct_orders') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
