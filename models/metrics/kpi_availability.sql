with unmet as (
    select distinct
        requirements.kpi_id,
        requirements.requirement_id,
        requirements.reason_if_missing
    from {{ ref('kpi_requirements') }} as requirements
    left join {{ ref('int_requirements_tested') }} as tested
        on requirements.requirement_id = tested.requirement_id
    where not coalesce(tested.is_met, false)
),

reasons as (
    select
        kpi_id,
        -- Before any order has landed, what orders do not tell is no news.
        coalesce(
            max(case when requirement_id = 'has_orders' then reason_if_missing end),
            replace({{ join_text('reason_if_missing', '; ') }}, '; the source gives no ', '; no ')
        ) as reason
    from unmet
    group by kpi_id
)

select
    catalogue.kpi_id,
    reasons.reason,
    reasons.kpi_id is null as is_available
from {{ ref('kpi_catalogue') }} as catalogue
left join reasons on catalogue.kpi_id = reasons.kpi_id
