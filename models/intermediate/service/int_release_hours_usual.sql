{{ config(materialized='compared') }}
{#-
    How long a release takes where nothing is wrong: three of four orders of the channel are as quick. Grain is channel.
-#}
select
    channel,
    {{ percentile('release_hours', 0.75) }} as usual_hours
from (
    select
        channel,
        {{ hours_between('captured_at', 'released_at') }} as release_hours
    from {{ ref('int_order_lines_balanced') }}
    where released_at >= captured_at and coalesce(ship_window_start_at, captured_at) <= captured_at
) as lags
group by channel
