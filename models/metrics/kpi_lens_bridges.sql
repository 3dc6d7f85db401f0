{#-
    The way from one lens's figure to another's: numerators and denominators per step, from the starting profile (step 0)
    over the profiles between them to the last, and from orders to the units or cases that the last profile counts. The
    rules are exchanged on the orders that both profiles judge; what only one of them judges has steps of its own. So the
    steps lead from the one published figure to the other, and each change comes from what its step names.
-#}
{%- set names = ["date basis", "measured event", "early is a miss", "quantity base", "maturity"] %}
with judged as (
    select
        assessed.*,
        orders.channel,
        {{ kpi_customer("orders.") }} as customer_id
    from {{ ref('int_service_orders_assessed') }} as assessed
    inner join {{ ref('fct_orders') }} as orders on assessed.order_id = orders.order_id
    where assessed.is_due and assessed.exclusion_reason is null
),

steps as (
    {%- for number in range(names | length + 4) %}
        select
            bridge_id,
            {{ number }} as step_number,
            {%- if number == 0 %}
                'start' as step,
                from_profile as profile_id,
                false as is_common
            {%- elif number == 1 %}
                'orders in common' as step,
                from_profile as profile_id,
                true as is_common
            {%- elif number <= names | length + 1 %}
                '{{ names[number - 2] }}' as step,
                bridge_id || '#{{ number - 1 }}' as profile_id,
                true as is_common
            {%- else %}
                '{{ "orders of the second alone" if number == names | length + 2 else "level" }}' as step,
                to_profile as profile_id,
                false as is_common
            {%- endif %}
        from {{ ref('lens_bridges') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

common as (
    select distinct
        bridges.bridge_id,
        judged.order_id
    from {{ ref('lens_bridges') }} as bridges
    inner join judged on bridges.from_profile = judged.profile_id
    inner join judged as ends on bridges.to_profile = ends.profile_id and judged.order_id = ends.order_id
),

-- Whose orders the bridge is about: the customers that both profiles are assigned to.
customers as (
    select distinct
        common.bridge_id,
        judged.channel,
        judged.customer_id
    from common
    inner join judged on common.order_id = judged.order_id
),

levels as (
    select
        profile_id,
        max(level) as level
    from {{ ref('service_profiles') }}
    group by profile_id
),

told as (
    select
        steps.bridge_id,
        steps.step_number,
        steps.step,
        judged.due_date as period_date,
        judged.channel,
        judged.customer_id,
        case
            when steps.step <> 'level' or levels.level = 'order' then case when judged.is_otif then 1 else 0 end
            else judged.quantity_in_window
        end as numerator,
        case
            when steps.step <> 'level' or levels.level = 'order' then case when judged.is_otif is not null then 1 end
            else judged.base_quantity
        end as denominator
    from steps
    inner join judged on steps.profile_id = judged.profile_id
    inner join customers
        on
            steps.bridge_id = customers.bridge_id
            and judged.channel = customers.channel
            and judged.customer_id = customers.customer_id
    left join common on steps.bridge_id = common.bridge_id and judged.order_id = common.order_id
    left join levels on steps.profile_id = levels.profile_id
    where not steps.is_common or common.order_id is not null
)

select
    bridge_id,
    step,
    channel,
    customer_id,
    cast(step_number as integer) as step_number,
    cast(sum(numerator) as double) as numerator,
    cast(sum(denominator) as double) as denominator,
    cast(count(denominator) as bigint) as orders,
    period_date
from told
where denominator is not null
group by bridge_id, step, channel, customer_id, step_number, period_date
