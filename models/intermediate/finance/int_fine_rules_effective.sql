{#- The rules of the book that a measured failure can answer, with the taxonomy and the kind of base. -#}
select
    rules.retailer || ':' || rules.program || ':' || rules.violation || ':'
    || coalesce(cast(rules.effective_from as varchar), 'always') as rule_key,
    rules.retailer,
    rules.violation as rule_violation,
    measures.measure,
    measures.grace_hours,
    rules.basis,
    rules.rate,
    coalesce(rules.flat, 0) as flat,
    rules.min as fine_min,
    rules.max as fine_max,
    rules.gate_metric,
    rules.gate_min,
    rules.gate_max,
    coalesce(rules.effective_from, date '0001-01-01') as effective_from,
    coalesce(rules.effective_to, date '9999-12-31') as effective_to
from {{ ref('retailer_rules') }} as rules
inner join {{ ref('fine_measures') }} as measures
    on
        rules.retailer = measures.retailer
        and rules.program = measures.program
        and rules.violation = measures.violation
