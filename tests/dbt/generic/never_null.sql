{#- What the contract of a view says is never null; tables have constraints for it. #}
{% test never_null(model, view) %}
    {%- set conditions = ["false"] -%}
    {%- for column in (graph.nodes["model.otif." ~ view].columns.values() if execute else []) -%}
        {%- for constraint in column.constraints if constraint.type == "not_null" -%}
            {%- do conditions.append(column.name ~ " is null") -%}
        {%- endfor -%}
    {%- endfor %}
    select *
    from {{ model }}
    where {{ conditions | join(" or ") }}
{% endtest %}
