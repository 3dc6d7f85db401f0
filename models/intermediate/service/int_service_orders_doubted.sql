{{ config(materialized='incremental') }}
{#-
    Orders with a unit in doubt and the verdicts they could have had. `is_left_out`: nothing of the order is judged, and
    that only because of a cancellation of unknown time or actor.
-#}
with units as (
    select
        assessed.order_id,
        assessed.profile_id,
        assessed.exclusion_reason is null as is_counted,
        assessed.pieces,
        assessed.pieces_in_window,
        assessed.is_in_full,
        assessed.is_otif,
        coalesce(doubted.pieces_unproven, 0) as pieces_unproven,
        coalesce(doubted.is_left_out, false) as is_left_out,
        coalesce(doubted.is_in_full_best, assessed.is_in_full) as is_in_full_best,
        coalesce(doubted.is_otif_best, assessed.is_otif) as is_otif_best,
        coalesce(doubted.is_in_full_worst, assessed.is_in_full) as is_in_full_worst,
        coalesce(doubted.is_otif_worst, assessed.is_otif) as is_otif_worst
    from {{ ref('int_service_units_assessed') }} as assessed
    inner join (
        select distinct
            order_id,
            profile_id
        from {{ ref('int_service_units_doubted') }}
    ) as orders
        on assessed.order_id = orders.order_id and assessed.profile_id = orders.profile_id
    left join {{ ref('int_service_units_doubted') }} as doubted
        on
            assessed.order_id = doubted.order_id
            and assessed.line_id = doubted.line_id
            and assessed.profile_id = doubted.profile_id
),

rolled_up as (
    select
        order_id,
        profile_id,
        count(case when is_counted then 1 end) as units_counted,
        count(case when is_left_out then 1 end) as units_left_out,
        sum(case when is_counted then pieces else 0 end) as pieces,
        sum(case when is_counted then pieces_in_window + pieces_unproven else 0 end) as pieces_at_best,
        count(case when is_counted and is_in_full_best then 1 end) as is_in_full_best_units,
        count(case when is_counted and is_otif_best then 1 end) as is_otif_best_units,
        count(case when is_counted and is_in_full_worst then 1 end) as is_in_full_worst_units,
        count(case when is_counted and is_otif_worst then 1 end) as is_otif_worst_units
    from units
    group by order_id, profile_id
)

select
    order_id,
    profile_id,
    units_counted = 0 as is_left_out,
    pieces > 0 and pieces_at_best = pieces as is_on_time_best,
    is_in_full_best_units = units_counted as is_in_full_best,
    is_otif_best_units = units_counted as is_otif_best,
    is_in_full_worst_units = units_counted and units_left_out = 0 as is_in_full_worst,
    is_otif_worst_units = units_counted and units_left_out = 0 as is_otif_worst
from rolled_up
