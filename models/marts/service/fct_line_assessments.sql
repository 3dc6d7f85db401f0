{{ config(materialized='view', by_order=true) }}
{#- The cause of a miss is the step that took most of the blame. -#}
select
    assessed.order_id,
    assessed.line_id,
    assessed.profile_id,
    assessed.sku,
    assessed.currency,
    {{ dimensions("assessed.") }},
    assessed.exclusion_reason,
    misses.miss_cause,
    misses.miss_evidence,
    assessed.base_original,
    assessed.base_revised,
    assessed.base_quantity,
    assessed.quantity_in_window,
    assessed.quantity_by_end,
    assessed.quantity_first_pass,
    assessed.unit_price,
    assessed.unit_cost,
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
left join {{ ref('int_miss_shares') }} as misses
    on
        assessed.order_id = misses.order_id
        and assessed.line_id = misses.line_id
        and assessed.profile_id = misses.profile_id
        and misses.is_main
where assessed.line_id <> '' and not assessed.is_bridge_step
