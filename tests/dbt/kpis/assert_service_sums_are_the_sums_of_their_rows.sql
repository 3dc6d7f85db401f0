-- The KPIs that are added up side by side equal the sums of the rows that their passports show.
with rows_summed as (
    {%- for model in ["orders_due", "lines_due"] + fromjson(kpi_wide_facts()).keys() | list %}
        select
            kpi_id,
            profile_id,
            is_headline,
            sum(numerator) as numerator,
            sum(denominator) as denominator,
            sum(observations) as observations
        from {{ ref('kpi_facts_of_' ~ model) }}
        where exclusion_reason is null
        group by kpi_id, profile_id, is_headline
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

published as (
    select
        kpi_id,
        profile_id,
        is_headline,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        sum(observations) as observations
    from {{ ref('kpi_values') }}
    where kpi_id in (select rows_summed.kpi_id from rows_summed)
    group by kpi_id, profile_id, is_headline
)

select
    rows_summed.*,
    published.numerator as published_numerator,
    published.denominator as published_denominator
from rows_summed
full outer join published
    on
        rows_summed.kpi_id = published.kpi_id
        and rows_summed.profile_id = published.profile_id
        and rows_summed.is_headline = published.is_headline
where
    abs(coalesce(rows_summed.numerator, 0) - coalesce(published.numerator, 0)) > 0.0001
    or abs(coalesce(rows_summed.denominator, 0) - coalesce(published.denominator, 0)) > 0.0001
    or coalesce(rows_summed.observations, 0) <> coalesce(published.observations, 0)
