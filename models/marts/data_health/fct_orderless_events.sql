{#-
    Events behind KPI rows that may belong to no order, by the key of their row in kpi_facts: receipts, documents,
    invoices, deductions and the money of a currency. Events of orders stand in fct_events.
-#}
with finance as (
    select
        *,
        coalesce(currency, '{{ var("company_currency") }}') as row_currency
    from {{ ref('int_finance_events_identified') }}
),

combined as (
    select
        concat_ws(' ', 'check_in_to_stock', receipt_id, sku, node_id) as row_key,
        event_id,
        event_type,
        source,
        source_ref,
        batch_id,
        event_at
    from {{ ref('stg_landing__inventory_events') }}
    where receipt_id is not null
    union all
    select
        event_id as row_key,
        event_id,
        event_type,
        source,
        source_ref,
        batch_id,
        event_at
    from {{ ref('int_document_events_identified') }}
    union all
    select
        'invoice ' || document_id as row_key,
        event_id,
        event_type,
        source,
        source_ref,
        batch_id,
        event_at
    from finance
    where event_type like 'invoice.%' and document_id is not null
    union all
    select
        'deduction ' || deductions.deduction_id as row_key,
        finance.event_id,
        finance.event_type,
        finance.source,
        finance.source_ref,
        finance.batch_id,
        finance.event_at
    from {{ ref('fct_deductions') }} as deductions
    inner join finance on deductions.document_id = finance.document_id
    union all
    select
        row_currency as row_key,
        event_id,
        event_type,
        source,
        source_ref,
        batch_id,
        event_at
    from finance
    where event_type in ('invoice.sent', 'deduction.taken', 'cash.applied')
)

select distinct
    row_key,
    event_id,
    event_type,
    source,
    source_ref,
    batch_id,
    event_at
from combined
