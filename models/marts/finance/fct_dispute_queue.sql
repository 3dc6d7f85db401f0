{#-
    Deductions that can still be disputed or wait for an answer, the most expected money per hour of work first. What is
    valid by our own facts is worth nothing and comes last; where the past tells too little the row is unrated and ranks
    by deadline behind the rated ones.
-#}
with terms as (
    select
        customer_id,
        attempts_allowed,
        row_number() over (partition by customer_id order by effective_from desc) as position
    from {{ ref('dispute_terms') }}
    where
        coalesce(effective_from, date '0001-01-01') <= {{ as_of_date() }}
        and coalesce(effective_to, date '9999-12-31') >= {{ as_of_date() }}
),

efforts as (
    select
        violation,
        effort_hours
    from {{ ref('dispute_efforts') }}
),

candidates as (
    select
        deductions.*,
        verdicts.verdict,
        verdicts.verdict_reason,
        verdicts.first_broken_link,
        coalesce(verdicts.disputable_amount, deductions.amount) as disputable_amount,
        terms.attempts_allowed,
        coalesce(own_effort.effort_hours, common_effort.effort_hours) as effort_hours,
        coalesce(odds.violation_resolved, 0) as resolved_disputes,
        odds.min_resolved,
        odds.win_probability,
        deductions.dispute_due_at >= {{ as_of() }} as is_in_time
    from {{ ref('fct_deductions') }} as deductions
    inner join {{ ref('fct_deduction_verdicts') }} as verdicts on deductions.deduction_id = verdicts.deduction_id
    left join {{ ref('int_dispute_odds') }} as odds
        on
            deductions.customer_id = odds.customer_id
            and deductions.violation = odds.violation
            and verdicts.first_broken_link = odds.first_broken_link
    left join terms on deductions.customer_id = terms.customer_id and terms.position = 1
    left join efforts as own_effort on deductions.violation = own_effort.violation
    left join efforts as common_effort on common_effort.violation = '*'
),

placed as (
    select
        *,
        case
            when dispute_status = 'open' then 'waiting'
            when dispute_status = 'none' then 'to_file'
            else 'to_repeat'
        end as queue_state
    from candidates
    where
        dispute_status = 'open'
        or (dispute_status = 'none' and coalesce(is_in_time, true))
        or (
            dispute_status = 'lost' and coalesce(is_in_time, false) and verdict <> 'valid'
            and dispute_attempts < attempts_allowed
        )
),

valued as (
    select
        *,
        case
            when queue_state = 'waiting' then null
            when verdict = 'valid' then 0
            else win_probability * cast(disputable_amount as double)
        end as expected_value
    from placed
)

select
    deduction_id,
    order_id,
    customer_id,
    violation,
    first_broken_link,
    verdict,
    verdict_reason,
    queue_state,
    case
        when verdict = 'valid' then 'valid by our own facts: accept it'
        when win_probability is null
            then
                'unrated: ' || cast(resolved_disputes as varchar) || ' resolved disputes of '
                || customer_id || ' for ' || violation || ', at least '
                || coalesce(cast(min_resolved as varchar), 'some') || ' needed'
        else
            'from ' || cast(resolved_disputes as varchar) || ' resolved disputes of ' || customer_id || ' for '
            || violation
    end as probability_note,
    currency,
    cast(row_number() over (
        order by
            case
                when queue_state = 'waiting' then 3
                when expected_value is null then 1
                when expected_value = 0 then 2
                else 0
            end,
            expected_value / effort_hours desc nulls last,
            dispute_due_at asc nulls last,
            amount desc,
            deduction_id asc
    ) as bigint) as queue_rank,
    cast(resolved_disputes as bigint) as resolved_disputes,
    cast(dispute_attempts as integer) as attempts_used,
    cast(attempts_allowed as integer) as attempts_allowed,
    amount,
    cast(disputable_amount as decimal(18, 4)) as disputable_amount,
    win_probability,
    cast(effort_hours as double) as effort_hours,
    cast(expected_value as decimal(18, 4)) as expected_value,
    cast(expected_value / effort_hours as decimal(18, 4)) as expected_value_per_hour,
    cast(floor({{ hours_between(as_of(), 'dispute_due_at') }} / 24) as bigint) as days_to_deadline,
    taken_at,
    dispute_due_at
from valued
