{#- Sources that have said nothing for three days before the as-of. -#}
select
    'data_feed_late' as kind,
    source as subject,
    cast(null as varchar) as order_id,
    cast(null as varchar) as line_id,
    cast(null as varchar) as sku,
    cast(null as varchar) as node_id,
    cast(null as varchar) as carrier,
    cast(null as varchar) as channel,
    cast(null as varchar) as customer_id,
    cast(null as decimal(18, 4)) as money_at_risk,
    'Feed ' || source || ' has been silent for ' || {{ as_days('last_event_at', as_of()) }} as title,
    'Last event ' || {{ as_stamp('last_event_at') }} || ' after ' || cast(events as varchar) || ' events' as evidence,
    last_event_at + interval '1' day * 3 as opened_at,
    cast(null as timestamp) as due_at
from {{ ref('data_freshness') }}
-- People's decisions are no feed: nobody owes one.
where source <> 'ledger' and last_event_at + interval '1' day * 3 <= {{ as_of() }}
