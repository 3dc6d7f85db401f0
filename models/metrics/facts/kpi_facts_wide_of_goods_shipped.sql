{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every line shipped: what came back of it and why (K8), what was too much or damaged (K20). Grain is order_id,
    line_id. -#}
{% set return_kpis = fromjson(return_classes()) %}
with returned_by_class as (
    select
        returns.order_id,
        returns.line_id,
        {%- for kpi, classes in return_kpis.items() %}
            sum(case when coalesce(reasons.reason_class, 'unclassified') in ({{ classes }}) then returns.quantity end)
                as {{ kpi }},
        {%- endfor %}
        count(*) filter (where not returns.is_quantity_known) as returns_without_quantity
    from {{ ref('fct_returns') }} as returns
    left join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
    where returns.received_at is not null and {{ on_days_changed("returns.shipped_date") }}
    group by returns.order_id, returns.line_id
),

damaged_units as (
    select
        returns.order_id,
        returns.line_id,
        sum(returns.quantity) as quantity
    from {{ ref('fct_returns') }} as returns
    inner join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
    where reasons.reason_class = 'damaged' and {{ on_days_changed("returns.shipped_date") }}
    group by returns.order_id, returns.line_id
),

shipped as (
    select
        order_lines.*,
        {%- for kpi in return_kpis %}
            returned_by_class.{{ kpi }},
        {%- endfor %}
        returned_by_class.returns_without_quantity,
        damaged_units.quantity as quantity_damaged,
        -- Goods are sold once the carrier has them; what left without its word waits to be counted on the day it left.
        {{ company_date('coalesce(order_lines.first_accepted_at, order_lines.first_shipped_at)') }} as shipped_date,
        {{ company_date('order_lines.first_accepted_at') }}
        > {{ add_days(as_of_date(), '-' ~ var('return_maturity_days', 51)) }} as is_young
    from {{ ref('fct_order_lines') }} as order_lines
    left join returned_by_class
        on order_lines.order_id = returned_by_class.order_id and order_lines.line_id = returned_by_class.line_id
    left join damaged_units
        on order_lines.order_id = damaged_units.order_id and order_lines.line_id = damaged_units.line_id
    where order_lines.first_accepted_at is not null or order_lines.first_shipped_at is not null
)

select
    concat_ws(' ', order_id, line_id) as row_key,
    order_id,
    line_id,
    sku,
    {{ kpi_dimensions() }},
    currency,
    {%- for kpi, numerator, denominator, is_provisional in [
        ("return_rate", "least(quantity_returned, quantity_shipped)", "quantity_shipped", "is_young"),
        ("return_rate_choice", "least(coalesce(return_rate_choice, 0), quantity_shipped)", "quantity_shipped", "is_young"),
        ("return_rate_fulfilment", "least(coalesce(return_rate_fulfilment, 0), quantity_shipped)", "quantity_shipped",
            "is_young"),
        ("return_rate_product", "least(coalesce(return_rate_product, 0), quantity_shipped)", "quantity_shipped",
            "is_young"),
        ("return_rate_refused", "least(coalesce(return_rate_refused, 0), quantity_shipped)", "quantity_shipped",
            "is_young"),
        ("return_rate_unclassified", "least(coalesce(return_rate_unclassified, 0), quantity_shipped)",
            "quantity_shipped", "is_young"),
        ("damage_rate", "least(coalesce(quantity_damaged, 0), quantity_shipped)", "quantity_shipped", "is_young"),
        ("over_shipped_rate", "greatest(quantity_shipped - base_revised, 0)", "base_revised", "false"),
    ] %}
        coalesce(
            exclusion_reason,
            case
                when first_accepted_at is null then 'not_accepted'
                when quantity_shipped is null then 'no_shipped_quantity'
                {%- if kpi in ("over_shipped_rate", "damage_rate") %}
                    when coalesce(base_revised, 0) <= 0 then 'reduced_to_zero'
                {%- endif %}
                {%- if kpi != "over_shipped_rate" %}
                    when quantity_shipped <= 0 then 'not_shipped'
                    -- Something came back, and nobody says how much of it: no rate, rather than none of it.
                    when returns_without_quantity > 0 then 'no_returned_quantity'
                {%- endif %}
            end
        ) as {{ kpi }}_reason,
        {{ numerator }} as {{ kpi }}_numerator,
        {{ denominator }} as {{ kpi }}_denominator,
        {{ is_provisional }} as {{ kpi }}_provisional,
    {%- endfor %}
    shipped_date as period_date
from shipped
