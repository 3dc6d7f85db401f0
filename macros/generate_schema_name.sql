{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- Layers are schemas: staging, intermediate, marts, metrics, without dbt's target prefix. -#}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
