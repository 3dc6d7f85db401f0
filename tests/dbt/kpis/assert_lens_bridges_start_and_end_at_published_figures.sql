-- Step 0 is the first profile's OTIF as published, the last step before the level the second's, for the same customers.
with bridged as (
    select
        bridges.bridge_id,
        bridges.channel,
        bridges.customer_id,
        case when bridges.step_number = 0 then pairs.from_profile else pairs.to_profile end as profile_id,
        sum(bridges.numerator) as numerator,
        sum(bridges.denominator) as denominator
    from {{ ref('kpi_lens_bridges') }} as bridges
    inner join {{ ref('lens_bridges') }} as pairs on bridges.bridge_id = pairs.bridge_id
    where bridges.step_number in (0, 7)
    group by all
),

published as (
    select
        profile_id,
        channel,
        customer_id,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref('kpi_values') }}
    where kpi_id = 'otif'
    group by profile_id, channel, customer_id
)

select
    bridged.*,
    published.numerator as published_numerator,
    published.denominator as published_denominator
from bridged
left join published
    on
        bridged.profile_id = published.profile_id
        and bridged.channel = published.channel
        and bridged.customer_id = published.customer_id
where
    published.numerator is null
    or bridged.numerator <> published.numerator
    or bridged.denominator <> published.denominator
