-- Exactly one profile of every assessed order is its headline.
select
    order_id,
    count(case when is_headline then 1 end) as headlines
from {{ ref('fct_order_assessments') }}
group by order_id
having count(case when is_headline then 1 end) <> 1
