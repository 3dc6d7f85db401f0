{#-
    A wholesale order as its documents tell it: units by document, lines that part from the document before, the first
    and last instant of each document, and whether the customer exchanges that document at all.
-#}
{%- set documents = {
    "ordered": "'order.captured'",
    "confirmed": "'order.promised'",
    "noticed": "'asn.sent'",
    "shipped": "'ship.confirmed', 'carrier.accepted'",
    "delivered": "'arrived', 'delivered', 'received'",
    "invoiced": "'invoice.sent'",
    "rejected": "'invoice.rejected'",
    "paid": "'cash.applied'",
} %}
with counted as (
    select
        order_id,
        max(channel) as channel,
        max(customer_id) as customer_id,
        max(currency) as currency,
        sum(quantity_ordered) as quantity_ordered,
        sum(quantity_revised) as quantity_revised,
        sum(quantity_confirmed) as quantity_confirmed,
        sum(quantity_backordered) as quantity_backordered,
        sum(notice_expected) as notice_expected,
        sum(quantity_noticed) as quantity_noticed,
        sum(quantity_shipped) as quantity_shipped,
        sum(delivery_expected) as delivery_expected,
        sum(quantity_delivered) as quantity_delivered,
        sum(invoice_expected) as invoice_expected,
        sum(quantity_invoiced) as quantity_invoiced,
        sum(case when is_price_off then (price_invoiced - price_ordered) * quantity_invoiced else 0 end)
            as price_difference,
        count(*) as line_count,
        sum(case when is_confirmed_short then 1 else 0 end) as lines_confirmed_short,
        sum(case when is_notice_off then 1 else 0 end) as lines_notice_off,
        sum(case when is_delivery_off then 1 else 0 end) as lines_delivery_off,
        sum(case when is_invoice_off then 1 else 0 end) as lines_invoice_off,
        sum(case when is_price_off then 1 else 0 end) as lines_price_off
    from {{ ref('int_chain_lines_compared') }}
    group by order_id
),

verdicts as (
    select
        order_id,
        max(case when is_due then 1 else 0 end) = 1 as is_due,
        sum(quantity_by_end - quantity_in_window) as quantity_early,
        sum(quantity_by_end) as quantity_by_end,
        min(window_start_at) as window_start_at,
        max(window_end_at) as window_end_at
    from {{ ref('fct_line_assessments') }}
    where is_headline
    group by order_id
),

notices as (
    select
        order_id,
        count(*) as shipments,
        sum(case when is_asn_due and asn_sent_at is null then 1 else 0 end) as notices_missing,
        sum(case when is_asn_due and not is_asn_timely and asn_sent_at is not null then 1 else 0 end) as notices_late,
        min(case when is_asn_due and not is_asn_timely then deadline_at end) as missed_deadline_at,
        max(deadline_at) as deadline_at
    from {{ ref('int_asns_judged') }}
    group by order_id
),

happened as (
    select
        events.order_id,
        {% for link, types in documents.items() %}
            min(case when events.event_type in ({{ types }}) then events.event_at end) as {{ link }}_at,
            max(case when events.event_type in ({{ types }}) then events.event_at end) as last_{{ link }}_at,
            {%- set told = "case when event_type in (" ~ types ~ ") then event_id end" %}
            {{ first_known(told, then_by("event_at", "event_id")) }} as {{ link }}_event_id,
        {% endfor %}
        count(*) as events
    from {{ ref('fct_events') }} as events
    inner join counted on events.order_id = counted.order_id
    group by events.order_id
),

-- A document that a customer has never seen or sent is not missing.
habits as (
    select
        counted.customer_id,
        max(case when happened.confirmed_at is not null then 1 else 0 end) = 1 as has_answers,
        max(case when happened.noticed_at is not null then 1 else 0 end) = 1 as has_notices,
        max(case when happened.invoiced_at is not null then 1 else 0 end) = 1 as has_invoices
    from counted
    inner join happened on counted.order_id = happened.order_id
    group by counted.customer_id
)

select
    counted.*,
    {% for link in documents %}
        happened.{{ link }}_event_id,
        happened.{{ link }}_at,
        happened.last_{{ link }}_at,
    {% endfor %}
    verdicts.quantity_early,
    verdicts.quantity_by_end,
    coalesce(notices.shipments, 0) as shipments,
    coalesce(notices.notices_missing, 0) as notices_missing,
    coalesce(notices.notices_late, 0) as notices_late,
    coalesce(verdicts.is_due, false) as is_due,
    coalesce(habits.has_answers, false) as has_answers,
    coalesce(habits.has_notices, false) as has_notices,
    coalesce(habits.has_invoices, false) as has_invoices,
    verdicts.window_start_at,
    verdicts.window_end_at,
    coalesce(notices.missed_deadline_at, notices.deadline_at) as notice_deadline_at
from counted
left join happened on counted.order_id = happened.order_id
left join verdicts on counted.order_id = verdicts.order_id
left join notices on counted.order_id = notices.order_id
left join habits on counted.customer_id = habits.customer_id
