{#-
    The profiles that judge the orders of a channel, customer and capture day. The most specific assignments win as a
    set: channel and customer, then channel, then the default. Customers without rows of their own share the key ''.
-#}
with assignments as (
    select
        profile_id,
        nullif(channel, '') as channel,
        nullif(customer_id, '') as customer_id,
        is_headline,
        effective_from,
        effective_to
    from {{ ref('profile_assignments') }}
),

named_customers as (
    select distinct customer_id
    from assignments
    where customer_id is not null
),

cohorts as (
    select distinct
        orders.channel,
        coalesce(named_customers.customer_id, '') as customer_key,
        orders.captured_date
    from {{ ref('int_orders_consolidated') }} as orders
    left join named_customers on orders.customer_id = named_customers.customer_id
),

matches as (
    select
        cohorts.channel,
        cohorts.customer_key,
        cohorts.captured_date,
        assignments.profile_id,
        assignments.is_headline,
        case when assignments.customer_id is not null then 2 else 0 end
        + case when assignments.channel is not null then 1 else 0 end as specificity
    from cohorts
    inner join assignments
        on
            (assignments.channel is null or cohorts.channel = assignments.channel)
            and (assignments.customer_id is null or cohorts.customer_key = assignments.customer_id)
            and cohorts.captured_date >= coalesce(assignments.effective_from, date '0001-01-01')
            and cohorts.captured_date <= coalesce(assignments.effective_to, date '9999-12-31')
),

ranked as (
    select
        *,
        max(specificity) over (partition by channel, customer_key, captured_date) as most_specific
    from matches
)

select
    ranked.channel,
    ranked.customer_key,
    ranked.captured_date,
    ranked.profile_id,
    profiles.lens,
    profiles.measured_event,
    profiles.quantity_base,
    coalesce(profiles.quantity_tolerance_low, 0) as tolerance_low,
    profiles.quantity_tolerance_high as tolerance_high,
    coalesce(profiles.start_shift_days, 0) as start_shift_days,
    coalesce(profiles.end_shift_days, 0) as end_shift_days,
    coalesce(profiles.maturity_days, 0) as maturity_days,
    coalesce(profiles.provisional_days, 0) as provisional_days,
    ranked.is_headline,
    profiles.early_is_fail
from ranked
inner join {{ ref('service_profiles') }} as profiles
    on
        ranked.profile_id = profiles.profile_id
        and ranked.captured_date >= coalesce(profiles.effective_from, date '0001-01-01')
        and ranked.captured_date <= coalesce(profiles.effective_to, date '9999-12-31')
where ranked.specificity = ranked.most_specific
