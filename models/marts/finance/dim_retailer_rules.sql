select
    retailer || ':' || program || ':' || violation || ':'
    || coalesce(cast(effective_from as varchar), 'always') as rule_key,
    retailer as customer_id,
    program,
    violation as rule_violation,
    basis,
    gate_metric,
    source,
    confidence,
    dispute_days,
    rate,
    flat as flat_amount,
    min as fine_min,
    max as fine_max,
    gate_min,
    gate_max,
    effective_from,
    effective_to
from {{ ref('retailer_rules') }}
