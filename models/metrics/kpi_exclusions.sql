{#- What was left out of a KPI, and why: nothing disappears in silence. -#}
{% set perfect_kpis = [
    "perfect_order", "perfect_in_full", "perfect_on_time", "perfect_documents", "perfect_condition",
] %}
with orders as (
    select
        profile_id,
        is_headline,
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
        is_headline,
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
                        "unit_fill_first_pass", "value_fill", "line_fill"] %}
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

perfect as (
    {%- for kpi in perfect_kpis %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            orders.period_date,
            orders.channel,
            orders.customer_id,
            coalesce(orders.exclusion_reason, 'no_shipped_quantity') as exclusion_reason,
            count(*) as observations
        from orders
        where orders.is_headline and (orders.exclusion_reason is not null or orders.is_fill_unknown)
        group by all
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

untouched as (
    select
        'touchless_rate' as kpi_id,
        '' as profile_id,
        captured_date as period_date,
        channel,
        {{ kpi_customer() }} as customer_id,
        coalesce(exclusion_reason, case when order_type = 'replacement' then 'replacement' else 'not_released' end)
            as exclusion_reason,
        count(*) as observations
    from {{ ref('fct_orders') }}
    where is_excluded or order_type = 'replacement' or released_at is null
    group by all
),

carried as (
    select
        'carrier_on_time' as kpi_id,
        '' as profile_id,
        coalesce(estimated_date, {{ company_date('accepted_at') }}) as period_date,
        channel,
        {{ kpi_customer() }} as customer_id,
        case when estimated_at is null then 'no_estimate' else 'not_due' end as exclusion_reason,
        count(*) as observations
    from {{ ref('int_parcels_estimated') }}
    where not is_due
    group by all
),

noticed as (
    select
        'asn_timeliness' as kpi_id,
        '' as profile_id,
        {{ company_date('shipped_at') }} as period_date,
        channel,
        customer_id,
        'not_due' as exclusion_reason,
        count(*) as observations
    from {{ ref('int_asns_judged') }}
    where not is_asn_due
    group by all
),

cut_off as (
    select
        kpis.kpi_id,
        '' as profile_id,
        cut_offs.due_date as period_date,
        cut_offs.channel,
        {{ kpi_customer("cut_offs.") }} as customer_id,
        case when cut_offs.is_due then 'excused_' || cut_offs.excuse else 'not_due' end as exclusion_reason,
        count(*) as observations
    from {{ ref('int_node_orders_cut_off') }} as cut_offs
    inner join (
        select 'cut_off_adherence' as kpi_id
        union all
        select 'cut_off_adherence_adjusted' as kpi_id
    ) as kpis
        on
            not cut_offs.is_due
            or (kpis.kpi_id = 'cut_off_adherence_adjusted' and cut_offs.excuse is not null)
    group by all
),

invoiced as (
    select
        'invoice_accuracy' as kpi_id,
        '' as profile_id,
        {{ company_date('invoiced_at') }} as period_date,
        channel,
        customer_id,
        'not_due' as exclusion_reason,
        count(*) as observations
    from {{ ref('fct_invoices') }}
    where
        channel_type = 'wholesale'
        and {{ company_date('invoiced_at') }}
        > {{ add_days(as_of_date(), '-' ~ var('invoice_maturity_days', 45)) }}
    group by all
),

combined as (
    {%- for part in ["service", "shipping", "perfect", "untouched", "carried", "noticed", "cut_off", "invoiced"] %}
        select * from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
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
