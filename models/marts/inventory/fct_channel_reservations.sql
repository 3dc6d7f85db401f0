select
    sku,
    node_id,
    channel,
    cast(sum(quantity) as decimal(18, 3)) as quantity
from {{ ref('channel_reservations') }}
where
    coalesce(effective_from, date '0001-01-01') <= {{ as_of_date() }}
    and coalesce(effective_to, date '9999-12-31') >= {{ as_of_date() }}
group by sku, node_id, channel
having sum(quantity) > 0
