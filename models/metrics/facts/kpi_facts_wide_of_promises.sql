{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#-
    Every line captured: was it oversold, did its promise slip (K12)? An order is accepted as it is captured, an account's
    as its first 855 answers it: what that refuses was never promised, so it is neither accepted nor oversold. Grain is
    order_id, line_id.
-#}
with taken_back as (
    select
        order_id,
        line_id,
        actor,
        quantity_cancelled as quantity,
        cancelled_at as taken_at
    from {{ ref('int_order_cancellations_resolved') }}
    where actor in ('seller_oos', 'seller_other')
    union all
    select
        order_id,
        line_id,
        'seller_oos' as actor,
        quantity_cut as quantity,
        last_cut_at as taken_at
    from {{ ref('int_order_quantities_revised') }}
    where quantity_cut > 0
),

out_of_stock as (
    select
        taken_back.order_id,
        taken_back.line_id,
        sum(case when taken_back.taken_at <= answers.answered_at then taken_back.quantity else 0 end)
            as quantity_refused,
        sum(
            case
                when taken_back.taken_at <= answers.answered_at or taken_back.actor <> 'seller_oos' then 0
                else taken_back.quantity
            end
        ) as quantity_oversold
    from taken_back
    left join {{ ref('int_orders_answered') }} as answers on taken_back.order_id = answers.order_id
    group by taken_back.order_id, taken_back.line_id
),

lines as (
    select
        order_lines.*,
        coalesce(out_of_stock.quantity_oversold, 0) as quantity_oversold,
        order_lines.base_original - coalesce(out_of_stock.quantity_refused, 0) as quantity_accepted
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
    coalesce(
        exclusion_reason,
        case
            when not coalesce(base_original > 0, false) then 'no_quantity'
            when quantity_accepted <= 0 then 'not_accepted'
        end
    ) as oversell_rate_reason,
    least(quantity_oversold, quantity_accepted) as oversell_rate_numerator,
    quantity_accepted as oversell_rate_denominator,
    false as oversell_rate_provisional,
    coalesce(exclusion_reason, case when promise_first_at is null then 'no_promise' end) as promise_slip_rate_reason,
    case when promise_latest_at > promise_first_at then 1 else 0 end as promise_slip_rate_numerator,
    1 as promise_slip_rate_denominator,
    false as promise_slip_rate_provisional,
    {{ company_date('captured_at') }} as period_date
from lines
