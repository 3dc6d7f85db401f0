{#- No share of a KPI that counts parts of a whole exceeds the whole; deductions may exceed what was
    invoiced, and an order may be shipped twice over. #}
{% test numerator_within_denominator(model) %}
    select kpi_rows.*
    from {{ model }} as kpi_rows
    inner join {{ ref('kpi_catalogue') }} as catalogue on kpi_rows.kpi_id = catalogue.kpi_id
    where
        catalogue.unit = 'ratio'
        and kpi_rows.kpi_id not in ('chargeback_rate', 'over_shipped_rate')
        and (kpi_rows.numerator < 0 or kpi_rows.numerator > kpi_rows.denominator + 0.000001)
{% endtest %}
