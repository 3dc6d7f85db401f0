{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every line captured: was it oversold, did its promise slip (K12)? Grain is order_id, line_id. -#}
with taken_back as (
    select
        order_id,
        line_id,
        quantity_cancelled as quantity
    from {{ ref('int_order_cancellations_resolved') }}
    where actor = 'seller_oos'
    union all
    select
        order_id,
        line_id,
        quantity_cut as quantity
    from {{ ref('int_order_quantities_revised') }}
    where quantity_cut > 0
),

out_of_stock as (
    select
        order_id,
        line_id,
        sum(quantity) as quantity
    from taken_back
    group by order_id, line_id
),

lines as (
    select
        order_lines.*,
        out_of_stock.quantity as quantity_out_of_stock
    from {{ ref('fct_order_lines') }} as order_lines
    left join out_of_stock
        on order_lines.order_id = out_of_stock.order_id and order_lines.line_id = out_of_stock.line_id
)

select
    concat_ws(' ', order_id, line_id) as row_key,
    order_id,
    line_id,
    sku,
    {{ kpi_dimensions() }},
    currency,
    coalesce(exclusion_reason, case when not coalesce(base_original > 0, false) then 'no_quantity' end)
        as oversell_rate_reason,
    least(coalesce(quantity_out_of_stock, 0), base_original) as oversell_rate_numerator,
    base_original as oversell_rate_denominator,
    false as oversell_rate_provisional,
    coalesce(exclusion_reason, case when promise_first_at is null then 'no_promise' end) as promise_slip_rate_reason,
    case when promise_latest_at > promise_first_at then 1 else 0 end as promise_slip_rate_numerator,
    1 as promise_slip_rate_denominator,
    false as promise_slip_rate_provisional,
    {{ company_date('captured_at') }} as period_date
from lines
