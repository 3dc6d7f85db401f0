{#-
    The paper trail of every wholesale order in its fixed order 850 → 855 → 856 → POD → 810 → 812 → 820: what each
    document said, when, and whether it holds against the one before it. The first link that does not hold is where a
    dispute is decided.
-#}
with orders as (
    select *
    from {{ ref('int_chain_orders_counted') }}
),

deducted as (
    select
        order_id,
        count(*) as deductions,
        {{ join_text('document_id', ', ') }} as document_ids,
        sum(amount) as amount,
        min(taken_at) as taken_at
    from {{ ref('fct_deductions') }}
    where order_id is not null and amount > 0
    group by order_id
),

deduction_events as (
    select
        order_id,
        {{ first_known('event_id', then_by('event_at', 'event_id')) }} as event_id
    from {{ ref('int_finance_events_identified') }}
    where order_id is not null and event_type = 'deduction.taken'
    group by order_id
),

payments as (
    select
        coalesce(events.order_id, invoices.order_id) as order_id,
        sum(events.amount) as amount,
        min(events.event_at) as paid_at,
        {{ first_known('events.event_id', then_by('events.event_at', 'events.event_id')) }} as event_id,
        {{ join_text('events.document_id', ', ') }} as document_ids
    from {{ ref('int_finance_events_identified') }} as events
    left join {{ ref('fct_invoices') }} as invoices on events.reference_id = invoices.invoice_id
    where events.event_type = 'cash.applied'
    group by coalesce(events.order_id, invoices.order_id)
),

billed as (
    select
        order_id,
        case when count(*) = count(amount) then sum(amount) end as amount,
        {{ join_text('invoice_id', ', ') }} as document_ids,
        min(invoiced_at) as invoiced_at,
        bool_or(is_rejected) as is_rejected
    from {{ ref('fct_invoices') }}
    group by order_id
),

any_payment as (
    select count(*) > 0 as is_told
    from payments
),

facts as (
    select
        orders.*,
        coalesce(deducted.deductions, 0) as deductions,
        deducted.document_ids as deduction_ids,
        deducted.amount as deducted_amount,
        deducted.taken_at,
        deduction_events.event_id as deduction_event_id,
        payments.amount as paid_amount,
        payments.paid_at as cash_at,
        payments.event_id as payment_event_id,
        payments.document_ids as payment_ids,
        billed.amount as billed_amount,
        billed.document_ids as invoice_ids,
        coalesce(billed.is_rejected, false) as is_invoice_rejected,
        any_payment.is_told as is_payment_told
    from orders
    left join deducted on orders.order_id = deducted.order_id
    left join deduction_events on orders.order_id = deduction_events.order_id
    left join payments on orders.order_id = payments.order_id
    left join billed on orders.order_id = billed.order_id
    cross join any_payment
),

links as (
    select
        order_id,
        '850' as link,
        'Purchase order' as link_name,
        case when ordered_at is null then 'missing' else 'ok' end as verdict,
        cast(null as varchar) as note,
        order_id as document_ids,
        ordered_event_id as event_id,
        1 as link_position,
        quantity_ordered as quantity,
        cast(null as decimal(38, 3)) as expected_quantity,
        cast(null as decimal(38, 4)) as amount,
        ordered_at as happened_at,
        cast(null as timestamp) as deadline_at
    from facts
    union all
    select
        order_id,
        '855' as link,
        'Acknowledgement' as link_name,
        case
            when confirmed_at is null and not has_answers then 'not_expected'
            when
                confirmed_at is null
                and {{ add_hours('ordered_at', var('order_answer_hours', 48)) }} > {{ as_of() }}
                then 'not_due'
            when confirmed_at is null then 'missing'
            when lines_confirmed_short > 0 then 'quantity'
            else 'ok'
        end as verdict,
        case
            when lines_confirmed_short > 0
                then
                    {{ as_text('quantity_confirmed') }} || ' of ' || {{ counted('quantity_revised', 'unit') }}
                    || ' confirmed, ' || cast(lines_confirmed_short as varchar) || ' of '
                    || cast(line_count as varchar) || ' lines cut'
                    || coalesce(', ' || {{ as_text('quantity_backordered') }} || ' on backorder', '')
        end as note,
        cast(null as varchar) as document_ids,
        confirmed_event_id as event_id,
        2 as link_position,
        quantity_confirmed as quantity,
        quantity_revised as expected_quantity,
        cast(null as decimal(38, 4)) as amount,
        confirmed_at as happened_at,
        {{ add_hours('ordered_at', var('order_answer_hours', 48)) }} as deadline_at
    from facts
    union all
    select
        order_id,
        '856' as link,
        'Ship notice' as link_name,
        case
            when noticed_at is null and not has_notices then 'not_expected'
            when notices_missing > 0 then 'missing'
            when notices_late > 0 then 'late'
            when lines_notice_off > 0 then 'quantity'
            when noticed_at is null then 'not_due'
            else 'ok'
        end as verdict,
        concat_ws(
            '; ',
            case when notices_missing > 0 then cast(notices_missing as varchar) || ' shipments without a notice' end,
            case
                when notices_late > 0
                    then
                        cast(notices_late as varchar) || ' of ' || {{ counted('shipments', 'notice') }} || ' after '
                        || {{ as_stamp('notice_deadline_at') }}
            end,
            case
                when lines_notice_off > 0
                    then
                        {{ counted('lines_notice_off', 'line') }} || ' off: '
                        || {{ counted('quantity_noticed', 'unit') }}
                        || ' noticed, ' || {{ as_text('notice_expected') }} || ' expected, '
                        || coalesce({{ as_text('quantity_shipped') }}, 'unknown') || ' shipped'
            end
        ) as note,
        cast(null as varchar) as document_ids,
        noticed_event_id as event_id,
        3 as link_position,
        quantity_noticed as quantity,
        notice_expected as expected_quantity,
        cast(null as decimal(38, 4)) as amount,
        noticed_at as happened_at,
        notice_deadline_at as deadline_at
    from facts
    union all
    select
        order_id,
        'POD' as link,
        'Proof of delivery' as link_name,
        case
            when delivered_at is null and is_due then 'missing'
            when delivered_at is null then 'not_due'
            when is_due and quantity_delivered > quantity_by_end then 'late'
            when quantity_early > 0 then 'early'
            when lines_delivery_off > 0 then 'quantity'
            else 'ok'
        end as verdict,
        concat_ws(
            '; ',
            case
                when delivered_at is null and is_due
                    then 'nothing arrived by the end of the window ' || {{ as_stamp('window_end_at') }}
            end,
            case
                when is_due and quantity_delivered > quantity_by_end
                    then
                        {{ counted('quantity_delivered - quantity_by_end', 'unit') }} || ' after the window closed '
                        || {{ as_stamp('window_end_at') }}
            end,
            case
                when quantity_early > 0
                    then
                        {{ counted('quantity_early', 'unit') }} || ' before the window opened '
                        || {{ as_stamp('window_start_at') }}
            end,
            case
                when lines_delivery_off > 0
                    then
                        {{ counted('quantity_delivered', 'unit') }} || ' received of '
                        || {{ as_text('delivery_expected') }} || ' noticed'
            end
        ) as note,
        cast(null as varchar) as document_ids,
        delivered_event_id as event_id,
        4 as link_position,
        quantity_delivered as quantity,
        delivery_expected as expected_quantity,
        cast(null as decimal(38, 4)) as amount,
        delivered_at as happened_at,
        window_end_at as deadline_at
    from facts
    union all
    select
        order_id,
        '810' as link,
        'Invoice' as link_name,
        case
            when is_invoice_rejected then 'rejected'
            when invoiced_at is null and not has_invoices then 'not_expected'
            when
                invoiced_at is null and delivered_at is not null
                and {{ add_days('last_delivered_at', var('invoice_after_days', 7)) }} <= {{ as_of() }}
                then 'missing'
            when invoiced_at is null then 'not_due'
            when lines_price_off > 0 then 'price'
            when lines_invoice_off > 0 then 'quantity'
            when invoiced_at < coalesce(shipped_at, invoiced_at) then 'early'
            else 'ok'
        end as verdict,
        concat_ws(
            '; ',
            case when is_invoice_rejected then 'the partner rejected it' end,
            case
                when lines_price_off > 0
                    then
                        cast(lines_price_off as varchar) || ' lines at another price than ordered, '
                        || {{ as_text('price_difference') }} || ' in all'
            end,
            case
                when lines_invoice_off > 0
                    then
                        {{ counted('quantity_invoiced', 'unit') }} || ' invoiced of '
                        || {{ as_text('invoice_expected') }} || ' delivered'
            end,
            case when invoiced_at < shipped_at then 'sent before the goods left ' || {{ as_stamp('shipped_at') }} end
        ) as note,
        invoice_ids as document_ids,
        invoiced_event_id as event_id,
        5 as link_position,
        quantity_invoiced as quantity,
        invoice_expected as expected_quantity,
        billed_amount as amount,
        invoiced_at as happened_at,
        cast(null as timestamp) as deadline_at
    from facts
    union all
    select
        order_id,
        '812' as link,
        'Deduction' as link_name,
        case when deductions > 0 then 'deducted' else 'ok' end as verdict,
        case when deductions > 1 then cast(deductions as varchar) || ' deductions' end as note,
        deduction_ids as document_ids,
        deduction_event_id as event_id,
        6 as link_position,
        cast(null as decimal(38, 3)) as quantity,
        cast(null as decimal(38, 3)) as expected_quantity,
        deducted_amount as amount,
        taken_at as happened_at,
        cast(null as timestamp) as deadline_at
    from facts
    union all
    select
        order_id,
        '820' as link,
        'Payment' as link_name,
        case
            when cash_at is not null and paid_amount + coalesce(deducted_amount, 0) < billed_amount - 0.01
                then 'short_paid'
            when cash_at is not null and invoice_ids is not null and billed_amount is null then 'unavailable'
            when cash_at is not null then 'ok'
            when not is_payment_told then 'unavailable'
            else 'not_due'
        end as verdict,
        case
            when cash_at is not null and paid_amount + coalesce(deducted_amount, 0) < billed_amount - 0.01
                then
                    {{ as_text('paid_amount') }} || ' paid of ' || {{ as_text('billed_amount') }} || ' invoiced, '
                    || {{ as_text('coalesce(deducted_amount, 0)') }} || ' deducted with a reason'
            when cash_at is not null and invoice_ids is not null and billed_amount is null
                then 'an invoice states no amount'
            when not is_payment_told then 'no source tells of payments'
        end as note,
        payment_ids as document_ids,
        payment_event_id as event_id,
        7 as link_position,
        cast(null as decimal(38, 3)) as quantity,
        cast(null as decimal(38, 3)) as expected_quantity,
        paid_amount as amount,
        cash_at as happened_at,
        cast(null as timestamp) as deadline_at
    from facts
),

judged as (
    select
        *,
        verdict not in ('ok', 'not_due', 'not_expected', 'unavailable') as is_broken
    from links
),

placed as (
    select
        *,
        min(case when is_broken then link_position end) over (partition by order_id) as first_broken_position
    from judged
)

select
    placed.order_id,
    placed.link,
    placed.link_name,
    facts.customer_id,
    facts.channel,
    placed.verdict,
    case when placed.note = '' then null else placed.note end as note,
    coalesce(max(case when placed.link_position = placed.first_broken_position then placed.link end) over (
        partition by placed.order_id
    ), '(none)') as first_broken_link,
    placed.document_ids,
    placed.event_id,
    events.source,
    events.source_ref,
    facts.currency,
    cast(placed.link_position as integer) as link_position,
    cast(placed.quantity as decimal(18, 3)) as quantity,
    cast(placed.expected_quantity as decimal(18, 3)) as expected_quantity,
    cast(placed.amount as decimal(18, 4)) as amount,
    placed.is_broken,
    coalesce(placed.link_position = placed.first_broken_position, false) as is_first_broken,
    placed.happened_at,
    placed.deadline_at
from placed
inner join facts on placed.order_id = facts.order_id
left join {{ ref('fct_events') }} as events on placed.event_id = events.event_id
