{{ config(
    materialized='incremental',
    in_pieces=true,
    by_capture_day=true,
    ticks='(is_provisional and settled_at <= as_of) or (not is_due and window_end_at <= as_of)'
) }}
{#-
    The verdict per unit of judgement and profile (K1, G7, G11): units inside the window and by its end, capped at the
    base, and pieces inside the window. A piece that left but has not arrived is a piece outside the window; a line
    from which nothing left has no piece. Flags are null while not due, when excluded, or where not measurable.
-#}
with windowed as (
    select * from {{ ref('int_service_units_windowed') }}
),

measured as (
    select
        windowed.order_id,
        windowed.line_id,
        windowed.profile_id,
        pieces.quantity,
        case windowed.measured_event
            when 'accepted' then pieces.accepted_at
            when 'arrived' then coalesce(pieces.arrived_at, pieces.delivered_at)
            else coalesce(pieces.delivered_at, pieces.arrived_at)
        end as measured_at,
        windowed.window_start_at,
        windowed.window_end_at,
        pieces.is_shipped
    from windowed
    inner join {{ ref('int_order_line_pieces_matched') }} as pieces
        on windowed.order_id = pieces.order_id and windowed.line_id = pieces.line_id
    where windowed.window_end_at is not null
),

placed as (
    select
        order_id,
        line_id,
        profile_id,
        quantity,
        measured_at,
        window_start_at,
        coalesce(measured_at < window_end_at, false) as is_by_end,
        coalesce(measured_at < window_end_at and measured_at >= coalesce(window_start_at, measured_at), false)
            as is_in_window
    from measured
    where is_shipped or measured_at is not null
),

summed as (
    select
        order_id,
        line_id,
        profile_id,
        count(*) as pieces,
        count(case when is_in_window then 1 end) as pieces_in_window,
        count(case when measured_at < window_start_at then 1 end) as pieces_early,
        count(case when not is_by_end then 1 end) as pieces_late,
        coalesce(sum(case when is_in_window then quantity end), 0) as quantity_in_window,
        coalesce(sum(case when is_by_end then quantity end), 0) as quantity_by_end
    from placed
    group by order_id, line_id, profile_id
),

judged as (
    select
        windowed.*,
        windowed.is_due and windowed.exclusion_reason is null as is_judged,
        windowed.is_quantity_known and windowed.base_quantity is not null as is_fill_known,
        coalesce(summed.pieces, 0) as pieces,
        coalesce(summed.pieces_in_window, 0) as pieces_in_window,
        coalesce(summed.pieces_early, 0) as pieces_early,
        coalesce(summed.pieces_late, 0) as pieces_late,
        coalesce(summed.quantity_in_window, 0) as arrived_in_window,
        coalesce(summed.quantity_by_end, 0) as arrived_by_end,
        windowed.base_quantity * (1 - windowed.tolerance_low) as enough,
        windowed.base_quantity * (1 + windowed.tolerance_high) as too_much
    from windowed
    left join summed
        on
            windowed.order_id = summed.order_id
            and windowed.line_id = summed.line_id
            and windowed.profile_id = summed.profile_id
)

select
    order_id,
    line_id,
    profile_id,
    sku,
    currency,
    {{ dimensions() }},
    measured_event,
    exclusion_reason,
    base_original,
    base_revised,
    base_quantity,
    cast(case when is_fill_known then least(arrived_in_window, base_quantity) end as decimal(18, 3))
        as quantity_in_window,
    cast(case when is_fill_known then least(arrived_by_end, base_quantity) end as decimal(18, 3)) as quantity_by_end,
    cast(case when is_fill_known then least(quantity_shipped_first, base_revised) end as decimal(18, 3))
        as quantity_first_pass,
    quantity_unsure,
    tolerance_low,
    tolerance_high,
    unit_price,
    unit_cost,
    pieces,
    pieces_in_window,
    pieces_early,
    pieces_late,
    is_headline,
    is_bridge_step,
    is_due,
    is_judged,
    is_provisional,
    case when is_judged then pieces > 0 and pieces_in_window = pieces end as is_on_time,
    case
        when is_judged and is_fill_known
            then arrived_by_end >= enough and (too_much is null or arrived_by_end <= too_much)
    end as is_in_full,
    case
        when is_judged and is_fill_known
            then arrived_in_window >= enough and (too_much is null or arrived_by_end <= too_much)
    end as is_otif,
    case when is_judged and is_fill_known then quantity_shipped_first >= base_revised * (1 - tolerance_low) end
        as is_first_pass,
    captured_date,
    due_date,
    window_start_at,
    window_end_at,
    settled_at
from judged
