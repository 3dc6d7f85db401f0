-- Every missed line's blame is shared out, no more and no less.
select
    order_id,
    line_id,
    profile_id,
    sum(share) as shares
from {{ ref('fct_miss_causes') }}
group by order_id, line_id, profile_id
having abs(sum(share) - 1) > 0.000000000001
