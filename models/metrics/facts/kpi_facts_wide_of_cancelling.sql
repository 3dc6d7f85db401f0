{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every order captured and who cancelled it whole (K7). Grain is order_id. -#}
select
    order_id as row_key,
    order_id,
    cast(null as varchar) as line_id,
    cast(null as varchar) as sku,
    {{ kpi_dimensions() }},
    currency,
    {%- for kpi, condition in {
        "cancellation_rate": "true",
        "cancellation_rate_customer": "cancel_actor = 'customer'",
        "cancellation_rate_seller": "cancel_actor in ('seller_oos', 'seller_other')",
        "cancellation_rate_fraud": "cancel_actor in ('fraud', 'payment')",
        "cancellation_rate_retailer": "cancel_actor = 'retailer_expiry'",
    }.items() %}
        coalesce(exclusion_reason, case when order_type = 'replacement' then 'replacement' end) as {{ kpi }}_reason,
        case
            when order_status = 'cancelled' and {{ condition }} then 1
            else 0
        end as {{ kpi }}_numerator,
        1 as {{ kpi }}_denominator,
        false as {{ kpi }}_provisional,
    {%- endfor %}
    captured_date as period_date
from {{ ref('fct_orders') }}
