{{ config(materialized='view', by_order=true) }}
{#- Who answers for a miss, in shares that add up to one per missed line and profile. -#}
select
    shares.order_id,
    shares.line_id,
    shares.profile_id,
    shares.step,
    shares.miss_cause,
    shares.miss_evidence,
    {{ dimensions("assessed.") }},
    assessed.sku,
    shares.share,
    shares.hours as hours_lost,
    shares.is_headline,
    assessed.due_date
from {{ ref('int_miss_shares') }} as shares
inner join {{ ref('int_service_units_assessed') }} as assessed
    on
        shares.order_id = assessed.order_id
        and shares.line_id = assessed.line_id
        and shares.profile_id = assessed.profile_id
where assessed.line_id <> '' and assessed.is_due and assessed.exclusion_reason is null
