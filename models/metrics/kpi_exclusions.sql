{#- What was left out of a KPI, and why: nothing disappears in silence. -#}
with orders as (
    select
        profile_id,
        channel,
        {{ kpi_customer() }} as customer_id,
        coalesce(due_date, {{ company_date('captured_at') }}) as period_date,
        is_otif is null as is_fill_unknown,
        case
            when exclusion_reason is not null then exclusion_reason
            when not is_due then 'not_due'
        end as exclusion_reason
    from (
        select
            assessed.*,
            orders.captured_at
        from {{ ref('fct_order_assessments') }} as assessed
        inner join {{ ref('fct_orders') }} as orders on assessed.order_id = orders.order_id
    ) as assessments
),

order_lines as (
    select
        profile_id,
        channel,
        {{ kpi_customer() }} as customer_id,
        coalesce(due_date, {{ company_date('captured_at') }}) as period_date,
        is_otif is null as is_fill_unknown,
        case
            when exclusion_reason is not null then exclusion_reason
            when not is_due then 'not_due'
        end as exclusion_reason
    from (
        select
            assessed.*,
            order_lines.captured_at
        from {{ ref('fct_line_assessments') }} as assessed
        inner join {{ ref('fct_order_lines') }} as order_lines
            on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
    ) as assessments
),

counted as (
    select
        'orders' as counted_as,
        *,
        count(*) as observations
    from orders
    group by all
    union all
    select
        'lines' as counted_as,
        *,
        count(*) as observations
    from order_lines
    group by all
),

service as (
    select
        kpis.kpi_id,
        counted.profile_id,
        counted.period_date,
        counted.channel,
        counted.customer_id,
        coalesce(counted.exclusion_reason, 'no_shipped_quantity') as exclusion_reason,
        counted.observations
    from counted
    inner join (
        {%- for kpi in ["on_time", "in_full", "otif", "order_fill"] %}
            select
                'orders' as counted_as,
                '{{ kpi }}' as kpi_id
            union all
        {%- endfor %}
        {%- for kpi in ["otif_line", "otif_case", "otif_value", "unit_fill_revised", "unit_fill_original",
                        "unit_fill_first_pass", "line_fill"] %}
            select
                'lines' as counted_as,
                '{{ kpi }}' as kpi_id
            {{ "union all" if not loop.last }}
        {%- endfor %}
    ) as kpis on counted.counted_as = kpis.counted_as
    -- Without shipped quantities an order may still be on time.
    where counted.exclusion_reason is not null or (counted.is_fill_unknown and kpis.kpi_id <> 'on_time')
),

shipping as (
    select
        kpis.kpi_id,
        '' as profile_id,
        coalesce(handed_over.ship_due_date, handed_over.captured_date) as period_date,
        handed_over.channel,
        {{ kpi_customer("handed_over.") }} as customer_id,
        coalesce(handed_over.ship_exclusion_reason, 'not_due') as exclusion_reason,
        count(distinct case
            when kpis.kpi_id = 'on_time_ship' then handed_over.order_id
            else concat_ws('|', handed_over.order_id, handed_over.line_id)
        end) as observations
    from {{ ref('int_order_lines_handed_over') }} as handed_over
    inner join (
        select 'on_time_ship' as kpi_id
        union all
        select 'ship_by_adherence' as kpi_id
    ) as kpis on kpis.kpi_id = 'on_time_ship' or coalesce(handed_over.ship_due_basis, 'stated') = 'stated'
    where handed_over.ship_exclusion_reason is not null or not handed_over.is_ship_due
    group by all
),

combined as (
    select * from service
    union all
    select * from shipping
)

select
    kpi_id,
    profile_id,
    channel,
    customer_id,
    exclusion_reason,
    cast(sum(observations) as bigint) as observations,
    period_date
from combined
group by all
