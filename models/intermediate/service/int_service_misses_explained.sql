{{ config(materialized='compared') }}
{#-
    One cause per missed line and profile: the step with the largest share of the blame, of equals the one that cost most
    hours, then the earliest. The order of evidence per step stands in `int_miss_delays`, the sharing in `int_miss_shares`.
-#}
with ranked as (
    select
        *,
        row_number() over (
            partition by order_id, line_id, profile_id
            order by share desc, hours desc, step_order asc
        ) as position
    from {{ ref('int_miss_shares') }}
)

select
    order_id,
    line_id,
    profile_id,
    is_headline,
    miss_cause,
    miss_evidence
from ranked
where position = 1
