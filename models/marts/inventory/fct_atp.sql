{#-
    What can still be promised. Discrete: the opening week's supply, and each later receipt, less the commitments until the
    next receipt. Cumulative with look-ahead: what can be promised by the end of a week without taking it from anything
    committed later, never below 0; it never falls from week to week, so no receipt is promised twice.
-#}
with netted as (
    select
        *,
        opening_quantity + receipt_quantity - committed_quantity as net_quantity,
        sum(case when receipt_quantity > 0 and week_number > 0 then 1 else 0 end) over (
            partition by sku, node_id
            order by week_number rows unbounded preceding
        ) as receipt_number
    from {{ ref('int_atp_weeks_netted') }}
),

balanced as (
    select
        *,
        sum(net_quantity) over (
            partition by sku, node_id
            order by week_number rows unbounded preceding
        ) as balance_quantity,
        sum(net_quantity) over (partition by sku, node_id, receipt_number) as until_next_receipt,
        min(week_number) over (partition by sku, node_id, receipt_number) as first_week_number
    from netted
),

kept as (
    select
        sku,
        node_id,
        sum(quantity) as quantity
    from {{ ref('fct_channel_reservations') }}
    group by sku, node_id
),

ahead as (
    select
        *,
        greatest(
            min(balance_quantity) over (
                partition by sku, node_id
                order by week_number rows between current row and unbounded following
            ),
            0
        ) as cumulative_quantity
    from balanced
)

select
    ahead.sku,
    ahead.node_id,
    cast(ahead.week_number as integer) as week_number,
    cast(ahead.opening_quantity as decimal(18, 3)) as opening_quantity,
    cast(ahead.receipt_quantity as decimal(18, 3)) as receipt_quantity,
    cast(ahead.committed_quantity as decimal(18, 3)) as committed_quantity,
    cast(ahead.balance_quantity as decimal(18, 3)) as balance_quantity,
    cast(
        case when ahead.week_number = ahead.first_week_number then ahead.until_next_receipt else 0 end
        as decimal(18, 3)
    ) as discrete_quantity,
    cast(ahead.cumulative_quantity as decimal(18, 3)) as cumulative_quantity,
    -- What a channel without a reservation may promise.
    cast(greatest(ahead.cumulative_quantity - coalesce(kept.quantity, 0), 0) as decimal(18, 3)) as unreserved_quantity,
    cast(greatest(-ahead.balance_quantity, 0) as decimal(18, 3)) as oversold_quantity,
    ahead.week_start
from ahead
left join kept on ahead.sku = kept.sku and ahead.node_id = kept.node_id
