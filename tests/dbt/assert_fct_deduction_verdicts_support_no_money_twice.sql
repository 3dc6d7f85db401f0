-- Supported and disputable money are the whole deduction, and never less than nothing.
select
    deduction_id,
    'parts' as finding
from {{ ref('fct_deduction_verdicts') }}
where
    (verdict <> 'unrated' and supported_amount + disputable_amount <> amount)
    or supported_amount < 0
    or disputable_amount < 0
    or (verdict = 'unrated' and supported_amount is not null)
union all
-- Every deduction that was taken is judged once.
select
    deductions.deduction_id,
    'not judged' as finding
from {{ ref('fct_deductions') }} as deductions
left join {{ ref('fct_deduction_verdicts') }} as verdicts on deductions.deduction_id = verdicts.deduction_id
where deductions.amount > 0 and verdicts.deduction_id is null
