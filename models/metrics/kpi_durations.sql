{{ config(
    materialized='incremental', orderless=true, ticks='ended_at is null',
    fixed_inputs=['int_receipts_consolidated']
) }}
{#-
    Every stage that a KPI of hours measures: orders (K5), returns (K9), receipts (K13). An open stage has no end and no
    hours; how long it has been open stands in censored_hours, so that Kaplan-Meier figures can use it. Negative times
    are kept as not valid and belong to the data quality list.
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
        captured_date as cohort_date,
        started_at,
        ended_at
    from {{ ref('fct_order_stages') }}
),

-- Net of what the customer asked for or owes (SCOR RS.1.1): the wait for a later ship window and holds he has to end.
customer_holds as (
    select
        order_id,
        sum({{ hours_between('placed_at', 'released_at') }}) as hold_hours
    from {{ ref('int_order_holds_paired') }}
    where hold_type in ('address', 'payment') and released_at is not null
    group by order_id
),

windows as (
    select
        order_id,
        min(ship_window_start_at) as ship_window_start_at
    from {{ ref('fct_order_lines') }}
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
        stages.captured_date as cohort_date,
        least(
            {{ add_hours(
                "greatest(stages.started_at, coalesce(windows.ship_window_start_at, stages.started_at))",
                'coalesce(customer_holds.hold_hours, 0)'
            ) }},
            coalesce(stages.ended_at, {{ as_of() }})
        ) as started_at,
        stages.ended_at
    from {{ ref('fct_order_stages') }} as stages
    left join windows on stages.order_id = windows.order_id
    left join customer_holds on stages.order_id = customer_holds.order_id
    where stages.stage_id = 'capture_to_deliver'
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
            {{ company_date(start) }} as cohort_date,
            {{ start }} as started_at,
            {{ finish }} as ended_at
        from {{ ref('fct_returns') }}
        where
            {{ start }} is not null
            {%- if finish == "restocked_at" %}
                and coalesce(disposition, 'restock_a') = 'restock_a'
            {%- endif %}
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
        {{ company_date('receipts.checked_in_at') }} as cohort_date,
        receipts.checked_in_at as started_at,
        receipts.received_at as ended_at
    from {{ ref('int_receipts_consolidated') }} as receipts
    left join {{ ref('skus') }} as skus on receipts.sku = skus.sku
    where receipts.checked_in_at is not null
),

combined as (
    select * from order_stages
    union all
    select * from net_stages
    union all
    select return_stages.*
    from return_stages
    inner join {{ ref('int_return_stages_told') }} as told on return_stages.stage_id = told.stage_id
    union all
    select * from receipt_stages
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
    cast({{ hours_between('started_at', 'ended_at') }} as double) as hours,
    cast(
        case when ended_at is null then greatest({{ hours_between('started_at', as_of()) }}, 0) end as double
    ) as censored_hours,
    coalesce(ended_at >= started_at, true) as is_valid,
    cohort_date,
    started_at,
    ended_at
from combined
