{#- Work with trading partners: unanswered documents, deductions about to become final, invoices with other prices. -#}
with ack_missing as (
    select
        'ack_missing' as kind,
        document_key as subject,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        'wholesale' as channel,
        partner_id as customer_id,
        cast(null as decimal(18, 4)) as money_at_risk,
        case
            when direction = 'out'
                then partner_id || ' has not acknowledged our ' || document_type || ' ' || coalesce(document_id, '')
            else
                'We have not acknowledged the ' || document_type || ' ' || coalesce(document_id, '') || ' of '
                || partner_id
        end as title,
        'Exchanged ' || {{ as_stamp('exchanged_at') }} || ', group ' || coalesce(group_control, '?') || ', set '
        || coalesce(set_control, '?') || ', no 997 for ' || {{ as_days('exchanged_at', as_of()) }} as evidence,
        exchanged_at + interval '24' hour as opened_at,
        cast(null as timestamp) as due_at
    from {{ ref('fct_documents') }}
    where
        ack_status = 'missing'
        and age_hours > 24
        and exchanged_at >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
),

dispute_expiring as (
    select
        'dispute_expiring' as kind,
        deduction_id as subject,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        case when node_id = '(none)' then null else node_id end as node_id,
        cast(null as varchar) as carrier,
        channel,
        customer_id,
        amount as money_at_risk,
        'Deduction ' || deduction_id || ' of ' || customer_id || ' can be disputed only until '
        || {{ as_stamp('dispute_due_at') }} as title,
        {{ as_text('amount') }} || ' ' || currency || ' taken ' || {{ as_stamp('taken_at') }} || ' for ' || violation
        || ' (' || reason_code || ')' || coalesce(' on invoice ' || invoice_id, '') || '; no dispute filed' as evidence,
        dispute_due_at - interval '1' day * 7 as opened_at,
        dispute_due_at as due_at
    from {{ ref('fct_deductions') }}
    where
        dispute_status = 'none'
        and amount > 0
        and dispute_due_at >= {{ as_of() }}
        and dispute_due_at < {{ as_of() }} + interval '1' day * 7
),

invoice_price_mismatch as (
    select
        'invoice_price_mismatch' as kind,
        invoices.invoice_id || ' ' || invoices.line_id as subject,
        invoices.order_id,
        invoices.line_id,
        lines.sku,
        lines.node_id,
        cast(null as varchar) as carrier,
        lines.channel,
        lines.customer_id,
        abs(invoices.unit_price - lines.unit_price) * coalesce(invoices.quantity, 0) as money_at_risk,
        'Invoice ' || invoices.invoice_id || ' charges another price than order ' || invoices.order_id
        || ' for ' || coalesce(lines.sku, 'line ' || invoices.line_id) as title,
        'Invoiced ' || {{ as_text('invoices.unit_price') }} || ' per unit, ordered at '
        || {{ as_text('lines.unit_price') }} || '; ' || {{ as_text('coalesce(invoices.quantity, 0)') }}
        || ' units, sent ' || {{ as_stamp('invoices.invoiced_at') }} as evidence,
        invoices.invoiced_at as opened_at,
        cast(null as timestamp) as due_at
    from {{ ref('int_invoice_lines_latest') }} as invoices
    inner join {{ ref('fct_order_lines') }} as lines
        on invoices.order_id = lines.order_id and invoices.line_id = lines.line_id
    where
        not invoices.is_total
        and not lines.is_excluded
        and abs(invoices.unit_price - lines.unit_price) >= 0.01
        and invoices.invoiced_at >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
)

select * from ack_missing
union all
select * from dispute_expiring
union all
select * from invoice_price_mismatch
