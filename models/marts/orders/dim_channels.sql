with named as (
    select
        channel,
        channel_name,
        channel_type,
        priority_rank
    from {{ ref('channels') }}
),

seen as (
    select distinct channel
    from {{ ref('int_orders_consolidated') }}
)

select
    coalesce(named.channel, seen.channel) as channel,
    coalesce(named.channel_name, seen.channel) as channel_name,
    coalesce(named.channel_type, '(none)') as channel_type,
    named.priority_rank
from named
full outer join seen on named.channel = seen.channel
