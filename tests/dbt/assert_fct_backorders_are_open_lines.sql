-- A backorder is an open line: same units, need date in the past.
select
    backorders.order_id,
    backorders.line_id
from {{ ref('fct_backorders') }} as backorders
left join {{ ref('fct_open_lines') }} as open_lines
    on backorders.order_id = open_lines.order_id and backorders.line_id = open_lines.line_id
where
    open_lines.order_id is null
    or open_lines.open_quantity <> backorders.open_quantity
    or open_lines.need_at <> backorders.need_at
    or backorders.need_at >= {{ as_of() }}
