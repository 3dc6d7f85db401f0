{{ config(materialized='incremental', ticks='is_on_hold') }}
{#- Time on hold per order; holds that overlap are counted once. -#}
with stays as (
    select
        order_id,
        hold_type,
        placed_at,
        released_at,
        coalesce(released_at, {{ as_of() }}) as ended_at
    from {{ ref('int_order_holds_paired') }}
),

covered as (
    select
        *,
        max(ended_at) over (
            partition by order_id
            order by placed_at, ended_at
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from stays
)

select
    order_id,
    max(case when released_at is null then 1 else 0 end) = 1 as is_on_hold,
    max(case when released_at is null then hold_type end) as open_hold_type,
    sum(
        case
            when covered_until is null or covered_until <= placed_at
                then {{ hours_between('placed_at', 'ended_at') }}
            when covered_until < ended_at
                then {{ hours_between('covered_until', 'ended_at') }}
            else 0
        end
    ) as hold_hours,
    max(released_at) as last_hold_released_at
from covered
group by order_id
