{#-
    Every document's count of a line beside the count of the document before it that has one. Where an order has a
    document that leaves a line out, the document says zero about it. What is still on its way is not compared before the window or the cancel date has passed.
-#}
with spoken as (
    select
        *,
        case
            when max(quantity_confirmed) over (partition by order_id) is not null
                then coalesce(quantity_confirmed, 0)
        end as confirmed,
        case when max(quantity_noticed) over (partition by order_id) is not null then coalesce(quantity_noticed, 0) end
            as noticed,
        case
            when max(quantity_delivered) over (partition by order_id) is not null
                then coalesce(quantity_delivered, 0)
        end as delivered,
        case
            when max(quantity_invoiced) over (partition by order_id) is not null
                then coalesce(quantity_invoiced, 0)
        end as invoiced
    from {{ ref('int_chain_lines_counted') }}
),

expected as (
    select
        *,
        -- What the buyer took off after the answer is not expected any more.
        least(coalesce(confirmed, quantity_revised), quantity_revised) as notice_expected,
        coalesce(noticed, quantity_shipped) as delivery_expected,
        coalesce(open_quantity, 0) <= 0 or coalesce(end_at <= {{ as_of() }}, false) as is_complete
    from spoken
),

compared as (
    select
        *,
        case
            when quantity_received is not null or is_delivered then delivered
            else coalesce(noticed, quantity_shipped)
        end as invoice_expected
    from expected
)

select
    order_id,
    line_id,
    sku,
    channel,
    customer_id,
    currency,
    quantity_ordered,
    quantity_revised,
    confirmed as quantity_confirmed,
    quantity_backordered,
    notice_expected,
    noticed as quantity_noticed,
    quantity_shipped,
    delivery_expected,
    delivered as quantity_delivered,
    invoice_expected,
    invoiced as quantity_invoiced,
    price_ordered,
    price_invoiced,
    coalesce(confirmed < quantity_revised, false) as is_confirmed_short,
    coalesce((noticed <> notice_expected and is_complete) or noticed > notice_expected, false)
    or coalesce(noticed <> quantity_shipped and is_complete, false) as is_notice_off,
    coalesce(delivered <> delivery_expected and (quantity_received is not null or is_delivered), false)
        as is_delivery_off,
    coalesce(invoiced <> invoice_expected and is_complete, false) as is_invoice_off,
    coalesce(abs(price_invoiced - price_ordered) >= 0.01 and invoiced > 0, false) as is_price_off
from compared
