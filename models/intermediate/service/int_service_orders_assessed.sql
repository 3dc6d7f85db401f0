{{ config(materialized='incremental', in_pieces=true, by_capture_day=true) }}
{#-
    Verdicts per order and profile (G11): on time when every piece of every judged line was inside its window and there
    was at least one; in full and OTIF when every judged line was. Excluded lines leave the order; an order whose lines
    are all excluded is excluded. It is due with its last line.
-#}
with lines as (
    select
        *,
        exclusion_reason is null as is_counted
    from {{ ref('int_service_units_assessed') }}
),

rolled_up as (
    select
        order_id,
        profile_id,
        max(case when is_headline then 1 else 0 end) = 1 as is_headline,
        max(case when is_bridge_step then 1 else 0 end) = 1 as is_bridge_step,
        count(nullif(line_id, '')) as line_count,
        count(case when is_counted then 1 end) as units_counted,
        count(case when is_counted and line_id <> '' then 1 end) as lines_due,
        count(case when is_counted and not is_due then 1 end) as units_not_due,
        count(case when is_counted and is_provisional then 1 end) as units_provisional,
        count(case when is_counted and quantity_by_end is null then 1 end) as units_unknown,
        max(exclusion_reason) as exclusion_reason,
        max(captured_date) as captured_date,
        max(case when is_counted then due_date end) as due_date,
        max(due_date) as any_due_date,
        min(case when is_counted then window_start_at end) as window_start_at,
        max(case when is_counted then window_end_at end) as window_end_at,
        sum(case when is_counted then base_original end) as base_original,
        sum(case when is_counted then base_revised end) as base_revised,
        sum(case when is_counted then base_quantity end) as base_quantity,
        sum(case when is_counted then quantity_in_window end) as quantity_in_window,
        sum(case when is_counted then quantity_by_end end) as quantity_by_end,
        sum(case when is_counted then quantity_first_pass end) as quantity_first_pass,
        sum(case when is_counted then pieces else 0 end) as pieces,
        sum(case when is_counted then pieces_in_window else 0 end) as pieces_in_window,
        count(case when is_counted and is_in_full then 1 end) as lines_in_full,
        count(case when is_counted and is_otif then 1 end) as lines_otif,
        count(case when is_counted and is_first_pass then 1 end) as lines_first_pass
    from lines
    group by order_id, profile_id
),

decided as (
    select
        *,
        units_counted > 0 and units_not_due = 0 as is_due,
        units_unknown = 0 as is_fill_known
    from rolled_up
)

select
    order_id,
    profile_id,
    case when units_counted = 0 then exclusion_reason end as exclusion_reason,
    line_count,
    lines_due,
    case when is_due and is_fill_known then lines_in_full end as lines_in_full,
    case when is_due and is_fill_known then lines_otif end as lines_otif,
    cast(base_original as decimal(18, 3)) as base_original,
    cast(base_revised as decimal(18, 3)) as base_revised,
    cast(base_quantity as decimal(18, 3)) as base_quantity,
    cast(case when is_fill_known then quantity_in_window end as decimal(18, 3)) as quantity_in_window,
    cast(case when is_fill_known then quantity_by_end end as decimal(18, 3)) as quantity_by_end,
    cast(case when is_fill_known then quantity_first_pass end as decimal(18, 3)) as quantity_first_pass,
    is_headline,
    is_bridge_step,
    is_due,
    is_due and units_provisional > 0 as is_provisional,
    case when is_due then pieces > 0 and pieces_in_window = pieces end as is_on_time,
    case when is_due and is_fill_known then lines_in_full = units_counted end as is_in_full,
    case when is_due and is_fill_known then lines_otif = units_counted end as is_otif,
    case when is_due and is_fill_known then lines_first_pass = units_counted end as is_first_pass,
    captured_date,
    coalesce(due_date, any_due_date) as due_date,
    window_start_at,
    window_end_at
from decided
