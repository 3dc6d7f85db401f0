{{ config(alias='kpi_catalogue') }}
with current_targets as (
    select
        kpi_id,
        max(target) as target
    from {{ ref('kpi_targets') }}
    where
        channel = ''
        and coalesce(effective_from, date '0001-01-01') <= {{ as_of_date() }}
        and coalesce(effective_to, date '9999-12-31') >= {{ as_of_date() }}
    group by kpi_id
)

select
    catalogue.kpi_id,
    catalogue.kpi_name,
    catalogue.definition,
    catalogue.spec_id,
    catalogue.unit,
    catalogue.numerator,
    catalogue.denominator,
    catalogue.grain,
    catalogue.cohort_date,
    cast(catalogue.display_order as bigint) as display_order,
    current_targets.target,
    catalogue.higher_is_better,
    catalogue.is_tile
from {{ ref('kpi_catalogue') }} as catalogue
left join current_targets on catalogue.kpi_id = current_targets.kpi_id
