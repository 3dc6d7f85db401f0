{#-
    What went wrong on every due line of a retailer in the rule book, in units, with the scores that gates ask for.

    Units are counted once: late or early units did arrive (or are on their way), short units did not, so that
    on-time and in-full rules never fine the same unit twice. Units beyond the order are apart: they are fined on top.
-#}
with retailers as (
    select distinct retailer
    from {{ ref('retailer_rules') }}
),

-- A partner's weeks are its own: Amazon's begin on Sunday.
profile_weeks as (
    select
        profile_id,
        max(week_start) as week_start
    from {{ ref('service_profiles') }}
    group by profile_id
),

due as (
    select
        verdicts.order_id,
        verdicts.line_id,
        verdicts.customer_id,
        lines.sku,
        lines.currency,
        verdicts.due_date,
        {{ own_week_of('verdicts.due_date', 'profile_weeks.week_start') }} as due_week,
        verdicts.window_end_at,
        lines.window_end_at as agreed_end_at,
        lines.first_accepted_at,
        lines.last_delivered_at,
        verdicts.base_original,
        verdicts.base_revised,
        verdicts.quantity_in_window,
        verdicts.quantity_by_end,
        coalesce(lines.unit_price, lines.unit_cost) as unit_value,
        skus.pack_quantity,
        greatest(
            coalesce(lines.quantity_shipped, 0), coalesce(lines.quantity_delivered, 0), verdicts.quantity_by_end
        ) as quantity_came
    from {{ ref('fct_line_assessments') }} as verdicts
    inner join retailers on verdicts.customer_id = retailers.retailer
    inner join {{ ref('fct_order_lines') }} as lines
        on verdicts.order_id = lines.order_id and verdicts.line_id = lines.line_id
    left join profile_weeks on verdicts.profile_id = profile_weeks.profile_id
    left join {{ ref('dim_skus') }} as skus on lines.sku = skus.sku
    where verdicts.is_headline and verdicts.is_due and verdicts.exclusion_reason is null
),

failures as (
    select
        *,
        cast(date_trunc('month', due_date) as date) as due_month,
        least(base_revised, quantity_came) as filled_revised,
        least(base_original, quantity_came) as filled_original,
        quantity_by_end - quantity_in_window as early_quantity,
        greatest(least(base_revised, quantity_came) - quantity_by_end, 0) as late_quantity,
        base_revised - least(base_revised, quantity_came) as short_revised_quantity,
        base_original - least(base_original, quantity_came) as short_original_quantity,
        greatest(quantity_came - base_revised, 0) as over_quantity
    from due
)

select
    *,
    -- Walmart weeks are not published: the calendar month of the due date stands in for the Walmart month.
    sum(quantity_in_window) over (partition by customer_id, due_month)
    / nullif(sum(filled_revised) over (partition by customer_id, due_month), 0) as month_on_time_score,
    sum(filled_revised) over (partition by customer_id, due_month)
    / nullif(sum(base_revised) over (partition by customer_id, due_month), 0) as month_in_full_score,
    -- The four weeks of the partner that end with the week of the due date.
    sum(quantity_in_window) over four_weeks / nullif(sum(filled_revised) over four_weeks, 0) as trailing_on_time_score,
    -- Amazon relates the excess to what it received: 5 of 15 are 33 % (S26).
    sum(over_quantity) over (partition by order_id, sku)
    / nullif(sum(quantity_came) over (partition by order_id, sku), 0) as item_overage,
    sum(filled_original) over (partition by order_id, sku)
    / nullif(sum(base_original) over (partition by order_id, sku), 0) as item_fill_original,
    sum(filled_revised) over (partition by order_id)
    / nullif(sum(base_revised) over (partition by order_id), 0) as po_case_fill
from failures
window four_weeks as (
    partition by customer_id order by due_week range between interval '21' day preceding and current row
)
