-- An exception is true now: its condition began at or before the as-of.
select
    exception_id,
    opened_at
from {{ ref('fct_exceptions') }}
where opened_at > {{ as_of() }}
