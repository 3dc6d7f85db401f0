select
    invoices.invoice_id,
    invoices.order_id,
    coalesce(orders.channel, '(none)') as channel,
    coalesce(orders.channel_type, '(none)') as channel_type,
    coalesce(invoices.customer_id, orders.customer_id, '(none)') as customer_id,
    coalesce(orders.node_id, '(none)') as node_id,
    coalesce(orders.region, '(none)') as region,
    coalesce(invoices.currency, orders.currency, '{{ var("company_currency") }}') as currency,
    invoices.amount,
    invoices.quantity,
    invoices.rejected_at is not null as is_rejected,
    invoices.is_void,
    -- The cohort of every figure on money: the day the goods left, and the invoice's day where that is unknown.
    coalesce({{ company_date('orders.accepted_at') }}, {{ company_date('invoices.invoiced_at') }}) as shipped_date,
    invoices.invoiced_at,
    invoices.rejected_at
from {{ ref('int_invoices_rolled_up') }} as invoices
left join {{ ref('fct_orders') }} as orders on invoices.order_id = orders.order_id
