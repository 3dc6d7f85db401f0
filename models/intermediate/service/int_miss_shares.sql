{{ config(
    materialized='incremental', in_pieces=true, by_capture_day=true, ticks='is_under_way', often_same=true
) }}
{#-
    The blame for a miss, shared by Shapley over the steps of the line's way: a step's share is how often it turns "in
    time" into "missed" when the delays are added one after the other, over all orders of adding them. All delays less
    `late_hours` is the slack that the line could have lost and still been in time; where that is negative, any delay was
    one too many. No delay at all is unknown, or for want of data where what would show one was not told. The shares of a line add up to 1. Grain is order_id, line_id, profile_id, step.

    The share of step i is the sum over all sets of steps S of v(S) * w, v(S) = 1 where the delays in S alone miss the
    window, w = (|S| - 1)! (n - |S|)! / n! where i is in S and -|S|! (n - |S| - 1)! / n! where it is not; n = 6
    (Shapley and Shubik 1954).
-#}
{%- set steps = ["hold", "wait", "detour", "pick", "pickup", "transit"] %}
{%- set factorials = [1, 1, 2, 6, 24, 120] %}
with delays as (
    select
        *,
        {{ steps | join('_hours + ') }}_hours as all_hours,
        -- A line that was short in time missed as well: then it took all of them.
        greatest(
            {{ steps | join('_hours + ') }}_hours
            - greatest(late_hours, 0.001),
            0
        ) as slack_hours,
        {% for step in steps %}
            case when {{ step }}_hours > 0 then 1 else 0 end{{ " +" if not loop.last }}
        {%- endfor %} as slow_steps
    from {{ ref('int_miss_delays') }}
),

bits as (
    select 0 as bit
    union all
    select 1 as bit
),

-- Every set of steps.
coalitions as (
    select
        {%- for step in steps %}
            {{ step }}.bit as has_{{ step }},
        {%- endfor %}
        {{ steps | join('.bit + ') }}.bit as size
    from bits as hold
        {%- for step in steps[1:] %}
        cross join bits as {{ step }}
        {%- endfor %}
),

weights as (
    {%- for size in range(7) %}
        select
            {{ size }} as size,
            {{ factorials[size - 1] * factorials[6 - size] / 720 if size > 0 else 0 }} as weight_with,
            {{ factorials[size] * factorials[5 - size] / 720 if size < 6 else 0 }} as weight_without
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- Only where more than two steps were slow do all sets have to be tried.
valued as (
    select
        delays.order_id,
        delays.line_id,
        delays.profile_id,
        coalitions.*
    from delays
    cross join coalitions
    where
        delays.slow_steps > 2
        and not delays.is_early
        and not delays.is_waiting
        and {% for step in steps %}
            coalitions.has_{{ step }} * delays.{{ step }}_hours{{ " +" if not loop.last }}
        {%- endfor %}
        > delays.slack_hours
),

shapley as (
    select
        valued.order_id,
        valued.line_id,
        valued.profile_id,
    {%- for step in steps %}
        sum(
            valued.has_{{ step }} * weights.weight_with - (1 - valued.has_{{ step }}) * weights.weight_without
        ) as {{ step }}_share{{ "," if not loop.last }}
    {%- endfor %}
    from valued
    inner join weights on valued.size = weights.size
    group by valued.order_id, valued.line_id, valued.profile_id
),

shared as (
    select
        delays.*,
    {%- for step in steps %}
        case
            when delays.is_early or delays.slow_steps = 0 then 0
            -- Units that never left were kept by one thing: what kept them longest.
            when delays.is_waiting
                then {{ {"hold": "case when delays.hold_hours >= delays.wait_hours then 1 else 0 end",
                             "wait": "case when delays.hold_hours >= delays.wait_hours then 0 else 1 end"}.get(step, 0) }}
            when delays.{{ step }}_hours = 0 then 0
            when delays.slow_steps = 1 then 1
            -- Of two, one takes all if it alone would have missed the window and the other one would not.
            when delays.slow_steps = 2
                then
                    0.5
                    + case when delays.{{ step }}_hours > delays.slack_hours then 0.5 else 0 end
                    - case when delays.all_hours - delays.{{ step }}_hours > delays.slack_hours then 0.5 else 0 end
            else round(coalesce(shapley.{{ step }}_share, 0), 9)
        end as {{ step }}_share{{ "," if not loop.last }}
    {%- endfor %}
    from delays
    left join shapley
        on
            delays.order_id = shapley.order_id
            and delays.line_id = shapley.line_id
            and delays.profile_id = shapley.profile_id
),

-- The step with the largest share, of equals the one that cost most hours, then the earliest.
told as (
    select
        *,
        {{ steps | join('_share + ') }}_share as all_shares,
        case
            {%- for step in steps[:-1] %}
                when
                    true
                    {%- for other in steps[loop.index:] %}
                        and ({{ step }}_share, {{ step }}_hours) >= ({{ other }}_share, {{ other }}_hours)
                    {%- endfor %}
                    then {{ loop.index }}
            {%- endfor %}
            else {{ steps | length }}
        end as main_step
    from shared
)

select
    order_id,
    line_id,
    profile_id,
    is_headline,
    'early' as step,
    0 as step_order,
    'early_delivery' as miss_cause,
    'arrived before the window' as miss_evidence,
    cast(0 as double) as hours,
    cast(1 as double) as share,
    is_under_way,
    captured_date,
    true as is_main
from told
where is_early
union all
select
    order_id,
    line_id,
    profile_id,
    is_headline,
    'unknown' as step,
    9 as step_order,
    case when late_hours > 0 and facts_untold is not null then 'data' else 'unknown' end as miss_cause,
    coalesce(
        case when late_hours > 0 then concat('not told: ', facts_untold) end, 'no step of the way shows a loss'
    ) as miss_evidence,
    cast(0 as double) as hours,
    cast(1 as double) as share,
    is_under_way,
    captured_date,
    true as is_main
from told
where not is_early and slow_steps = 0
{%- set causes = {
    "hold": "case
            when hold_type in ('credit', 'fraud', 'address', 'payment') then 'hold_' || hold_type
            when hold_type = 'stock' then 'no_stock'
            else 'late_release'
        end",
    "wait": "wait_cause",
    "detour": "detour_cause",
    "pick": "'pick_pack_delay'",
    "pickup": "'missed_pickup'",
    "transit": "case when is_by_appointment then 'appointment' else 'carrier_transit' end",
} %}
{%- set words = {
    "hold": "concat(hold_type, ' hold ', cast(round(hold_hours) as integer), ' h')",
    "wait": "concat(
            case
                when is_short_at_release then 'left out when the order was released'
                when is_waiting then concat('not released, ', cast(round(wait_hours) as integer), ' h without')
                else concat('released ', cast(round(wait_hours) as integer), ' h late')
            end,
            case
                when wait_cause in ('no_stock', 'channel_reserved') and least_sellable is not null
                    then concat(', least sellable stock counted ', " ~ as_text('least_sellable') ~ ")
                else ''
            end,
            case
                when wait_cause = 'channel_reserved'
                    then concat(', least free for the channel ', " ~ as_text('least_free') ~ ")
                else ''
            end
        )",
    "detour": "concat('shipped from ', node_id, ' instead of ', nearest_node_id, ', ',
            cast(round(detour_hours / 24) as integer), ' days longer')",
    "pick": "concat(
            'packed ', cast(round(pick_hours / 24) as integer), ' days after its ',
            case when is_without_release then 'ship-by' else 'day' end
        )",
    "pickup": "concat('collected ', cast(round(pickup_hours / 24) as integer), ' days after packing')",
    "transit": "concat(
            case when is_by_appointment then 'in the dock''s slot ' else 'carrier ' end,
            cast(round(transit_hours) as integer),
            case
                when is_by_appointment then ' h after the window'
                when is_without_estimate then ' h longer than from ship-by to the end of the window'
                else ' h after its first estimate'
            end
        )",
} %}
{% for step in steps %}
    union all
    select
        order_id,
        line_id,
        profile_id,
        is_headline,
        '{{ step }}' as step,
        {{ loop.index }} as step_order,
        {{ causes[step] }} as miss_cause,
        {{ words[step] }} as miss_evidence,
        {{ step }}_hours as hours,
        -- The main step takes what rounding left over.
        case
            when main_step = {{ loop.index }}
                then round(1 - (all_shares - {{ step }}_share), 9)
            else {{ step }}_share
        end as share,
        is_under_way,
        captured_date,
        main_step = {{ loop.index }} as is_main
    from told
    where {{ step }}_share > 0
{% endfor %}
