{{ config(
    materialized='incremental', orderless=true, ticks='ended_at is null and exclusion_reason is null',
    fixed_inputs=['int_receipts_consolidated']
) }}
{#-
    Every stage that a KPI of hours measures: orders (K5), returns (K9), receipts (K13). What a node does with a return or
    a receipt counts by the hours it works, what it does with an order by these and by all hours; a node that seed nodes
    does not have works around the clock. An open stage has no end and no hours; how long it has been open stands in
    censored_hours, so that Kaplan-Meier figures can use it. Negative times are kept as not valid and belong to the data
    quality list. What ends otherwise (a cancelled order, a return that is not put on the shelf again) leaves the cohort
    with its reason: it has neither.
-#}
with order_stages as (
    select
        'cycle_time' as kpi_id,
        stage_id,
        order_id as subject,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        {{ dimensions() }},
        display_order,
        exclusion_reason,
        captured_date as cohort_date,
        started_at,
        ended_at
    from {{ ref('fct_order_stages') }}
),

-- Net of what the customer asked for or owes (SCOR RS.1.1): the wait for a later ship window and, after that, holds he
-- has to end. An hour is taken off once, however many of them cover it.
windows as (
    select
        order_id,
        min(ship_window_start_at) as ship_window_start_at
    from {{ ref('fct_order_lines') }}
    group by order_id
),

net_starts as (
    select
        stages.*,
        greatest(stages.started_at, coalesce(windows.ship_window_start_at, stages.started_at)) as net_started_at
    from {{ ref('fct_order_stages') }} as stages
    left join windows on stages.order_id = windows.order_id
    where stages.stage_id = 'capture_to_deliver'
),

customer_waits as (
    select
        net_starts.order_id,
        greatest(holds.placed_at, net_starts.net_started_at) as waited_from,
        least(coalesce(holds.released_at, {{ as_of() }}), coalesce(net_starts.ended_at, {{ as_of() }})) as waited_to
    from net_starts
    inner join {{ ref('int_order_holds_paired') }} as holds on net_starts.order_id = holds.order_id
    where holds.hold_type in ('address', 'payment')
),

customer_waits_covered as (
    select
        *,
        max(waited_to) over (
            partition by order_id
            order by waited_from, waited_to
            rows between unbounded preceding and 1 preceding
        ) as covered_to
    from customer_waits
    where waited_to > waited_from
),

customer_holds as (
    select
        order_id,
        sum({{ hours_between(
            'greatest(waited_from, coalesce(covered_to, waited_from))',
            'greatest(waited_to, coalesce(covered_to, waited_to))'
        ) }}) as hold_hours
    from customer_waits_covered
    group by order_id
),

net_stages as (
    select
        'cycle_time' as kpi_id,
        'capture_to_deliver_net' as stage_id,
        stages.order_id as subject,
        stages.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        {{ dimensions("stages.") }},
        stages.display_order + 100 as display_order,
        stages.exclusion_reason,
        stages.captured_date as cohort_date,
        least(
            {{ add_hours('stages.net_started_at', 'coalesce(customer_holds.hold_hours, 0)') }},
            coalesce(stages.ended_at, {{ as_of() }})
        ) as started_at,
        stages.ended_at
    from net_starts as stages
    left join customer_holds on stages.order_id = customer_holds.order_id
),

return_stages as (
    {%- for stage, (start, finish) in fromjson(return_stages()).items() %}
        select
            'return_cycle_time' as kpi_id,
            '{{ stage }}' as stage_id,
            rma_id || ' ' || line_id as subject,
            order_id,
            line_id,
            sku,
            {{ kpi_dimensions() }},
            {{ loop.index }} as display_order,
            {%- if finish == "restocked_at" %}
                case when coalesce(disposition, 'restock_a') <> 'restock_a' then 'not_restocked' end
                    as exclusion_reason,
            {%- else %}
                cast(null as varchar) as exclusion_reason,
            {%- endif %}
            {{ company_date(start) }} as cohort_date,
            {{ start }} as started_at,
            {{ finish }} as ended_at,
            {{ "received_node_id" if start == "received_at" else "cast(null as varchar)" }} as working_node_id
        from {{ ref('fct_returns') }}
        where {{ start }} is not null
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

receipt_stages as (
    select
        'dock_to_stock' as kpi_id,
        'check_in_to_stock' as stage_id,
        receipts.receipt_id || ' ' || receipts.sku || ' ' || receipts.node_id as subject,
        cast(null as varchar) as order_id,
        cast(null as varchar) as line_id,
        receipts.sku,
        '(none)' as channel,
        '(none)' as channel_type,
        '(none)' as customer_id,
        receipts.node_id,
        '(none)' as carrier,
        '(none)' as region,
        coalesce(skus.category, '(none)') as category,
        '(none)' as seller_id,
        1 as display_order,
        cast(null as varchar) as exclusion_reason,
        {{ company_date('receipts.checked_in_at') }} as cohort_date,
        receipts.checked_in_at as started_at,
        -- Put away in parts: what came is in stock with the last of them.
        receipts.last_received_at as ended_at,
        receipts.node_id as working_node_id
    from {{ ref('int_receipts_consolidated') }} as receipts
    left join {{ ref('skus') }} as skus on receipts.sku = skus.sku
    where receipts.checked_in_at is not null
),

-- What a warehouse does with an order, by its own hours beside the calendar's; of orders at one node that the seed has.
worked_stages as (
    select
        'cycle_time' as kpi_id,
        stages.stage_id || '_in_operating_hours' as stage_id,
        stages.order_id as subject,
        stages.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        {{ dimensions("stages.") }},
        stages.display_order + 200 as display_order,
        stages.exclusion_reason,
        stages.captured_date as cohort_date,
        stages.started_at,
        stages.ended_at,
        stages.node_id as working_node_id
    from {{ ref('fct_order_stages') }} as stages
    inner join {{ ref('nodes') }} as nodes on stages.node_id = nodes.node_id
    where stages.stage_id in ('release_to_pick', 'pick_to_pack', 'pack_to_accept')
),

node_stages as (
    select * from worked_stages
    union all
    select return_stages.*
    from return_stages
    inner join {{ ref('int_return_stages_told') }} as told on return_stages.stage_id = told.stage_id
    union all
    select * from receipt_stages
),

node_stages_dated as (
    select
        stages.*,
        coalesce(stages.ended_at, {{ as_of() }}) as looked_at,
        cast({{ to_local('stages.started_at', 'nodes.zone') }} as date) as started_date,
        cast({{ to_local('coalesce(stages.ended_at, ' ~ as_of() ~ ')', 'nodes.zone') }} as date) as looked_date
    from node_stages as stages
    left join {{ ref('nodes') }} as nodes on stages.working_node_id = nodes.node_id
),

node_stages_timed as (
    select
        stages.kpi_id,
        stages.stage_id,
        stages.subject,
        stages.order_id,
        stages.line_id,
        stages.sku,
        {{ dimensions("stages.") }},
        stages.display_order,
        stages.exclusion_reason,
        stages.cohort_date,
        stages.started_at,
        stages.ended_at,
        {{ hours_worked("looked", "stages.looked_at") }} - ({{ hours_worked("began", "stages.started_at") }})
            as hours_worked
    from node_stages_dated as stages
    left join {{ ref('int_node_days_opened') }} as began
        on stages.working_node_id = began.node_id and stages.started_date = began.local_date
    left join {{ ref('int_node_days_opened') }} as looked
        on stages.working_node_id = looked.node_id and stages.looked_date = looked.local_date
),

combined as (
    select
        *,
        cast(null as double) as hours_worked
    from order_stages
    union all
    select
        *,
        cast(null as double) as hours_worked
    from net_stages
    union all
    select * from node_stages_timed
)

select
    kpi_id,
    stage_id,
    subject,
    order_id,
    line_id,
    sku,
    {{ dimensions() }},
    cast(display_order as bigint) as display_order,
    exclusion_reason,
    cast(
        case
            when ended_at is not null and exclusion_reason is null
                then coalesce(hours_worked, {{ hours_between('started_at', 'ended_at') }})
        end as double
    ) as hours,
    cast(
        case
            when ended_at is null and exclusion_reason is null
                then greatest(coalesce(hours_worked, {{ hours_between('started_at', as_of()) }}), 0)
        end as double
    ) as censored_hours,
    coalesce(ended_at >= started_at, true) as is_valid,
    cohort_date,
    started_at,
    ended_at
from combined
