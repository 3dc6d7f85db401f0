{#- A receipt comes again with news: its last word on quantity and date counts. The first goods received close it. -#}
with ranked as (
    select
        *,
        row_number() over (
            partition by receipt_id, sku, node_id, event_type
            order by event_at desc, observed_at desc, event_id asc
        ) as recency
    from {{ ref('stg_landing__inventory_events') }}
    where receipt_id is not null and event_type in ('receipt.expected', 'receipt.checked_in', 'receipt.received')
)

select
    receipt_id,
    sku,
    node_id,
    max(case when event_type = 'receipt.expected' and recency = 1 then quantity end) as quantity_expected,
    max(case when event_type = 'receipt.expected' and recency = 1 then expected_at end) as expected_at,
    max(case when event_type = 'receipt.expected' and recency = 1 then cast(is_confirmed as integer) end) = 1
        as is_confirmed,
    max(case when event_type = 'receipt.expected' then event_at end) as last_noted_at,
    min(case when event_type = 'receipt.checked_in' then event_at end) as checked_in_at,
    min(case when event_type = 'receipt.received' then event_at end) as received_at,
    max(case when event_type = 'receipt.received' then event_at end) as last_received_at,
    cast(sum(case when event_type = 'receipt.received' then quantity end) as decimal(18, 3)) as quantity_received
from ranked
group by receipt_id, sku, node_id
