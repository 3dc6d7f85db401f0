{{ config(
    schema='metrics', materialized='view', contract={'enforced': false}, fixed_inputs=['fct_backorders']
) }}
{#- Lines that the first shipment did not fill, what was made good since, and what still waits (K11). Grain is kpi_id,
    order_id, line_id. -#}
with first_pass as (
    select
        assessed.*,
        coalesce(
            {{ service_exclusion("assessed.") }},
            case when assessed.is_first_pass is null then 'no_shipped_quantity' end
        ) as reason,
        coalesce(assessed.due_date, {{ company_date('order_lines.captured_at') }}) as period_date,
        greatest(assessed.base_revised - coalesce(order_lines.quantity_shipped_first, 0), 0) as units_missing,
        greatest(coalesce(order_lines.quantity_shipped, 0) - coalesce(order_lines.quantity_shipped_first, 0), 0)
            as units_later
    from {{ ref('int_service_units_assessed') }} as assessed
    inner join (
        select
            order_id,
            line_id,
            captured_at,
            quantity_shipped,
            quantity_shipped_first
        from {{ ref('fct_order_lines') }}
        where {{ of_orders_on_days_changed("order_id", ref('int_service_units_assessed'), "due_date") }}
    ) as order_lines
        on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
    where
        assessed.is_headline and not assessed.is_bridge_step and assessed.line_id <> ''
        and {{ on_days_changed("assessed.due_date") }}
),

flows as (
    select
        'backorder_rate' as kpi_id,
        'line' as row_kind,
        concat_ws(' ', order_id, line_id) as row_key,
        order_id,
        line_id,
        sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions() }},
        currency,
        reason as exclusion_reason,
        case when is_first_pass then 0 else 1 end as numerator,
        1 as denominator,
        is_provisional,
        period_date
    from first_pass
    union all
    select
        'backorder_recovery' as kpi_id,
        'line' as row_kind,
        concat_ws(' ', order_id, line_id) as row_key,
        order_id,
        line_id,
        sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions() }},
        currency,
        reason as exclusion_reason,
        least(units_later, units_missing) as numerator,
        units_missing as denominator,
        is_provisional,
        period_date
    from first_pass
    where reason is not null or units_missing > 0
),

open_lines as (
    select
        order_lines.*,
        backorders.age_days,
        case
            when order_lines.exclusion_reason is not null then order_lines.exclusion_reason
            when order_lines.open_quantity is null then 'no_shipped_quantity'
            when backorders.order_id is not null then null
            when coalesce(order_lines.window_end_at, order_lines.requested_at, order_lines.promise_first_at) is null
                then 'no_need_date'
            when order_lines.cancel_after_at <= {{ as_of() }} then 'past_cancel_date'
            else 'not_due'
        end as reason
    from {{ ref('fct_order_lines') }} as order_lines
    left join {{ ref('fct_backorders') }} as backorders
        on order_lines.order_id = backorders.order_id and order_lines.line_id = backorders.line_id
    where
        coalesce(order_lines.open_quantity > 0, true) and order_lines.line_status <> 'cancelled'
        and (backorders.order_id is not null or {{ on_no_day() }})
),

-- A stock, not a flow: it belongs to the last day before the as-of.
waiting as (
    {%- for kpi, (amount, needs_price) in {
        "backorder_units": ("open_quantity", false),
        "backorder_value": ("open_quantity * unit_price", true),
        "backorder_value_over_7d": ("case when age_days > 7 then open_quantity * unit_price else 0 end", true),
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            'line' as row_kind,
            concat_ws(' ', order_id, line_id) as row_key,
            order_id,
            line_id,
            sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            coalesce(reason, case when {{ needs_price }} and unit_price is null then 'no_unit_price' end)
                as exclusion_reason,
            {{ amount }} as numerator,
            0 as denominator,
            false as is_provisional,
            {{ company_date(just_before(as_of())) }} as period_date
        from open_lines
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

combined as (
    select * from flows
    union all
    select * from waiting
)

{{ kpi_fact_columns("combined") }}
