{#-
    Was the paperwork of an order complete, right and in time (SCOR RL.2.3)? Wholesale: every ship notice before its
    deadline, none of our documents rejected or left without answer, the invoice accepted and paid as it stood.
    Elsewhere: every piece that left had a tracking number and was scanned under it.
-#}
with notices as (
    select
        order_id,
        max(case when is_asn_due and not is_asn_timely then 1 else 0 end) = 1 as is_asn_failed
    from {{ ref('int_asns_judged') }}
    group by order_id
),

documents as (
    select
        order_id,
        max(case when ack_status = 'R' then 1 else 0 end) = 1 as is_rejected,
        max(case when ack_status = 'missing' and age_hours > 24 then 1 else 0 end) = 1 as is_unanswered
    from {{ ref('fct_documents') }}
    where direction = 'out' and order_id is not null
    group by order_id
),

invoices as (
    select
        order_id,
        max(case when is_rejected then 1 else 0 end) = 1 as is_invoice_rejected
    from {{ ref('fct_invoices') }}
    where order_id is not null
    group by order_id
),

deductions as (
    select distinct order_id
    from {{ ref('fct_deductions') }}
    where order_id is not null and violation like 'invoice%'
),

pieces as (
    select
        order_id,
        max(case when tracking_number is null or accepted_at is null then 1 else 0 end) = 1 as is_untracked
    from {{ ref('fct_shipment_lines') }}
    where not is_voided and coalesce(ship_confirmed_at, label_at, accepted_at) is not null
    group by order_id
)

select
    orders.order_id,
    coalesce(notices.is_asn_failed, false) as is_asn_failed,
    coalesce(documents.is_rejected, false) as is_document_rejected,
    coalesce(documents.is_unanswered, false) as is_document_unanswered,
    coalesce(invoices.is_invoice_rejected, false) or deductions.order_id is not null as is_invoice_disputed,
    orders.channel_type <> 'wholesale' and coalesce(pieces.is_untracked, false) as is_untracked
from {{ ref('fct_orders') }} as orders
left join notices on orders.order_id = notices.order_id
left join documents on orders.order_id = documents.order_id
left join invoices on orders.order_id = invoices.order_id
left join deductions on orders.order_id = deductions.order_id
left join pieces on orders.order_id = pieces.order_id
