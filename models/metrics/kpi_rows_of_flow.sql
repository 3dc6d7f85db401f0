{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#- Numerators and denominators of the KPIs of shipping, cancelling, returning and waiting. -#}
{% set return_kpis = {
    "return_rate_choice": "'customer_choice', 'exchange'",
    "return_rate_fulfilment": "'fulfilment_error', 'damaged', 'late_delivery'",
    "return_rate_product": "'defective', 'listing'",
    "return_rate_refused": "'refused'",
    "return_rate_unclassified": "'unclassified'",
} %}
with handed_over as (
    select
        order_id,
        max(ship_due_date) as ship_due_date,
        max(case when is_ship_due then 0 else 1 end) = 0 as is_ship_due,
        max(case when is_handed_over then 0 else 1 end) = 0 as is_handed_over
    from {{ ref('int_order_lines_handed_over') }}
    where ship_exclusion_reason is null
    group by order_id
),

on_time_ship as (
    select
        'on_time_ship' as kpi_id,
        handed_over.ship_due_date as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        case when handed_over.is_handed_over then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from handed_over
    inner join {{ ref('fct_orders') }} as orders on handed_over.order_id = orders.order_id
    where handed_over.is_ship_due
),

ship_by_adherence as (
    select
        'ship_by_adherence' as kpi_id,
        ship_due_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        case when is_handed_over then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from {{ ref('int_order_lines_handed_over') }}
    where is_ship_due and ship_exclusion_reason is null and ship_due_basis = 'stated'
),

cancellation as (
    {%- for kpi, condition in {
        "cancellation_rate": "true",
        "cancellation_rate_customer": "cancel_actor = 'customer'",
        "cancellation_rate_seller": "cancel_actor in ('seller_oos', 'seller_other')",
        "cancellation_rate_fraud": "cancel_actor in ('fraud', 'payment')",
        "cancellation_rate_retailer": "cancel_actor = 'retailer_expiry'",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            captured_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            case
                when order_status = 'cancelled' and {{ condition }} then 1
                else 0
            end as numerator,
            1 as denominator,
            false as is_provisional
        from {{ ref('fct_orders') }}
        where not is_excluded and order_type <> 'replacement'
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

returned as (
    select
        'return_rate' as kpi_id,
        {{ company_date('first_accepted_at') }} as period_date,
        {{ kpi_dimensions() }},
        currency,
        least(quantity_returned, quantity_shipped) as numerator,
        quantity_shipped as denominator,
        {{ company_date('first_accepted_at') }} > {{ add_days(as_of_date(), '-' ~ var('return_maturity_days', 51)) }}
            as is_provisional
    from {{ ref('fct_order_lines') }}
    where not is_excluded and quantity_shipped > 0 and first_accepted_at is not null
),

-- The same cohort by what brought the goods back.
returned_by_class as (
    select
        returns.order_id,
        returns.line_id,
        {%- for kpi, classes in return_kpis.items() %}
            sum(case when coalesce(reasons.reason_class, 'unclassified') in ({{ classes }}) then returns.quantity end)
                as {{ kpi }},
        {%- endfor %}
        count(*) as return_lines
    from {{ ref('fct_returns') }} as returns
    left join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
    where returns.received_at is not null
    group by returns.order_id, returns.line_id
),

returned_for_a_reason as (
    {%- for kpi in return_kpis %}
        select
            '{{ kpi }}' as kpi_id,
            {{ company_date('order_lines.first_accepted_at') }} as period_date,
            {{ kpi_dimensions("order_lines.") }},
            order_lines.currency,
            least(coalesce(returned_by_class.{{ kpi }}, 0), order_lines.quantity_shipped) as numerator,
            order_lines.quantity_shipped as denominator,
            {{ company_date('order_lines.first_accepted_at') }}
            > {{ add_days(as_of_date(), '-' ~ var('return_maturity_days', 51)) }} as is_provisional
        from {{ ref('fct_order_lines') }} as order_lines
        left join returned_by_class
            on order_lines.order_id = returned_by_class.order_id and order_lines.line_id = returned_by_class.line_id
        where
            not order_lines.is_excluded
            and order_lines.quantity_shipped > 0
            and order_lines.first_accepted_at is not null
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

graded as (
    {%- for kpi, dispositions in {
        "restock_rate": "'restock_a'",
        "resale_rate": "'b_grade', 'refurbish', 'rtv'",
        "write_off_rate": "'liquidate', 'donate', 'destroy'",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            {{ company_date('graded_at') }} as period_date,
            {{ kpi_dimensions() }},
            currency,
            case when disposition in ({{ dispositions }}) then quantity else 0 end as numerator,
            quantity as denominator,
            false as is_provisional
        from {{ ref('fct_returns') }}
        where graded_at is not null and disposition is not null
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- Lines that the first shipment did not fill (WERC: backorders as a share of lines), and what was made good since.
first_pass as (
    select
        assessed.*,
        greatest(assessed.base_revised - coalesce(order_lines.quantity_shipped_first, 0), 0) as units_missing,
        greatest(coalesce(order_lines.quantity_shipped, 0) - coalesce(order_lines.quantity_shipped_first, 0), 0)
            as units_later
    from {{ ref('fct_line_assessments') }} as assessed
    inner join {{ ref('fct_order_lines') }} as order_lines
        on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
    where
        assessed.is_headline and assessed.is_due and assessed.exclusion_reason is null
        and assessed.is_first_pass is not null
),

backordered as (
    select
        'backorder_rate' as kpi_id,
        due_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        case when is_first_pass then 0 else 1 end as numerator,
        1 as denominator,
        is_provisional
    from first_pass
    union all
    select
        'backorder_recovery' as kpi_id,
        due_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        least(units_later, units_missing) as numerator,
        units_missing as denominator,
        is_provisional
    from first_pass
    where units_missing > 0
),

out_of_stock as (
    select
        order_id,
        line_id,
        sum(quantity_cancelled) as quantity
    from {{ ref('int_order_cancellations_resolved') }}
    where actor = 'seller_oos'
    group by order_id, line_id
),

oversold as (
    select
        'oversell_rate' as kpi_id,
        {{ company_date('order_lines.captured_at') }} as period_date,
        {{ kpi_dimensions("order_lines.") }},
        order_lines.currency,
        least(coalesce(out_of_stock.quantity, 0), order_lines.base_original) as numerator,
        order_lines.base_original as denominator,
        false as is_provisional
    from {{ ref('fct_order_lines') }} as order_lines
    left join out_of_stock
        on order_lines.order_id = out_of_stock.order_id and order_lines.line_id = out_of_stock.line_id
    where not order_lines.is_excluded and order_lines.base_original > 0
),

slipped as (
    select
        'promise_slip_rate' as kpi_id,
        {{ company_date('captured_at') }} as period_date,
        {{ kpi_dimensions() }},
        currency,
        case when promise_latest_at > promise_first_at then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from {{ ref('fct_order_lines') }}
    where not is_excluded and promise_first_at is not null
),

-- A stock, not a flow: it belongs to the last day before the as-of.
waiting as (
    {%- for kpi, amount in {
        "backorder_units": "open_quantity",
        "backorder_value": "open_amount",
        "backorder_value_over_7d": "case when age_days > 7 then open_amount else 0 end",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            {{ company_date(just_before(as_of())) }} as period_date,
            {{ kpi_dimensions() }},
            currency,
            {{ amount }} as numerator,
            0 as denominator,
            false as is_provisional
        from {{ ref('fct_backorders') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

combined as (
    {%- for part in [
        "on_time_ship", "ship_by_adherence", "cancellation", "returned", "returned_for_a_reason", "graded",
        "backordered", "oversold", "slipped", "waiting",
    ] %}
        select * from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_rows_summed("combined") }}
