-- An assessed order is either in the denominator of on_time or among its exclusions, never neither, never both.
with assessed as (
    select
        profile_id,
        count(*) as orders
    from {{ ref('fct_order_assessments') }}
    group by profile_id
),

counted as (
    select
        profile_id,
        sum(observations) as orders
    from {{ ref('kpi_values') }}
    where kpi_id = 'on_time'
    group by profile_id
),

excluded as (
    select
        profile_id,
        sum(observations) as orders
    from {{ ref('kpi_exclusions') }}
    where kpi_id = 'on_time'
    group by profile_id
)

select assessed.*
from assessed
left join counted on assessed.profile_id = counted.profile_id
left join excluded on assessed.profile_id = excluded.profile_id
where assessed.orders <> coalesce(counted.orders, 0) + coalesce(excluded.orders, 0)
