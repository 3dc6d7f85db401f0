{{ config(materialized='compared') }}
{#- The youngest statement of every invoice line; rows without a line are the invoice's total. -#}
with ranked as (
    select
        document_id as invoice_id,
        order_id,
        line_id,
        sku,
        customer_id,
        quantity,
        unit_price,
        amount,
        currency,
        source,
        event_at as invoiced_at,
        row_number() over (
            partition by document_id, order_id, line_id, sku
            order by event_at desc, observed_at desc, event_id asc
        ) as recency
    from {{ ref('int_finance_events_identified') }}
    where event_type = 'invoice.sent'
)

select
    invoice_id,
    order_id,
    line_id,
    sku,
    customer_id,
    quantity,
    unit_price,
    amount,
    currency,
    source,
    line_id is null and sku is null as is_total,
    invoiced_at
from ranked
where recency = 1
