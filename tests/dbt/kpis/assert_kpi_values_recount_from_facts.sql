-- Every additive KPI, summed over all days and dimensions, equals a recount from its fact table.
with recounted as (
    {%- for kpi, flag in {"on_time": "is_on_time", "in_full": "is_in_full", "otif": "is_otif"}.items() %}
        select
            '{{ kpi }}' as kpi_id,
            profile_id,
            count(case when {{ flag }} then 1 end) as numerator,
            count({{ flag }}) as denominator
        from {{ ref('fct_order_assessments') }}
        where is_due and exclusion_reason is null
        group by profile_id
        union all
    {%- endfor %}
    select
        'otif_case' as kpi_id,
        profile_id,
        sum(quantity_in_window) as numerator,
        sum(base_quantity) as denominator
    from {{ ref('fct_line_assessments') }}
    where is_due and exclusion_reason is null and is_otif is not null
    group by profile_id
    union all
    select
        'line_fill' as kpi_id,
        profile_id,
        count(case when is_in_full then 1 end) as numerator,
        count(is_in_full) as denominator
    from {{ ref('fct_line_assessments') }}
    where is_due and exclusion_reason is null
    group by profile_id
    union all
    select
        'cancellation_rate' as kpi_id,
        '' as profile_id,
        count(case when order_status = 'cancelled' then 1 end) as numerator,
        count(*) as denominator
    from {{ ref('fct_orders') }}
    where not is_excluded and order_type <> 'replacement'
    union all
    select
        'return_rate' as kpi_id,
        '' as profile_id,
        sum(least(quantity_returned, quantity_shipped)) as numerator,
        sum(quantity_shipped) as denominator
    from {{ ref('fct_order_lines') }}
    where not is_excluded and quantity_shipped > 0 and first_accepted_at is not null
    union all
    select
        'backorder_units' as kpi_id,
        '' as profile_id,
        sum(open_quantity) as numerator,
        0 as denominator
    from {{ ref('fct_backorders') }}
    union all
    select
        'chargeback_amount' as kpi_id,
        '' as profile_id,
        sum(amount) as numerator,
        0 as denominator
    from {{ ref('fct_deductions') }}
    where (is_compliance or is_compliance is null) and channel_type in ('wholesale', '(none)')
),

published as (
    select
        kpi_id,
        profile_id,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref('kpi_values') }}
    group by kpi_id, profile_id
)

select
    recounted.*,
    published.numerator as published_numerator,
    published.denominator as published_denominator
from recounted
left join published on recounted.kpi_id = published.kpi_id and recounted.profile_id = published.profile_id
where
    abs(coalesce(recounted.numerator, 0) - coalesce(published.numerator, 0)) > 0.0001
    or abs(coalesce(recounted.denominator, 0) - coalesce(published.denominator, 0)) > 0.0001
