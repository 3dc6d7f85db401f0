{#-
    Every business document with the 997 that answers it. A 997 names group and set, never the interchange; control
    numbers restart, so an answer belongs to the youngest document of its number that went before it.
-#}
with documents as (
    select
        event_id,
        partner_id,
        document_type,
        direction,
        document_id,
        order_id,
        interchange_control,
        group_control,
        coalesce(set_control, '') as set_control,
        source,
        event_at as exchanged_at,
        lead(event_at) over (
            partition by partner_id, direction, document_type, group_control, coalesce(set_control, '')
            order by event_at, event_id
        ) as number_used_again_at
    from {{ ref('int_document_events_identified') }}
    where event_type in ('document.sent', 'document.received') and document_type <> '997'
),

answers as (
    select
        partner_id,
        document_type,
        direction,
        group_control,
        coalesce(set_control, '') as set_control,
        coalesce(status, case when event_type = 'document.rejected' then 'R' else 'A' end) as ack_status,
        reason,
        event_at as acknowledged_at
    from {{ ref('int_document_events_identified') }}
    where event_type in ('document.acknowledged', 'document.rejected')
),

-- What a partner has never answered, he does not answer by habit.
habits as (
    select distinct
        partner_id,
        direction
    from answers
),

matched as (
    select
        documents.*,
        answers.ack_status,
        answers.reason as ack_reason,
        answers.acknowledged_at,
        row_number() over (
            partition by documents.event_id
            order by
                case when answers.set_control = documents.set_control then 0 else 1 end,
                answers.acknowledged_at,
                answers.ack_status
        ) as position
    from documents
    left join answers
        on
            documents.partner_id = answers.partner_id
            and documents.direction = answers.direction
            and documents.document_type = answers.document_type
            and documents.group_control = answers.group_control
            and answers.set_control in ('', documents.set_control)
            and documents.exchanged_at <= answers.acknowledged_at
            and (
                documents.number_used_again_at is null
                or documents.number_used_again_at > answers.acknowledged_at
            )
)

select
    matched.event_id as document_key,
    matched.partner_id,
    matched.document_type,
    matched.direction,
    matched.document_id,
    matched.order_id,
    matched.interchange_control,
    matched.group_control,
    matched.set_control,
    matched.source,
    matched.ack_status,
    matched.ack_reason,
    habits.partner_id is not null as is_ack_expected,
    matched.exchanged_at,
    matched.acknowledged_at
from matched
left join habits on matched.partner_id = habits.partner_id and matched.direction = habits.direction
where matched.position = 1
