{{ config(materialized='incremental') }}
{#-
    Units of judgement whose verdict rests on missing words, with the verdicts they could have had. A piece that left and
    of whose arrival nothing is told counts as outside the window: at best it was inside. What a cancellation of unknown
    time or actor took is out: at worst it was ours, and short. Only units in doubt have a row; the verdicts in
    int_service_units_assessed always lie between the two.
-#}
with unproven as (
    select
        windowed.order_id,
        windowed.line_id,
        windowed.profile_id,
        count(*) as pieces_unproven,
        coalesce(sum(pieces.quantity), 0) as quantity_unproven
    from {{ ref('int_service_units_windowed') }} as windowed
    inner join {{ ref('int_order_line_pieces_matched') }} as pieces
        on windowed.order_id = pieces.order_id and windowed.line_id = pieces.line_id
    where
        windowed.is_due
        and windowed.exclusion_reason is null
        and pieces.is_shipped
        and case
            when windowed.measured_event = 'accepted' then pieces.accepted_at
            else coalesce(pieces.delivered_at, pieces.arrived_at)
        end is null
    group by windowed.order_id, windowed.line_id, windowed.profile_id
),

doubted as (
    select
        windowed.order_id,
        windowed.line_id,
        windowed.profile_id,
        windowed.base_quantity * (1 - windowed.tolerance_low) as enough,
        windowed.base_quantity * (1 + windowed.tolerance_high) as too_much,
        windowed.quantity_unsure,
        coalesce(unproven.pieces_unproven, 0) as pieces_unproven,
        coalesce(unproven.quantity_unproven, 0) as quantity_unproven
    from {{ ref('int_service_units_windowed') }} as windowed
    left join unproven
        on
            windowed.order_id = unproven.order_id
            and windowed.line_id = unproven.line_id
            and windowed.profile_id = unproven.profile_id
    where windowed.is_due and (windowed.quantity_unsure > 0 or unproven.pieces_unproven > 0)
)

select
    doubted.order_id,
    doubted.line_id,
    doubted.profile_id,
    assessed.exclusion_reason is not null as is_left_out,
    doubted.pieces_unproven,
    cast(doubted.quantity_unproven as decimal(18, 3)) as quantity_unproven,
    cast(doubted.quantity_unsure as decimal(18, 3)) as quantity_unsure,
    assessed.is_in_full
    or (
        assessed.quantity_by_end < doubted.enough
        and assessed.quantity_by_end + doubted.quantity_unproven >= doubted.enough
    ) as is_in_full_best,
    assessed.is_otif
    or (
        assessed.quantity_in_window < doubted.enough
        and assessed.quantity_in_window + doubted.quantity_unproven >= doubted.enough
    ) as is_otif_best,
    assessed.is_in_full
    and doubted.quantity_unsure = 0
    and (doubted.too_much is null or assessed.quantity_by_end + doubted.quantity_unproven <= doubted.too_much)
        as is_in_full_worst,
    assessed.is_otif
    and doubted.quantity_unsure = 0
    and (doubted.too_much is null or assessed.quantity_by_end + doubted.quantity_unproven <= doubted.too_much)
        as is_otif_worst
from doubted
inner join {{ ref('int_service_units_assessed') }} as assessed
    on
        doubted.order_id = assessed.order_id
        and doubted.line_id = assessed.line_id
        and doubted.profile_id = assessed.profile_id
where assessed.exclusion_reason is null or assessed.exclusion_reason in ('cancel_time_unknown', 'cancel_actor_unknown')
