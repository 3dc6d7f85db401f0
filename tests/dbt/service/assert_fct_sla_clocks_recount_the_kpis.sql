-- Kept and due clocks are the numerator and denominator of K14, raw and adjusted, and of K15.
with told as (
    select
        kpi_id,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref('kpi_values') }}
    where kpi_id in ('cut_off_adherence', 'cut_off_adherence_adjusted', 'carrier_on_time')
    group by kpi_id
),

recounted as (
    select
        'cut_off_adherence' as kpi_id,
        count(case when is_kept then 1 end) as numerator,
        count(*) as denominator
    from {{ ref('fct_sla_clocks') }}
    where clock = 'hand_over' and is_due
    union all
    select
        'cut_off_adherence_adjusted' as kpi_id,
        count(case when is_kept then 1 end) as numerator,
        count(*) as denominator
    from {{ ref('fct_sla_clocks') }}
    where clock = 'hand_over' and is_counted
    union all
    select
        'carrier_on_time' as kpi_id,
        count(case when is_kept then 1 end) as numerator,
        count(*) as denominator
    from {{ ref('fct_sla_clocks') }}
    where clock = 'delivery' and is_due
)

select
    recounted.kpi_id,
    told.numerator,
    told.denominator,
    recounted.numerator as recounted_numerator,
    recounted.denominator as recounted_denominator
from recounted
left join told on recounted.kpi_id = told.kpi_id
where
    recounted.numerator <> coalesce(told.numerator, 0)
    or recounted.denominator <> coalesce(told.denominator, 0)
