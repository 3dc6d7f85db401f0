-- Every invoice that landed is published once, at the total it stated last.
with landed as (
    select distinct document_id as invoice_id
    from {{ ref('stg_landing__finance_events') }}
    where event_type = 'invoice.sent'
)

select
    landed.invoice_id as landed_id,
    invoices.invoice_id as published_id
from landed
full outer join {{ ref('fct_invoices') }} as invoices on landed.invoice_id = invoices.invoice_id
where landed.invoice_id is null or invoices.invoice_id is null
