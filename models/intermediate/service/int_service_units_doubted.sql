{{ config(materialized='incremental') }}
{#-
    Units of judgement whose verdict rests on missing words, with the verdicts they could have had. A piece that left and
    of whose arrival nothing is told counts as outside the window: at best it was inside. What a cancellation of unknown
    time or actor took is out: at worst it was ours, and short. Only units in doubt have a row; the verdicts in
    int_service_units_assessed always lie between the two.
-#}
with assessed as (
    select
        *,
        base_quantity * (1 - tolerance_low) as enough,
        base_quantity * (1 + tolerance_high) as too_much
    from {{ ref('int_service_units_assessed') }}
    where
        is_due
        and (exclusion_reason is null or exclusion_reason in ('cancel_time_unknown', 'cancel_actor_unknown'))
),

unproven as (
    select
        assessed.order_id,
        assessed.line_id,
        assessed.profile_id,
        count(*) as pieces_unproven,
        coalesce(sum(pieces.quantity), 0) as quantity_unproven
    from assessed
    inner join {{ ref('int_order_line_pieces_matched') }} as pieces
        on assessed.order_id = pieces.order_id and assessed.line_id = pieces.line_id
    where
        assessed.exclusion_reason is null
        and pieces.is_shipped
        and case
            when assessed.measured_event = 'accepted' then pieces.accepted_at
            else coalesce(pieces.delivered_at, pieces.arrived_at)
        end is null
    group by assessed.order_id, assessed.line_id, assessed.profile_id
),

doubted as (
    select
        assessed.*,
        coalesce(unproven.pieces_unproven, 0) as pieces_unproven,
        coalesce(unproven.quantity_unproven, 0) as quantity_unproven
    from assessed
    left join unproven
        on
            assessed.order_id = unproven.order_id
            and assessed.line_id = unproven.line_id
            and assessed.profile_id = unproven.profile_id
    where assessed.quantity_unsure > 0 or unproven.pieces_unproven > 0
)

select
    order_id,
    line_id,
    profile_id,
    exclusion_reason is not null as is_left_out,
    pieces_unproven,
    cast(quantity_unproven as decimal(18, 3)) as quantity_unproven,
    quantity_unsure,
    is_in_full or (quantity_by_end < enough and quantity_by_end + quantity_unproven >= enough) as is_in_full_best,
    is_otif or (quantity_in_window < enough and quantity_in_window + quantity_unproven >= enough) as is_otif_best,
    is_in_full and quantity_unsure = 0 and (too_much is null or quantity_by_end + quantity_unproven <= too_much)
        as is_in_full_worst,
    is_otif and quantity_unsure = 0 and (too_much is null or quantity_by_end + quantity_unproven <= too_much)
        as is_otif_worst
from doubted
