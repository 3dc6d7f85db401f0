{#-
    Every shipment that needs a ship notice with its partner's deadline (seed asn_deadlines). A missing or rejected
    notice is late; one that came after the goods is late whatever the deadline says.
-#}
with rules as (
    select
        asns.order_id,
        asns.tracking_number,
        deadlines.basis,
        deadlines.hours,
        deadlines.local_time,
        deadlines.clock_zone,
        row_number() over (
            partition by asns.order_id, asns.tracking_number
            order by case when deadlines.customer_id is null then 1 else 0 end, deadlines.effective_from desc
        ) as position
    from {{ ref('int_asns_matched') }} as asns
    inner join {{ ref('asn_deadlines') }} as deadlines
        on
            coalesce(deadlines.customer_id, asns.customer_id) = asns.customer_id
            and coalesce(deadlines.effective_from, date '0001-01-01') <= {{ company_date('asns.shipped_at') }}
            and coalesce(deadlines.effective_to, date '9999-12-31') >= {{ company_date('asns.shipped_at') }}
),

placed as (
    select
        asns.*,
        rules.basis,
        rules.hours,
        rules.local_time,
        rules.clock_zone,
        cast({{ to_local('asns.shipped_at', "coalesce(rules.clock_zone, 'UTC')") }} as date) as shipped_local_date
    from {{ ref('int_asns_matched') }} as asns
    left join rules
        on
            asns.order_id = rules.order_id
            and asns.tracking_number = rules.tracking_number
            and rules.position = 1
),

morrows as (
    select
        *,
        cast(cast(cast({{ add_days('shipped_local_date', 1) }} as date) as varchar) || ' ' || local_time as timestamp)
            as next_day_local,
        coalesce(arrived_at, timestamp '9999-12-31 00:00:00') as at_the_latest
    from placed
),

dated as (
    select
        *,
        case
            when basis = 'arrived' then {{ add_hours('arrived_at', 'hours') }}
            when basis = 'next_day' then least({{ to_utc('next_day_local', 'clock_zone') }}, at_the_latest)
            else least({{ add_hours('shipped_at', 'hours') }}, at_the_latest)
        end as deadline_at
    from morrows
)

select
    *,
    coalesce(deadline_at <= {{ as_of() }}, false) as is_asn_due,
    coalesce(asn_accepted_at <= deadline_at, false) as is_asn_timely,
    -- In time only if the partner took a notice that he has not answered.
    coalesce(asn_accepted_at <= deadline_at, false) and not coalesce(asn_proven_at <= deadline_at, false)
        as is_asn_unproven
from dated
