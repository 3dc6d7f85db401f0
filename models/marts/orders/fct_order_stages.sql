{{ config(materialized='incremental', by_capture_day=true) }}
{#-
    A stage has begun when its first milestone has passed. Orders that ended in a cancellation leave the cohort, with the
    reason, and a milestone that no order of a source and channel ever reaches is not waited for.
-#}
with orders as (
    select
        *,
        coalesce(
            exclusion_reason,
            case
                when order_type = 'replacement' then 'replacement'
                when order_status = 'cancelled' then 'cancelled'
            end
        ) as stage_exclusion_reason
    from {{ ref('fct_orders') }}
),

milestones as (
    {%- for milestone in order_milestones().split() %}
        select
            order_id,
            source,
            channel,
            '{{ milestone }}' as milestone,
            {{ milestone }}_at as reached_at
        from orders
        where {{ milestone }}_at is not null
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    orders.order_id,
    stages.stage_id,
    {{ dimensions("orders.") }},
    orders.stage_exclusion_reason as exclusion_reason,
    stages.display_order,
    {{ hours_between('started.reached_at', 'ended.reached_at') }} as hours,
    coalesce(ended.reached_at >= started.reached_at, true) as is_valid,
    orders.captured_date,
    orders.captured_at,
    started.reached_at as started_at,
    ended.reached_at as ended_at
from milestones as started
inner join {{ ref('stages') }} as stages on started.milestone = stages.from_milestone
inner join orders on started.order_id = orders.order_id
inner join {{ ref('int_milestones_told') }} as told
    on
        stages.to_milestone = told.milestone
        and started.source = told.source
        and started.channel = told.channel
left join milestones as ended on stages.to_milestone = ended.milestone and started.order_id = ended.order_id
