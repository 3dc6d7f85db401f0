{#- The units and prices of a wholesale order line through its documents, with the first one that parts. -#}
select
    order_id,
    line_id,
    sku,
    customer_id,
    channel,
    currency,
    case
        when is_confirmed_short then '855'
        when is_notice_off then '856'
        when is_delivery_off then 'POD'
        when is_price_off or is_invoice_off then '810'
        else '(none)'
    end as first_broken_link,
    cast(quantity_ordered as decimal(18, 3)) as quantity_ordered,
    cast(quantity_revised as decimal(18, 3)) as quantity_revised,
    cast(quantity_confirmed as decimal(18, 3)) as quantity_confirmed,
    cast(quantity_noticed as decimal(18, 3)) as quantity_noticed,
    cast(quantity_shipped as decimal(18, 3)) as quantity_shipped,
    cast(quantity_delivered as decimal(18, 3)) as quantity_delivered,
    cast(quantity_invoiced as decimal(18, 3)) as quantity_invoiced,
    cast(price_ordered as decimal(18, 4)) as price_ordered,
    cast(price_invoiced as decimal(18, 4)) as price_invoiced
from {{ ref('int_chain_lines_compared') }}
