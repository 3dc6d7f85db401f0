{{ config(materialized='view', by_order=true) }}
{#-
    Was the paperwork of an order complete, right and in time (SCOR RL.2.3)? Wholesale: no document of it is wrong
    (int_orders_disputed). Elsewhere: every piece that left had a tracking number and was scanned under it.
-#}
with pieces as (
    select
        order_id,
        max(case when tracking_number is null or accepted_at is null then 1 else 0 end) = 1 as is_untracked
    from {{ ref('fct_shipment_lines') }}
    where not is_voided and coalesce(ship_confirmed_at, label_at, accepted_at) is not null
    group by order_id
)

select
    orders.order_id,
    coalesce(disputed.is_asn_failed, false) as is_asn_failed,
    coalesce(disputed.is_document_rejected, false) as is_document_rejected,
    coalesce(disputed.is_document_unanswered, false) as is_document_unanswered,
    coalesce(disputed.is_invoice_disputed, false) as is_invoice_disputed,
    orders.channel_type <> 'wholesale' and coalesce(pieces.is_untracked, false) as is_untracked
from {{ ref('fct_orders') }} as orders
left join {{ ref('int_orders_disputed') }} as disputed on orders.order_id = disputed.order_id
left join pieces on orders.order_id = pieces.order_id
