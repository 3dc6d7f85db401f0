select
    document_key,
    partner_id,
    document_type,
    direction,
    document_id,
    order_id,
    interchange_control,
    group_control,
    set_control,
    coalesce(ack_status, case when is_ack_expected then 'missing' else 'not_expected' end) as ack_status,
    ack_reason,
    application_status,
    application_reason,
    {{ hours_between('exchanged_at', 'coalesce(acknowledged_at, ' ~ as_of() ~ ')') }} as age_hours,
    exchanged_at,
    acknowledged_at,
    judged_at
from {{ ref('int_documents_acknowledged') }}
