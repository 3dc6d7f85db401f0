{{ config(materialized='incremental', in_pieces=true, by_capture_day=true) }}
{#- Pieces added up per order line. A quantity is null where the source states none; no shipment at all is zero. -#}
with pieces as (
    select
        order_id,
        line_id,
        node_id,
        carrier,
        quantity,
        is_shipped,
        shipped_at,
        accepted_at,
        coalesce(delivered_at, arrived_at) as delivered_at,
        min(case when is_shipped then shipped_at end) over (partition by order_id, line_id) as first_shipped_at
    from {{ ref('int_order_line_pieces_matched') }}
),

summed as (
    select
        order_id,
        line_id,
        {{ one_or_multiple("case when is_shipped then node_id end") }} as node_id,
        {{ one_or_multiple("case when is_shipped then carrier end") }} as carrier,
        coalesce(sum(case when is_shipped then quantity end), 0) as quantity_shipped,
        -- The first pass is everything that left on the day the line's first piece left.
        coalesce(sum(
            case
                when is_shipped and {{ company_date('shipped_at') }} = {{ company_date('first_shipped_at') }}
                    then quantity
            end
        ), 0) as quantity_shipped_first,
        coalesce(sum(case when delivered_at is not null then quantity end), 0) as quantity_delivered,
        count(case when is_shipped then 1 end) as pieces_shipped,
        count(case when is_shipped and accepted_at is not null then 1 end) as pieces_accepted,
        count(delivered_at) as pieces_delivered,
        count(case when quantity is null then 1 end) as pieces_unquantified,
        min(first_shipped_at) as first_shipped_at,
        min(accepted_at) as first_accepted_at,
        max(accepted_at) as last_accepted_at,
        max(delivered_at) as last_delivered_at
    from pieces
    group by order_id, line_id
)

select
    order_lines.order_id,
    order_lines.line_id,
    coalesce(nullif(summed.node_id, '(none)'), order_lines.node_id, '(none)') as node_id,
    coalesce(summed.carrier, '(none)') as carrier,
    coalesce(covered.has_quantity, false) and coalesce(summed.pieces_unquantified, 0) = 0 as is_quantity_known,
    coalesce(summed.quantity_shipped, 0) as quantity_shipped,
    coalesce(summed.quantity_shipped_first, 0) as quantity_shipped_first,
    coalesce(summed.quantity_delivered, 0) as quantity_delivered,
    coalesce(summed.pieces_shipped, 0) as pieces_shipped,
    coalesce(summed.pieces_accepted, 0) as pieces_accepted,
    coalesce(summed.pieces_delivered, 0) as pieces_delivered,
    order_lines.captured_date,
    summed.first_shipped_at,
    summed.first_accepted_at,
    summed.last_accepted_at,
    summed.last_delivered_at
from {{ ref('int_order_lines_consolidated') }} as order_lines
left join summed on order_lines.order_id = summed.order_id and order_lines.line_id = summed.line_id
left join {{ ref('int_order_sources_covered') }} as covered
    on order_lines.source = covered.source and order_lines.channel = covered.channel
