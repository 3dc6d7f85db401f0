{{ config(materialized='incremental') }}
select
    assessed.order_id,
    assessed.line_id,
    assessed.profile_id,
    order_lines.sku,
    order_lines.currency,
    {{ dimensions("order_lines.") }},
    assessed.exclusion_reason,
    misses.miss_cause,
    misses.miss_evidence,
    assessed.base_original,
    assessed.base_revised,
    assessed.base_quantity,
    assessed.quantity_in_window,
    assessed.quantity_by_end,
    assessed.quantity_first_pass,
    order_lines.unit_price,
    order_lines.unit_cost,
    assessed.is_headline,
    assessed.is_due,
    assessed.is_provisional,
    assessed.is_on_time,
    assessed.is_in_full,
    assessed.is_otif,
    assessed.is_first_pass,
    assessed.due_date,
    assessed.window_start_at,
    assessed.window_end_at
from {{ ref('int_service_units_assessed') }} as assessed
inner join {{ ref('int_order_lines_balanced') }} as order_lines
    on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
left join {{ ref('int_service_misses_explained') }} as misses
    on
        assessed.order_id = misses.order_id
        and assessed.line_id = misses.line_id
        and assessed.profile_id = misses.profile_id
where not assessed.is_bridge_step
