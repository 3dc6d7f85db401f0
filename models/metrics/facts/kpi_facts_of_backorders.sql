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
    from {{ ref('fct_line_assessments') }} as assessed
    inner join {{ ref('fct_order_lines') }} as order_lines
        on assessed.order_id = order_lines.order_id and assessed.line_id = order_lines.line_id
    where assessed.is_headline
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
        cast(null as varchar) as exclusion_reason,
        least(units_later, units_missing) as numerator,
        units_missing as denominator,
        is_provisional,
        period_date
    from first_pass
    where reason is null and units_missing > 0
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
            'line' as row_kind,
            concat_ws(' ', order_id, line_id) as row_key,
            order_id,
            line_id,
            sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            cast(null as varchar) as exclusion_reason,
            {{ amount }} as numerator,
            0 as denominator,
            false as is_provisional,
            {{ company_date(just_before(as_of())) }} as period_date
        from {{ ref('fct_backorders') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

combined as (
    select * from flows
    union all
    select * from waiting
)

{{ kpi_fact_columns("combined") }}
