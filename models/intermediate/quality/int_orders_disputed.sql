{{ config(materialized='compared') }}
{#-
    Orders of whose documents one is wrong (SCOR RL.2.3): a ship notice after its deadline, a document of ours rejected or
    left without answer, an invoice rejected or not paid as it stood. Grain is order_id.
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

judged as (
    select
        order_id,
        is_asn_failed,
        false as is_rejected,
        false as is_unanswered,
        false as is_invoice_disputed
    from notices
    union all
    select
        order_id,
        false as is_asn_failed,
        is_rejected,
        is_unanswered,
        false as is_invoice_disputed
    from documents
    union all
    select
        order_id,
        false as is_asn_failed,
        false as is_rejected,
        false as is_unanswered,
        is_invoice_rejected as is_invoice_disputed
    from invoices
    union all
    select
        order_id,
        false as is_asn_failed,
        false as is_rejected,
        false as is_unanswered,
        true as is_invoice_disputed
    from deductions
)

select
    order_id,
    max(case when is_asn_failed then 1 else 0 end) = 1 as is_asn_failed,
    max(case when is_rejected then 1 else 0 end) = 1 as is_document_rejected,
    max(case when is_unanswered then 1 else 0 end) = 1 as is_document_unanswered,
    max(case when is_invoice_disputed then 1 else 0 end) = 1 as is_invoice_disputed
from judged
where is_asn_failed or is_rejected or is_unanswered or is_invoice_disputed
group by order_id
