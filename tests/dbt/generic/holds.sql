{#- Every row keeps every rule; a rule that null leaves open counts as kept. #}
{% test holds(model, rules) %}
    {%- for rule in rules %}
        select
            '{{ rule | replace("'", "''") }}' as broken_rule,
            *
        from {{ model }}
        where not ({{ rule }})
        {{ "union all" if not loop.last }}
    {%- endfor %}
{% endtest %}
