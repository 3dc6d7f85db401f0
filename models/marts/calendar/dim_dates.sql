{#-
    Every day with its week, its calendar month and its place in the fiscal year: 52 or 53 whole weeks in months of four
    and five weeks (4-4-5, 4-5-4, 5-4-4), by the rule of the workspace. The default is the NRF's: 4-5-4, the year ends on
    the Saturday nearest to 31 January and is named after the year it starts in. Fifteen years back, two ahead.
-#}
{% set weeks = {'4-4-5': [4, 4], '4-5-4': [4, 5], '5-4-4': [5, 4]}.get(var('fiscal_pattern'), [4, 5]) %}
{% set weekdays = {
    "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6, "sunday": 7,
} %}
{% set ends_on = weekdays.get(var('fiscal_ends_on'), 6) %}
{% set end_month = var('fiscal_year_end_month') | int %}
with digits as (
    {%- for digit in range(10) %}
        select {{ digit }} as digit{{ " union all" if not loop.last }}
    {%- endfor %}
),

numbers as (
    select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit as number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
),

month_ends as (
    select
        years.calendar_year,
        cast(
            {{ add_days(
                "cast(cast(years.calendar_year as varchar) || '-" ~ "%02d" % end_month ~ "-28' as date)",
                "4"
            ) }} as date
        ) as within_next_month
    from (
        select cast(extract(year from {{ as_of_date() }}) as bigint) + numbers.number - 16 as calendar_year
        from numbers
        where numbers.number < 20
    ) as years
),

last_days as (
    select
        calendar_year,
        cast({{ add_days("cast(date_trunc('month', within_next_month) as date)", -1) }} as date) as last_day
    from month_ends
),

anchors as (
    select
        calendar_year,
        last_day,
        mod({{ iso_weekday('last_day') }} - {{ ends_on }} + 7, 7) as days_past
    from last_days
),

year_ends as (
    select
        calendar_year,
        cast(
            {{ add_days(
                "last_day",
                "(case when days_past > 3 then 7 - days_past else 0 - days_past end)"
                if var('fiscal_year_end') == 'nearest' else "(0 - days_past)"
            ) }} as date
        ) as year_end_date
    from anchors
),

years as (
    select
        {% if var('fiscal_named_after') == 'start' and end_month < 12 -%} calendar_year - 1
        {%- else -%} calendar_year
        {%- endif %} as fiscal_year,
        cast({{ add_days('lag(year_end_date) over (order by calendar_year)', 1) }} as date) as year_start_date,
        year_end_date
    from year_ends
),

days as (
    select
        years.fiscal_year,
        years.year_start_date,
        ({{ days_between('years.year_start_date', 'years.year_end_date') }} + 1) / 7 as year_weeks,
        numbers.number as day_number,
        cast(floor(numbers.number / 7.0) as bigint) + 1 as fiscal_week,
        cast({{ add_days('years.year_start_date', 'numbers.number') }} as date) as date_day
    from years
    inner join numbers on {{ days_between('years.year_start_date', 'years.year_end_date') }} >= numbers.number
    where years.year_start_date is not null
),

quartered as (
    select
        *,
        least(cast(floor((fiscal_week - 1) / 13.0) as bigint), 3) as quarters_before,
        fiscal_week - 13 * least(cast(floor((fiscal_week - 1) / 13.0) as bigint), 3) as week_of_quarter
    from days
),

placed as (
    select
        *,
        case
            when week_of_quarter <= {{ weeks[0] }} then 0
            when week_of_quarter <= {{ weeks[0] + weeks[1] }} then 1
            else 2
        end as months_before
    from quartered
)

select
    cast(fiscal_year as bigint) as fiscal_year,
    cast(quarters_before + 1 as bigint) as fiscal_quarter,
    cast(quarters_before * 3 + months_before + 1 as bigint) as fiscal_month,
    cast(fiscal_week as bigint) as fiscal_week,
    cast(year_weeks as bigint) as fiscal_year_weeks,
    date_day,
    {{ week_of('date_day') }} as week_start_date,
    cast(date_trunc('month', date_day) as date) as month_start_date,
    year_start_date as fiscal_year_start_date,
    cast({{ add_days('year_start_date', 'quarters_before * 91') }} as date) as fiscal_quarter_start_date,
    cast(
        {{ add_days(
            'year_start_date',
            "(quarters_before * 91 + 7 * case months_before when 0 then 0 when 1 then " ~ weeks[0] ~ " else "
            ~ (weeks[0] + weeks[1]) ~ " end)"
        ) }} as date
    ) as fiscal_month_start_date,
    case when fiscal_week < 53 then cast({{ add_days('date_day', -364) }} as date) end as prior_year_date
from placed
