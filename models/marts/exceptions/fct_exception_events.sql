select
    exceptions.exception_id,
    events.event_id,
    events.event_type,
    events.summary,
    events.source,
    events.source_ref,
    events.event_at
from {{ ref('fct_exceptions') }} as exceptions
inner join {{ ref('exception_evidence') }} as evidence on exceptions.kind = evidence.kind
inner join {{ ref('fct_events') }} as events
    on
        exceptions.order_id = events.order_id
        and evidence.event_type = events.event_type
        and (exceptions.line_id is null or events.line_id is null or exceptions.line_id = events.line_id)
