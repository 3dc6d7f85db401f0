{#- On any day at most one row of a key is in force: two would fine or credit twice. Null is a value of a key. #}
{% test periods_do_not_overlap(model, keys) %}
    with periods as (
        select
            {{ keys | join(", ") }},
            effective_from,
            lag(coalesce(effective_to, date '9999-12-31')) over (
                partition by {{ keys | join(", ") }} order by coalesce(effective_from, date '0001-01-01')
            ) as ended
        from {{ model }}
    )

    select *
    from periods
    where coalesce(effective_from, date '0001-01-01') <= ended
{% endtest %}
