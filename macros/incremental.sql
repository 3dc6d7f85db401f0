{#-
    Incremental builds: models whose rows of an order depend on rows of the same order only are built again for the orders
    that changed, everything else is made anew. docs/builds.md tells how it works and what must hold.

    Schema `builds` (written by pipelines/increments.py) says from which instant a build looks and what the last one saw.
    Schema `changes` has one table per model that takes part: the orders it rebuilt (`order_id` null: all of them), or,
    of a `compared` table, the rows that came and went.
-#}

{#- Is this a build on top of an earlier one? -#}
{% macro is_build_incremental() -%}
    {%- if execute and not flags.FULL_REFRESH -%}
        {{ return(asked_once("select count(since_as_of) from builds.context")[0] > 0) }}
    {%- else -%}
        {{ return(false) }}
    {%- endif -%}
{%- endmacro %}

{#- The table that says what changed in a model with this build. -#}
{% macro changes_of(name) -%}
    {{ return(api.Relation.create(database=target.database, schema="changes", identifier=name)) }}
{%- endmacro %}

{#- Orders that a number meant and means no more, or means now. -#}
{% macro orders_renamed() -%}
    {%- if execute and is_build_incremental() -%}
        {%- set changes = changes_of("int_order_renames") -%}
        select order_id from {{ changes }} union select order_reference from {{ changes }}
    {%- else -%}
        select cast(null as varchar) as order_id where false
    {%- endif -%}
{%- endmacro %}

{#- The nodes that tell a model what changed in its inputs, by way of views. Seeds that changed make a full build. -#}
{% macro telling_inputs(node) -%}
    {%- set found = [] -%}
    {%- set fixed = node.config.get("fixed_inputs", []) -%}
    {%- for id in node.depends_on.nodes -%}
        {%- set input = graph.nodes.get(id) -%}
        {%- if input is none or input.resource_type != "model" or input.name in fixed -%}
        {%- elif input.config.materialized == "view" -%}
            {%- do found.extend(telling_inputs(input)) -%}
        {%- elif input.config.materialized in ["incremental", "compared"] or input.name == "int_orders_changed" -%}
            {%- do found.append(input) -%}
        {%- else -%}
            {%- do exceptions.raise_compiler_error(
                node.name ~ " is incremental and reads " ~ input.name ~ ", of which no build notes what changed: make"
                ~ " that model compared, or name it in fixed_inputs if rows of unchanged orders never change"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique(attribute="unique_id") | list) }}
{%- endmacro %}

{% macro relation_of(node) -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{%- endmacro %}

{#- Does a relation have orders? No build on top of another changes its columns. -#}
{% macro has_order_id(relation) -%}
    {%- set found = asked_once(
        "select schema_name || '.' || table_name from duckdb_columns() where database_name = '" ~ relation.database
        ~ "' and column_name = 'order_id'"
    ) -%}
    {{ return(relation.schema ~ "." ~ relation.identifier in found) }}
{%- endmacro %}

{#-
    The orders to build again: those that changed in an input, and those whose answer changes because time passed
    (`ticks`, a condition on the rows that stand). Orders of one shipment are built together where `linked` says so.
-#}
{% macro orders_to_rebuild(node) -%}
    {%- set sources = [] -%}
    {%- for input in telling_inputs(node) -%}
        {%- set changes = changes_of(input.alias) | string -%}
        {%- if input.name == "int_orders_changed" -%}
            {%- do sources.append("select order_id from " ~ relation_of(input)) -%}
        {%- elif input.config.materialized == "incremental" -%}
            {%- do sources.append("select order_id from " ~ changes) -%}
        {%- elif has_order_id(relation_of(input)) -%}
            {%- do sources.append("select order_id from " ~ changes ~ " where order_id is not null") -%}
        {%- else -%}
            {%- set all = "select cast(null as varchar) as order_id where exists (select 1 from " ~ changes ~ ")" -%}
            {%- do sources.append(all) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if node.config.get("ticks") -%}
        {%- do sources.append(
            "select order_id from (select *, " ~ as_of() ~ " as as_of from " ~ relation_of(node) ~ ") as standing where "
            ~ node.config.get("ticks")
        ) -%}
    {%- endif -%}
    {%- set changed = sources | join(" union ") -%}
    {%- if node.config.get("linked") -%}
        {%- set links = relation_of(graph.nodes["model.otif.int_orders_linked"]) -%}
        {%- set changed = "with recursive together as (" ~ changed ~ " union select theirs.order_id from together"
            ~ " inner join " ~ links ~ " as ours on together.order_id = ours.order_id"
            ~ " inner join " ~ links ~ " as theirs on ours.link = theirs.link) select distinct order_id from together" -%}
    {%- endif -%}
    {{ return(changed) }}
{%- endmacro %}

{#-
    The query of a model, its inputs cut down to the orders to rebuild. Events that name no order stay in. A view whose rows
    hang on rows of the same order (`by_order`) is written out, so that the cut reaches the tables below its joins and sums.
-#}
{% macro query_of_changed_orders(node, sql, changed) -%}
    {%- set cut = namespace(sql=sql) -%}
    {%- set fixed = node.config.get("fixed_inputs", []) -%}
    {%- for id in node.depends_on.nodes -%}
        {%- set input = graph.nodes.get(id) -%}
        {%- set is_fixed = input is none or input.resource_type != "model" or input.name in fixed -%}
        {%- if not is_fixed -%}
            {%- set relation = relation_of(input) -%}
            {%- if input.config.get("by_order") -%}
                {%- set rows = "(" ~ query_of_changed_orders(input, graph["queries"][id], changed) ~ ")" -%}
                {%- set cut.sql = cut.sql | replace(relation | string, rows) -%}
            {%- elif has_order_id(relation) -%}
                {%- set orderless = " or order_id is null" if input.config.materialized == "view" else "" -%}
                {%- set rows = "(select * from " ~ relation ~ " where order_id in (select order_id from "
                    ~ changed ~ ")" ~ orderless ~ ")" -%}
                {%- set cut.sql = cut.sql | replace(relation | string, rows) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(cut.sql) }}
{%- endmacro %}

{#- An increment on a table that somebody dropped would be wrong in silence. -#}
{% macro must_stand(relation) -%}
    {%- if relation is none -%}
        {%- do exceptions.raise_compiler_error(this ~ " is gone since the last build: run otif build --full") -%}
    {%- endif -%}
{%- endmacro %}

{#-
    Replaces dbt's own: rows are put in place of all rows of an order, not of equal keys, so that rows can vanish. Rows
    without an order are made anew where the model says that it has any (`orderless`).
-#}
{% materialization incremental, adapter="duckdb", supported_languages=["sql"] -%}
    {%- set changed = changes_of(this.identifier) -%}
    {%- if not is_build_incremental() -%}
        {{ return(make_table()) }}
    {%- endif -%}
    {%- do must_stand(load_cached_relation(this)) -%}
    {%- do run_query("create or replace table " ~ changed ~ " as " ~ orders_to_rebuild(model)) -%}
    {%- if is_whole(changed) -%} {{ return(make_table()) }} {%- endif -%}

    {%- set rebuilt = this.identifier ~ "__rebuilt" -%}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute="quoted") | join(", ") -%}
    {%- set rows = "order_id in (select order_id from " ~ changed ~ ")" -%}
    {%- if config.get("orderless") -%} {%- set rows = rows ~ " or order_id is null" -%} {%- endif -%}
    {% call statement("main") -%}
        create or replace temporary table {{ rebuilt }} as {{ query_of_changed_orders(model, sql, changed) }};
        {%- if this.identifier in kpi_days() %}
            create or replace table {{ changes_of(this.identifier ~ "__gone") }} as select * from {{ this }} where {{ rows }};
        {%- endif %}
        delete from {{ this }} where {{ rows }};
        insert into {{ this }} ({{ columns }}) select {{ columns }} from {{ rebuilt }} where {{ rows }};
        drop table temp.{{ rebuilt }};
    {%- endcall %}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this]}) }}
{%- endmaterialization %}

{#- What tells whether a compared table changed: a digest per order where it has orders, else its rows. -#}
{% macro rows_to_compare(relation) -%}
    {%- set columns = adapter.get_columns_in_relation(relation) | map(attribute="quoted") | join(", ") -%}
    {%- if has_order_id(relation) and not config.get("by_row") -%}
        {%- set digest = "sum(cast(hash(" ~ columns ~ ") as hugeint))" -%}
        {%- set told = "order_id, count(*) as rows_told, " ~ digest ~ " as digest" -%}
        {{ return("(select " ~ told ~ " from " ~ relation ~ " group by order_id)") }}
    {%- else -%}
        {{ return("(select " ~ columns ~ ", count(*) as rows_told from " ~ relation ~ " group by all)") }}
    {%- endif -%}
{%- endmacro %}

{#- A table made anew that incremental models read: what came and went is noted. -#}
{% materialization compared, adapter="duckdb", supported_languages=["sql"] -%}
    {%- set changed = changes_of(this.identifier) -%}
    {%- if not is_build_incremental() -%}
        {{ return(make_table()) }}
    {%- endif -%}
    {%- do must_stand(load_cached_relation(this)) -%}
    {%- set content = rows_to_compare(this) -%}
    {%- do run_query("create or replace table " ~ changed ~ " as " ~ content) -%}
    {%- set made = make_table() -%}
    {%- do run_query(
        "create or replace table " ~ changed ~ " as (" ~ content ~ " except from " ~ changed ~ ") union all (from "
        ~ changed ~ " except " ~ content ~ ")"
    ) -%}
    {{ return(made) }}
{%- endmaterialization %}

{#-
    Sums by day: the days that a change of an order moves are added up anew (model kpi_days_changed), all other rows stand.
-#}
{% materialization by_day, adapter="duckdb", supported_languages=["sql"] -%}
    {%- if not is_build_incremental() -%} {{ return(make_table()) }} {%- endif -%}
    {%- set days = days_changed() -%}
    {%- if none in days -%} {{ return(make_table()) }} {%- endif -%}
    {%- do must_stand(load_cached_relation(this)) -%}
    {%- set rows = days_in(days) -%}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute="quoted") | join(", ") -%}
    {% call statement("main") -%}
        delete from {{ this }} where {{ rows }};
        insert into {{ this }} ({{ columns }}) select {{ columns }} from ({{ sql }}) where {{ rows }};
    {%- endcall %}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this]}) }}
{%- endmaterialization %}

{#- The days that this build adds up anew; a null among them means every day. -#}
{% macro days_changed() -%}
    {%- set days = relation_of(graph.nodes["model.otif.kpi_days_changed"]) -%}
    {{ return(asked_once("select period_date from " ~ days ~ " order by period_date")) }}
{%- endmacro %}

{#- Rows of certain days, as a condition that reaches the rows below joins and sums. -#}
{% macro days_in(days) -%}
    {{ return("period_date in (date '" ~ days | join("', date '") ~ "')") }}
{%- endmacro %}

{#- Does a table of changed orders say that all of them changed? -#}
{% macro is_whole(changed) -%}
    {%- set all = run_query("select count(*) from " ~ changed ~ " where order_id is null") -%}
    {{ return(all.columns[0].values()[0] > 0) }}
{%- endmacro %}

{#- The rows of a model that this build made anew, as a condition; none = all of them. -#}
{% macro rows_rebuilt(node) -%}
    {%- set rebuilt = namespace(rows=none) -%}
    {%- if node.config.get("by_day") or node.config.materialized == "by_day" -%}
        {%- set days = days_changed() -%}
        {%- if none not in days -%} {%- set rebuilt.rows = days_in(days) -%} {%- endif -%}
    {%- endif -%}
    {%- if node.config.get("by_order") or node.config.materialized == "incremental" -%}
        {%- set changed = namespace(orders=changes_of(node.alias) | string) -%}
        {%- if node.config.get("by_order") -%}
            {%- set changed.orders = "(" ~ orders_to_rebuild(node) ~ ")" -%}
        {%- endif -%}
        {%- if not is_whole(changed.orders) -%}
            {%- set rebuilt.rows = "order_id in (select order_id from " ~ changed.orders ~ ")" -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(rebuilt.rows) }}
{%- endmacro %}

{#- Replaces dbt's own: within an incremental build data tests look at what was rebuilt; the rest was tested before. -#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get("where") -%} {%- do conditions.append("(" ~ config.get("where") ~ ")") -%} {%- endif -%}
    {%- set node = graph.nodes.get("model.otif." ~ relation.identifier) if execute -%}
    {%- if node and is_build_incremental() -%}
        {%- set rebuilt = rows_rebuilt(node) -%}
        {%- if rebuilt -%} {%- do conditions.append(rebuilt) -%} {%- endif -%}
    {%- endif -%}
    {%- if conditions -%}
        {{ return("(select * from " ~ relation ~ " where " ~ conditions | join(" and ") ~ ") as dbt_subquery") }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}
