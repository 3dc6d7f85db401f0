-- What can be promised never falls from week to week, and is the closing balance where that is not below zero.
with neighbours as (
    select
        sku,
        node_id,
        week_number,
        cumulative_quantity,
        balance_quantity,
        lead(cumulative_quantity) over (partition by sku, node_id order by week_number) as next_quantity
    from {{ ref('fct_atp') }}
)

select *
from neighbours
where
    cumulative_quantity > next_quantity
    or cumulative_quantity > greatest(balance_quantity, 0)
    or (next_quantity is null and cumulative_quantity <> greatest(balance_quantity, 0))
union all
-- Discrete quantities of all weeks are the closing balance.
select
    sku,
    node_id,
    max(week_number) as week_number,
    sum(discrete_quantity) as cumulative_quantity,
    sum(opening_quantity + receipt_quantity - committed_quantity) as balance_quantity,
    cast(null as decimal(18, 3)) as next_quantity
from {{ ref('fct_atp') }}
group by sku, node_id
having sum(discrete_quantity) <> sum(opening_quantity + receipt_quantity - committed_quantity)
