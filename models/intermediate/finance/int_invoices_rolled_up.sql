with rejected as (
    select
        coalesce(reference_id, document_id) as invoice_id,
        min(event_at) as rejected_at,
        max(event_at) as last_rejected_at
    from {{ ref('int_finance_events_identified') }}
    where event_type = 'invoice.rejected'
    group by coalesce(reference_id, document_id)
),

rolled_up as (
    select
        invoice_id,
        max(order_id) as order_id,
        max(customer_id) as customer_id,
        max(currency) as currency,
        max(source) as source,
        count(distinct order_id) as order_count,
        sum(case when is_total then amount end) as amount_total,
        -- Lines of which one has neither amount nor price add up to no total.
        case
            when count(case when not is_total and coalesce(amount, quantity * unit_price) is null then 1 end) = 0
                then sum(case when not is_total then coalesce(amount, quantity * unit_price) end)
        end as amount_lines,
        sum(case when not is_total then quantity end) as quantity,
        min(invoiced_at) as invoiced_at
    from {{ ref('int_invoice_lines_latest') }}
    group by invoice_id
)

select
    rolled_up.invoice_id,
    rolled_up.order_id,
    rolled_up.customer_id,
    rolled_up.currency,
    rolled_up.source,
    rolled_up.order_count,
    cast(coalesce(rolled_up.amount_total, rolled_up.amount_lines) as decimal(18, 4)) as amount,
    cast(rolled_up.quantity as decimal(18, 3)) as quantity,
    coalesce(rejected.last_rejected_at >= rolled_up.invoiced_at, false) as is_void,
    rolled_up.invoiced_at,
    rejected.rejected_at
from rolled_up
left join rejected on rolled_up.invoice_id = rejected.invoice_id
