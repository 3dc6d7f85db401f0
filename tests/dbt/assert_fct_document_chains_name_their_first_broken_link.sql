-- Every wholesale order has seven links, its first broken link is broken, and nothing before it is.
select
    order_id,
    count(*) as links
from {{ ref('fct_document_chains') }}
group by order_id
having
    count(*) <> 7
    or count(distinct first_broken_link) <> 1
    or sum(case when is_first_broken then 1 else 0 end) <> case when max(first_broken_link) = '(none)' then 0 else 1 end
    or min(case when is_broken then link_position end) <> min(case when is_first_broken then link_position end)
