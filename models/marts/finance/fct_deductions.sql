{{ config(materialized='compared') }}
with dispute_terms as (
    select
        retailer,
        effective_from,
        effective_to,
        min(dispute_days) as dispute_days
    from {{ ref('retailer_rules') }}
    where dispute_days is not null
    group by retailer, effective_from, effective_to
),

matched as (
    select
        deductions.*,
        invoices.amount as invoice_amount,
        invoices.shipped_date as invoice_shipped_date,
        invoices.invoice_id,
        coalesce(deductions.order_id, invoices.order_id) as matched_order_id,
        coalesce(deductions.customer_id, invoices.customer_id) as matched_customer_id
    from {{ ref('int_deductions_numbered') }} as deductions
    left join {{ ref('fct_invoices') }} as invoices on deductions.reference_id = invoices.invoice_id
),

-- Days to dispute by the rule book at the day of posting; the shortest of the retailer's rules, to be safe.
windows as (
    select
        matched.deduction_id,
        min(terms.dispute_days) as dispute_days
    from matched
    inner join dispute_terms as terms
        on
            matched.matched_customer_id = terms.retailer
            and coalesce(terms.effective_from, date '0001-01-01') <= {{ company_date('matched.taken_at') }}
            and coalesce(terms.effective_to, date '9999-12-31') >= {{ company_date('matched.taken_at') }}
    group by matched.deduction_id
),

-- A dispute of unnamed amount is about all of it; one that was won without an amount brought all of it back.
disputes as (
    select
        courses.deduction_number,
        courses.customer_id,
        courses.outcome,
        courses.filed_at,
        courses.resolved_at,
        courses.due_at,
        courses.attempts,
        coalesce(courses.disputed_amount, documents.document_amount) as disputed_amount,
        case
            when courses.recovered_amount is not null then courses.recovered_amount
            when courses.resolved_at is null then 0
            when courses.outcome = 'won' then coalesce(courses.disputed_amount, documents.document_amount)
            else 0
        end as recovered_amount
    from {{ ref('int_disputes_consolidated') }} as courses
    left join (
        select
            document_id,
            max(document_amount) as document_amount
        from {{ ref('int_deductions_numbered') }}
        group by document_id
    ) as documents on courses.deduction_number = documents.document_id
)

select
    matched.deduction_id,
    matched.document_id,
    matched.matched_order_id as order_id,
    matched.invoice_id,
    coalesce(orders.channel, '(none)') as channel,
    coalesce(orders.channel_type, '(none)') as channel_type,
    coalesce(matched.matched_customer_id, orders.customer_id, '(none)') as customer_id,
    coalesce(orders.node_id, '(none)') as node_id,
    coalesce(orders.region, '(none)') as region,
    matched.reason_code,
    coalesce(matched.violation, codes.violation, 'unmapped') as violation,
    violations.is_compliance,
    coalesce(matched.currency, orders.currency, '{{ var("company_currency") }}') as currency,
    case
        when disputes.resolved_at is not null then coalesce(disputes.outcome, 'open')
        when disputes.filed_at is not null then 'open'
        else 'none'
    end as dispute_status,
    matched.amount,
    matched.invoice_amount,
    -- A dispute is about the whole document: its reasons share it in proportion to their amounts.
    cast(
        coalesce(disputes.disputed_amount, 0) * matched.amount / nullif(matched.document_amount, 0) as decimal(18, 4)
    ) as disputed_amount,
    cast(
        coalesce(disputes.recovered_amount, 0) * matched.amount / nullif(matched.document_amount, 0) as decimal(18, 4)
    ) as recovered_amount,
    cast(coalesce(disputes.attempts, 0) as integer) as dispute_attempts,
    coalesce(
        {{ company_date('orders.accepted_at') }},
        matched.invoice_shipped_date,
        {{ company_date('matched.taken_at') }}
    ) as shipped_date,
    matched.taken_at,
    coalesce(disputes.due_at, matched.due_at, matched.taken_at + interval '24' hour * windows.dispute_days)
        as dispute_due_at,
    disputes.filed_at as disputed_at,
    disputes.resolved_at
from matched
left join windows on matched.deduction_id = windows.deduction_id
left join {{ ref('fct_orders') }} as orders on matched.matched_order_id = orders.order_id
left join {{ ref('violation_map') }} as codes on matched.reason_code = codes.partner_code
left join {{ ref('violations') }} as violations on coalesce(matched.violation, codes.violation) = violations.violation
left join disputes
    on
        matched.document_id = disputes.deduction_number
        and coalesce(disputes.customer_id, matched.matched_customer_id, '(none)')
        = coalesce(matched.matched_customer_id, '(none)')
