{{ config(materialized='incremental', in_pieces=true) }}
{#- The cause of an order's miss is that of the line that lost most often: the most frequent one, first by name. -#}
with causes as (
    select
        order_id,
        profile_id,
        miss_cause,
        count(*) as lines_missed,
        min(miss_evidence) as miss_evidence
    from {{ ref('int_miss_shares') }}
    where is_main
    group by order_id, profile_id, miss_cause
),

ranked_causes as (
    select
        *,
        row_number() over (
            partition by order_id, profile_id
            order by case when miss_cause = 'unknown' then 1 else 0 end asc, lines_missed desc, miss_cause asc
        ) as position
    from causes
)

select
    assessed.order_id,
    assessed.profile_id,
    orders.currency,
    {{ dimensions("orders.") }},
    assessed.exclusion_reason,
    causes.miss_cause,
    causes.miss_evidence,
    assessed.line_count,
    assessed.lines_due,
    assessed.lines_in_full,
    assessed.lines_otif,
    assessed.base_original,
    assessed.base_revised,
    assessed.base_quantity,
    assessed.quantity_in_window,
    assessed.quantity_by_end,
    assessed.quantity_first_pass,
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
from {{ ref('int_service_orders_assessed') }} as assessed
inner join {{ ref('fct_orders') }} as orders on assessed.order_id = orders.order_id
left join ranked_causes as causes
    on assessed.order_id = causes.order_id and assessed.profile_id = causes.profile_id and causes.position = 1
where not assessed.is_bridge_step
