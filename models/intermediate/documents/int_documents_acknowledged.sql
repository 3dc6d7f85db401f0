{#-
    Every business document with the 997 (or 999) that answers its syntax and the 824 that judges its content. A 997 names
    group and set, never the interchange; control numbers restart, so an answer belongs to the youngest document of its
    number that went before it. An 824 without controls names the business number. Leading zeros of control numbers mean
    nothing: a number that was padded comes back without.
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
        set_control,
        trim(leading '0' from coalesce(group_control, '')) as group_number,
        trim(leading '0' from coalesce(set_control, '')) as set_number,
        source,
        event_at as exchanged_at,
        lead(event_at) over (
            partition by
                partner_id, direction, document_type,
                trim(leading '0' from coalesce(group_control, '')),
                trim(leading '0' from coalesce(set_control, ''))
            order by event_at, event_id
        ) as number_used_again_at
    from {{ ref('int_document_events_identified') }}
    where event_type in ('document.sent', 'document.received') and document_type not in ('997', '999', 'TA1')
),

answers as (
    select
        partner_id,
        document_type,
        direction,
        document_id,
        trim(leading '0' from coalesce(group_control, '')) as group_number,
        trim(leading '0' from coalesce(set_control, '')) as set_number,
        coalesce(answered_by, '997') = '824' as is_about_content,
        coalesce(status, case when event_type = 'document.rejected' then 'R' else 'A' end) as answer_status,
        reason,
        event_at as answered_at
    from {{ ref('int_document_events_identified') }}
    where event_type in ('document.acknowledged', 'document.rejected')
),

-- What a partner has never answered, he does not answer by habit.
habits as (
    select distinct
        partner_id,
        direction
    from answers
    where not is_about_content
),

acknowledgements as (
    select
        documents.event_id,
        answers.answer_status as ack_status,
        answers.reason as ack_reason,
        answers.answered_at as acknowledged_at,
        row_number() over (
            partition by documents.event_id
            order by
                case when answers.set_number = documents.set_number then 0 else 1 end,
                answers.answered_at,
                answers.answer_status
        ) as position
    from documents
    inner join answers
        on
            documents.partner_id = answers.partner_id
            and documents.direction = answers.direction
            and documents.document_type = answers.document_type
            and documents.group_number = answers.group_number
            and answers.set_number in ('', documents.set_number)
            and documents.exchanged_at <= answers.answered_at
            and (
                documents.number_used_again_at is null
                or documents.number_used_again_at > answers.answered_at
            )
    where not answers.is_about_content
),

-- By controls where the advice gives them, by business number where it does not; a rejection outweighs an acceptance.
judged as (
    select
        documents.event_id,
        answers.answer_status,
        answers.reason,
        answers.answered_at
    from documents
    inner join answers
        on
            documents.partner_id = answers.partner_id
            and documents.direction = answers.direction
            and documents.group_number = answers.group_number
            and answers.set_number in ('', documents.set_number)
            and answers.document_type in (documents.document_type, 'unknown')
            and documents.exchanged_at <= answers.answered_at
            and (
                documents.number_used_again_at is null
                or documents.number_used_again_at > answers.answered_at
            )
    where answers.is_about_content and answers.group_number <> ''
    union all
    select
        documents.event_id,
        answers.answer_status,
        answers.reason,
        answers.answered_at
    from documents
    inner join answers
        on
            documents.partner_id = answers.partner_id
            and documents.direction = answers.direction
            and documents.document_type = answers.document_type
            and documents.document_id = answers.document_id
            and documents.exchanged_at <= answers.answered_at
    where answers.is_about_content and answers.group_number = ''
),

judgements as (
    select
        *,
        row_number() over (
            partition by event_id
            order by
                case answer_status when 'R' then 0 when 'P' then 1 when 'E' then 2 else 3 end, answered_at, reason
        ) as position
    from judged
)

select
    documents.event_id as document_key,
    documents.partner_id,
    documents.document_type,
    documents.direction,
    documents.document_id,
    documents.order_id,
    documents.interchange_control,
    documents.group_control,
    coalesce(documents.set_control, '') as set_control,
    documents.source,
    acknowledgements.ack_status,
    acknowledgements.ack_reason,
    judgements.answer_status as application_status,
    judgements.reason as application_reason,
    habits.partner_id is not null as is_ack_expected,
    documents.exchanged_at,
    acknowledgements.acknowledged_at,
    judgements.answered_at as judged_at
from documents
left join acknowledgements on documents.event_id = acknowledgements.event_id and acknowledgements.position = 1
left join judgements on documents.event_id = judgements.event_id and judgements.position = 1
left join habits on documents.partner_id = habits.partner_id and documents.direction = habits.direction
