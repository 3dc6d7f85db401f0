{#-
    The profiles that judge the orders of a channel, customer and capture day. The most specific assignments win as a
    set: channel and customer, then channel, then the default. Customers without rows of their own share the key ''.
    Beside them the steps of bridges between lenses (seed lens_bridges), as profiles of their own; figures of lenses leave
    them out.
-#}
{%- set columns = [
    "lens", "start_shift_days", "end_shift_days", "measured_event", "early_is_fail", "quantity_base", "tolerance_low",
    "tolerance_high", "maturity_days",
] %}
{%- set rule_of = {
    "lens": 1, "start_shift_days": 1, "end_shift_days": 1, "measured_event": 2, "early_is_fail": 3, "quantity_base": 4,
    "tolerance_low": 4, "tolerance_high": 4, "maturity_days": 5,
} %}
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
),

assigned as (
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
        -- Nothing is due before its window has ended; incremental builds count on it.
        greatest(coalesce(profiles.maturity_days, 0), 0) as maturity_days,
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
),

-- A step on the way from one profile to another has the rules changed so far from the latter, the rest from the former.
pairs as (
    select
        bridges.bridge_id,
        starts.channel,
        starts.customer_key,
        starts.captured_date,
        {%- for column in columns %}
            starts.{{ column }} as from_{{ column }},
            ends.{{ column }} as to_{{ column }},
        {%- endfor %}
        ends.provisional_days
    from {{ ref('lens_bridges') }} as bridges
    inner join assigned as starts on bridges.from_profile = starts.profile_id
    inner join assigned as ends
        on
            bridges.to_profile = ends.profile_id
            and starts.channel = ends.channel
            and starts.customer_key = ends.customer_key
            and starts.captured_date = ends.captured_date
),

bridge_steps as (
    {%- for number in range(1, 6) %}
        select
            channel,
            customer_key,
            captured_date,
            bridge_id || '#{{ number }}' as profile_id,
            {%- for column in columns %}
                {{ "to" if rule_of[column] <= number else "from" }}_{{ column }} as {{ column }},
            {%- endfor %}
            provisional_days
        from pairs
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    channel,
    customer_key,
    captured_date,
    profile_id,
    {%- for column in columns %}
        {{ column }},
    {%- endfor %}
    provisional_days,
    is_headline,
    false as is_bridge_step
from assigned
union all
select
    channel,
    customer_key,
    captured_date,
    profile_id,
    {%- for column in columns %}
        {{ column }},
    {%- endfor %}
    provisional_days,
    false as is_headline,
    true as is_bridge_step
from bridge_steps
