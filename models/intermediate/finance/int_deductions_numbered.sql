{#-
    One row per deduction and reason. A document with one reason keeps its number as id; further reasons of the
    same number (several adjustments in one 812, or two partners with the same number) get a suffix. A deduction that a
    debit memo (812) announced is not taken again by the remittance (820) that pays it.
-#}
with ranked as (
    select
        document_id,
        reference_id,
        order_id,
        customer_id,
        coalesce(reason_code, '(none)') as reason_code,
        violation,
        amount,
        currency,
        due_at,
        event_at,
        {{ json_text("attributes", "'$.remittance'") }} is not null as is_remitted,
        min(case when {{ json_text("attributes", "'$.remittance'") }} is null then 0 else 1 end) over (
            partition by document_id, customer_id
        ) = 0 as is_announced,
        rank() over (
            partition by document_id, customer_id, order_id, line_id, sku, reason_code, violation
            order by event_at desc, observed_at desc
        ) as recency
    from {{ ref('int_finance_events_identified') }}
    where event_type = 'deduction.taken'
),

rolled_up as (
    select
        document_id,
        customer_id,
        reason_code,
        max(reference_id) as reference_id,
        max(order_id) as order_id,
        max(violation) as violation,
        max(currency) as currency,
        sum(amount) as amount,
        min(due_at) as due_at,
        min(event_at) as taken_at
    from ranked
    where recency = 1 and not (is_remitted and is_announced)
    group by document_id, customer_id, reason_code
),

numbered as (
    select
        *,
        row_number() over (partition by document_id order by customer_id, reason_code) as position,
        sum(amount) over (partition by document_id, customer_id) as document_amount
    from rolled_up
)

select
    case when position = 1 then document_id else document_id || '#' || cast(position as varchar) end as deduction_id,
    document_id,
    customer_id,
    reference_id,
    order_id,
    reason_code,
    violation,
    currency,
    cast(amount as decimal(18, 4)) as amount,
    document_amount,
    due_at,
    taken_at
from numbered
