{% for part in ["service", "quality", "flow", "execution", "money"] %}
    select
        kpi_id,
        profile_id,
        is_headline,
        period_date,
        {{ dimensions() }},
        currency,
        numerator,
        denominator,
        observations,
        is_provisional
    from {{ ref('kpi_rows_of_' ~ part) }}
    {{ "union all" if not loop.last }}
{% endfor %}
