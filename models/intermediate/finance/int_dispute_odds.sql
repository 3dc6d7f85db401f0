{#-
    How disputes of a customer, violation and first broken link have ended, in shares of the disputed money, shrunk
    towards the level above: cell → customer and violation → customer → all → the prior of seed dispute_priors. The
    prior's weight is the weight of each level above. Below its min_resolved a customer and violation stays unrated.
-#}
with priors as (
    select
        *,
        prior_wins + prior_losses as weight
    from {{ ref('dispute_priors') }}
    where
        coalesce(effective_from, date '0001-01-01') <= {{ as_of_date() }}
        and coalesce(effective_to, date '9999-12-31') >= {{ as_of_date() }}
),

ends as (
    select
        deductions.customer_id,
        deductions.violation,
        coalesce(chains.first_broken_link, '(none)') as first_broken_link,
        case
            when deductions.resolved_at is null or coalesce(deductions.disputed_amount, 0) <= 0 then null
            else least(cast(deductions.recovered_amount / deductions.disputed_amount as double), 1)
        end as won_share
    from {{ ref('fct_deductions') }} as deductions
    left join {{ ref('fct_document_chains') }} as chains
        on deductions.order_id = chains.order_id and chains.link_position = 1
),

cells as (
    select
        customer_id,
        violation,
        first_broken_link,
        count(won_share) as resolved,
        coalesce(sum(won_share), 0) as won
    from ends
    group by customer_id, violation, first_broken_link
),

levels as (
    select
        *,
        sum(resolved) over (partition by customer_id, violation) as violation_resolved,
        sum(won) over (partition by customer_id, violation) as violation_won,
        sum(resolved) over (partition by customer_id) as customer_resolved,
        sum(won) over (partition by customer_id) as customer_won,
        sum(resolved) over () as all_resolved,
        sum(won) over () as all_won
    from cells
),

weighed as (
    select
        levels.*,
        coalesce(own.weight, common.weight) as weight,
        coalesce(own.min_resolved, common.min_resolved) as min_resolved,
        (coalesce(own.prior_wins, common.prior_wins) + levels.all_won)
        / (coalesce(own.weight, common.weight) + levels.all_resolved) as all_odds
    from levels
    left join priors as own on levels.customer_id = own.customer_id
    left join priors as common on common.customer_id = '*'
),

shrunk_to_customers as (
    select
        *,
        (weight * all_odds + customer_won) / (weight + customer_resolved) as customer_odds
    from weighed
),

shrunk_to_violations as (
    select
        *,
        (weight * customer_odds + violation_won) / (weight + violation_resolved) as violation_odds
    from shrunk_to_customers
)

select
    customer_id,
    violation,
    first_broken_link,
    cast(resolved as bigint) as resolved,
    cast(violation_resolved as bigint) as violation_resolved,
    cast(min_resolved as bigint) as min_resolved,
    cast(won as double) as won,
    case
        when violation_resolved >= min_resolved
            then cast(round((weight * violation_odds + won) / (weight + resolved), 6) as double)
    end as win_probability
from shrunk_to_violations
