{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#- Numerators and denominators of the KPIs of shipping, cancelling, returning and waiting. -#}
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

-- A stock, not a flow: it belongs to the last day before the as-of.
waiting as (
    {%- for kpi, amount in {"backorder_units": "open_quantity", "backorder_value": "open_amount"}.items() %}
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
    {%- for part in ["on_time_ship", "ship_by_adherence", "cancellation", "returned", "waiting"] %}
        select * from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    kpi_id,
    '' as profile_id,
    false as is_headline,
    period_date,
    {{ dimensions() }},
    coalesce(currency, '(none)') as currency,
    cast(sum(numerator) as double) as numerator,
    cast(sum(denominator) as double) as denominator,
    cast(count(*) as bigint) as observations,
    max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
from combined
group by all
