{{ config(materialized='incremental', ticks='is_provisional and claims_end_date <= as_of_date') }}
{#-
    The perfect order (SCOR RL.1.1, K3): every order due under its headline profile with the four components, and what
    failed first. A claim found within 30 days of delivery demotes the order, never its OTIF (G15).
-#}
with claims as (
    select
        order_id,
        max(case when reason_class = 'fulfilment_error' then 1 else 0 end) = 1 as has_wrong_item,
        max(case when reason_class in ('damaged', 'defective') then 1 else 0 end) = 1 as has_bad_condition
    from {{ ref('int_return_claims') }}
    group by order_id
),

judged as (
    select
        assessed.order_id,
        assessed.currency,
        {{ dimensions("assessed.") }},
        assessed.is_in_full and not coalesce(claims.has_wrong_item, false) as is_complete,
        assessed.is_on_time,
        not documented.is_asn_failed
        and not documented.is_document_rejected
        and not documented.is_document_unanswered
        and not documented.is_invoice_disputed
        and not documented.is_untracked as is_documented,
        not coalesce(claims.has_bad_condition, false) as is_sound,
        coalesce(claims.has_wrong_item, false) as has_wrong_item,
        case
            when documented.is_asn_failed then 'asn_late'
            when documented.is_document_rejected then 'document_rejected'
            when documented.is_document_unanswered then 'document_unanswered'
            when documented.is_invoice_disputed then 'invoice_disputed'
            when documented.is_untracked then 'no_tracking'
        end as document_fault,
        assessed.due_date,
        cast(
            coalesce({{ company_date('orders.delivered_at') }}, assessed.due_date)
            + interval '1' day * {{ var('claim_days', 30) }} as date
        ) as claims_end_date
    from {{ ref('fct_order_assessments') }} as assessed
    inner join {{ ref('fct_orders') }} as orders on assessed.order_id = orders.order_id
    inner join {{ ref('int_orders_documented') }} as documented on assessed.order_id = documented.order_id
    left join claims on assessed.order_id = claims.order_id
    where
        assessed.is_headline and assessed.is_due and assessed.exclusion_reason is null
        and assessed.is_in_full is not null
)

select
    order_id,
    currency,
    {{ dimensions() }},
    case
        when not is_on_time then 'not_on_time'
        when not is_complete and has_wrong_item then 'wrong_item'
        when not is_complete then 'not_in_full'
        when not is_documented then document_fault
        when not is_sound then 'bad_condition'
    end as first_fault,
    is_complete,
    is_on_time,
    is_documented,
    is_sound,
    is_complete and is_on_time and is_documented and is_sound as is_perfect,
    claims_end_date > {{ as_of_date() }} as is_provisional,
    claims_end_date,
    due_date
from judged
