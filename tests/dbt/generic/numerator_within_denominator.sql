{% test numerator_within_denominator(model) %}
{#- No share of a KPI that counts parts of a whole exceeds the whole; deductions may exceed what was invoiced. -#}
select values.*
from {{ model }} as values
inner join {{ ref('kpi_catalogue') }} as catalogue on values.kpi_id = catalogue.kpi_id
where
    catalogue.unit = 'ratio'
    and values.kpi_id <> 'chargeback_rate'
    and (values.numerator < 0 or values.numerator > values.denominator + 0.000001)
{% endtest %}
