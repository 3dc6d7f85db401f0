{% test unique_combination(model, columns) %}
{#- The columns together name one row; nulls count as equal values. -#}
select {{ columns | join(", ") }}
from {{ model }}
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
