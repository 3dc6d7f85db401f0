{#-
    The course of the dispute of every deduction number: attempts, last filed, last outcome. A dispute that was filed again
    after its answer waits for another one; what was won before stays won.
-#}
with ranked as (
    select
        event_type,
        coalesce(reference_id, document_id) as deduction_number,
        customer_id,
        amount,
        outcome,
        due_at,
        event_at,
        count(*) over (
            partition by coalesce(reference_id, document_id), customer_id, event_type
        ) as times,
        row_number() over (
            partition by coalesce(reference_id, document_id), customer_id, event_type
            order by event_at desc, observed_at desc, event_id asc
        ) as recency
    from {{ ref('int_finance_events_identified') }}
    where event_type in ('dispute.filed', 'dispute.resolved')
),

courses as (
    select
        deduction_number,
        max(customer_id) as customer_id,
        max(case when event_type = 'dispute.filed' then amount end) as disputed_amount,
        max(case when event_type = 'dispute.resolved' then amount end) as recovered_amount,
        max(case when event_type = 'dispute.resolved' then outcome end) as outcome,
        coalesce(max(case when event_type = 'dispute.filed' then times end), 0) as attempts,
        max(due_at) as due_at,
        max(case when event_type = 'dispute.filed' then event_at end) as filed_at,
        max(case when event_type = 'dispute.resolved' then event_at end) as resolved_at
    from ranked
    where recency = 1
    group by deduction_number
)

select
    deduction_number,
    customer_id,
    disputed_amount,
    recovered_amount,
    case when resolved_at >= coalesce(filed_at, resolved_at) then outcome end as outcome,
    attempts,
    due_at,
    filed_at,
    case when resolved_at >= coalesce(filed_at, resolved_at) then resolved_at end as resolved_at
from courses
