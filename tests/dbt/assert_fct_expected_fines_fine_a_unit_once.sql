-- On-time and in-full rules of one programme never take more than the line is worth.
select
    fines.order_id,
    fines.line_id,
    sum(fines.base_amount) as base_amount
from {{ ref('fct_expected_fines') }} as fines
inner join {{ ref('fct_order_lines') }} as lines
    on fines.order_id = lines.order_id and fines.line_id = lines.line_id
where fines.rule_key like 'walmart:otif:%'
group by fines.order_id, fines.line_id
having sum(fines.base_amount) > max(lines.base_revised * coalesce(lines.unit_price, lines.unit_cost)) + 0.01
