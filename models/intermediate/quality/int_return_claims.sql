{{ config(materialized='incremental') }}
{#-
    What customers held against an order: returns by the class of their reason, within the days in which a claim still
    demotes the order (G15), counted from its delivery.
-#}
select
    returns.order_id,
    returns.line_id,
    returns.rma_id,
    returns.quantity,
    coalesce(reasons.reason_class, 'unclassified') as reason_class,
    returns.created_at
from {{ ref('fct_returns') }} as returns
inner join {{ ref('fct_orders') }} as orders on returns.order_id = orders.order_id
left join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
where
    coalesce(returns.created_at, returns.received_at, returns.refunded_at)
    <= {{ add_days('coalesce(orders.delivered_at, returns.created_at)', var('claim_days', 30)) }}
