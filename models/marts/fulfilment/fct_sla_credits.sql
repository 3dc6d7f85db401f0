{#-
    Credits to claim by what was agreed (seed sla_terms): in a week in which a node or carrier stayed below its target,
    every miss that counts is worth the agreed credit. Nothing agreed, nothing claimed. `raw` terms count every miss,
    `adjusted` ones leave out the excused. A week counts once it is over.
-#}
with due as (
    select
        clocks.*,
        terms.basis,
        terms.target,
        terms.credit_amount,
        terms.currency as credit_currency,
        terms.basis = 'raw' or clocks.is_counted as is_in_score
    from {{ ref('fct_sla_clocks') }} as clocks
    inner join {{ ref('sla_terms') }} as terms
        on
            clocks.clock = terms.clock
            and clocks.party_id = terms.party_id
            and clocks.due_date >= coalesce(terms.effective_from, date '0001-01-01')
            and clocks.due_date <= coalesce(terms.effective_to, date '9999-12-31')
    where
        clocks.is_due
        and clocks.due_week + interval '7' day <= {{ as_of_date() }}
        and terms.target is not null
        and terms.credit_amount is not null
),

scored as (
    select
        *,
        count(case when is_in_score then 1 end) over (partition by clock, party_id, due_week, basis) as cases,
        count(case when is_in_score and is_kept then 1 end) over (partition by clock, party_id, due_week, basis) as kept
    from due
)

select
    clock,
    party_id,
    order_id,
    subject_id,
    basis,
    credit_currency as currency,
    cast(target as double) as target,
    cast(credit_amount as decimal(18, 4)) as credit_amount,
    cast(cases as bigint) as cases,
    cast(kept as bigint) as kept,
    due_date,
    due_week,
    due_at,
    stopped_at
from scored
where is_in_score and not is_kept and kept < cases * target
