-- Money is expected only where no gate holds it back; a rule that is held back is never charged.
select
    order_id,
    line_id,
    rule_key
from {{ ref('fct_expected_fines') }}
where (is_gated and coalesce(fine_amount, 0) <> 0) or fine_amount < 0
