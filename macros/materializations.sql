{#-
    Leaner ways to make tables and views than dbt's own, which ask for grants, indexes, comments and hooks (we have none) and
    swap names in four statements. DuckDB replaces a table or view in one, and no reader sees the database that a build
    writes to.
-#}

{#- The first column of a question whose answer stays the same as long as a build runs. The graph lives as long. -#}
{% macro asked_once(question) -%}
    {%- set answers = graph.setdefault("answers", {}) -%}
    {%- if question not in answers -%}
        {%- do answers.update({question: run_query(question).columns[0].values()}) -%}
    {%- endif -%}
    {{ return(answers[question]) }}
{%- endmacro %}

{#- A table or view of the same name goes if this model was the other before. -#}
{% macro clear_the_way(kind) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.type != kind -%} {%- do adapter.drop_relation(existing) -%} {%- endif -%}
{%- endmacro %}

{#- A table out of the rows of one query, or of several one after the other. -#}
{% macro make_table(queries=none) -%}
    {%- set queries = queries or [sql] -%}
    {%- do clear_the_way("table") -%}
    {%- set has_contract = config.get("contract").enforced -%}
    {%- if has_contract -%} {%- do get_assert_columns_equivalent(sql) -%} {%- endif -%}
    {% call statement("main") -%}
        {%- if has_contract -%}
            create or replace table {{ this }} {{ get_table_columns_and_constraints() }};
            insert into {{ this }} {{ get_column_names() }} ({{ get_select_subquery(queries[0]) }});
        {%- else -%}
            create or replace table {{ this }} as ({{ queries[0] }});
        {%- endif -%}
    {%- endcall %}
    {%- for query in queries[1:] -%}
        {%- if has_contract -%}
            {%- set names = get_column_names() -%}
            {%- do run_query("insert into " ~ this ~ " " ~ names ~ " (" ~ get_select_subquery(query) ~ ")") -%}
        {%- else -%}
            {%- do run_query("insert into " ~ this ~ " (" ~ query ~ ")") -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this.incorporate(type="table")]}) }}
{%- endmacro %}

{% materialization table, adapter="duckdb", supported_languages=["sql"] -%}
    {{ return(make_table()) }}
{%- endmaterialization %}

{% materialization view, adapter="duckdb", supported_languages=["sql"] -%}
    {%- do clear_the_way("view") -%}
    {%- do graph.setdefault("queries", {}).update({model.unique_id: sql}) -%}
    {%- if config.get("contract").enforced -%} {%- do get_assert_columns_equivalent(sql) -%} {%- endif -%}
    {% call statement("main") -%} create or replace view {{ this }} as ({{ sql }}) {%- endcall %}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this.incorporate(type="view")]}) }}
{%- endmaterialization %}

{#- The type that a query of a type gives, as DuckDB writes it. -#}
{% macro type_written(data_type) -%}
    {{ return(asked_once("select typeof(cast(null as " ~ data_type ~ "))")[0] | lower) }}
{%- endmacro %}

{#-
    The contract of a model, checked with one question; dbt's own check follows where they differ, for its message. What a
    build on top of another makes has the columns that the build from scratch checked.
-#}
{% macro duckdb__get_assert_columns_equivalent(sql) -%}
    {%- if not is_build_incremental() -%}
        {%- set promised = [] -%}
        {%- for column in model["columns"].values() -%}
            {%- do promised.append(column["name"] | lower ~ " " ~ type_written(column["data_type"])) -%}
        {%- endfor -%}
        {%- set found = [] -%}
        {%- for column in adapter.get_column_schema_from_query(sql) -%}
            {%- do found.append(column.name | lower ~ " " ~ column.dtype | lower) -%}
        {%- endfor -%}
        {%- if promised | sort != found | sort -%} {%- do default__get_assert_columns_equivalent(sql) -%} {%- endif -%}
    {%- endif -%}
{%- endmacro %}
