{#-
    Is a deduction right? The claim of the partner against the landed facts and the rule book: valid, partly, disputable,
    or unrated where no fact or no public rate can tell. Deductions for the same trouble of an order share what supports
    it in the order they were taken: nothing supports two.
-#}
with claimed as (
    select
        deductions.*,
        case
            when deductions.violation in ('late_arrive', 'late_ship') then 'late'
            when deductions.violation in ('early_arrive', 'early_ship') then 'early'
            when deductions.violation = 'short_ship' then 'short'
            when deductions.violation in ('asn_late', 'asn_missing') then 'notice'
            when deductions.violation in ('asn_mismatch', 'carton_content') then 'content'
            when deductions.violation = 'over_ship' then 'over'
            when deductions.violation = 'invoice_price' then 'price'
            when deductions.violation = 'invoice_qty' then 'quantity'
        end as claim
    from {{ ref('fct_deductions') }} as deductions
    where deductions.amount > 0
),

supported as (
    select
        claimed.*,
        facts.claim_kind,
        facts.finding,
        facts.rule_key,
        facts.gate_note,
        facts.has_happened,
        facts.order_id is not null as is_known,
        coalesce(
            facts.supported_amount,
            -- The part that our own documents prove is right whatever a rule would add.
            case when facts.own_amount >= claimed.amount then facts.own_amount end
        ) as total_supported,
        coalesce(
            sum(claimed.amount) over (
                partition by claimed.order_id, facts.claim_kind
                order by claimed.taken_at, claimed.deduction_id
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as taken_before
    from claimed
    left join {{ ref('int_claims_supported') }} as facts
        on claimed.order_id = facts.order_id and claimed.claim = facts.claim
),

amounts as (
    select
        *,
        cast(round(least(greatest(total_supported - taken_before, 0), amount), 2) as decimal(18, 4)) as right_amount
    from supported
),

judged as (
    select
        *,
        case
            when order_id is null then 'unrated'
            when not is_known or total_supported is null then 'unrated'
            when right_amount >= amount - 0.01 then 'valid'
            when right_amount > 0 then 'partly'
            else 'disputable'
        end as verdict
    from amounts
)

select
    judged.deduction_id,
    judged.order_id,
    judged.customer_id,
    judged.violation,
    coalesce(chains.first_broken_link, '(none)') as first_broken_link,
    judged.verdict,
    case
        when judged.order_id is null then 'The deduction names no order and no invoice that we know.'
        when judged.claim is null then 'No landed fact can prove or disprove ' || judged.violation || '.'
        when not judged.is_known
            then 'The facts on this order are not complete enough to judge ' || judged.violation || '.'
        when judged.total_supported is null
            then
                'It happened: ' || judged.finding || '. '
                || coalesce(judged.gate_note, 'No public rule of ' || judged.customer_id || ' says what it costs')
                || '.'
        when not judged.has_happened then 'It did not happen: ' || judged.finding || '.'
        else
            'It happened: ' || judged.finding || '; rule book and documents support '
            || {{ as_text('judged.total_supported') }} || coalesce(' (' || judged.gate_note || ')', '')
            || case
                when judged.taken_before > 0
                    then ', of which ' || {{ as_text('judged.taken_before') }} || ' was taken before'
                else ''
            end || '.'
    end as verdict_reason,
    judged.rule_key,
    judged.currency,
    judged.amount,
    case when judged.verdict <> 'unrated' then judged.right_amount end as supported_amount,
    case when judged.verdict <> 'unrated' then cast(judged.amount - judged.right_amount as decimal(18, 4)) end
        as disputable_amount,
    judged.has_happened,
    judged.taken_at
from judged
left join {{ ref('fct_document_chains') }} as chains
    on judged.order_id = chains.order_id and chains.link_position = 1
