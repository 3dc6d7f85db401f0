{#-
    Incremental builds: models whose rows of an order depend on rows of the same order only are built again for the orders
    that changed, everything else is made anew. docs/builds.md tells how it works and what must hold.

    Schema `builds` (written by pipelines/increments.py) says from which instant a build looks and what the last one saw.
    Schema `changes` has one table per model that takes part: the orders it rebuilt (`order_id` null: all of them), or,
    of a `compared` table, the rows that came and went. Database `made` lives in memory and as long as a build: what an
    incremental model made, for those who read it next.
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

{#- The columns of a table in their order, quoted. No build on top of another changes them. -#}
{% macro columns_of(relation) -%}
    {%- set told = asked_once(
        "select schema_name || '.' || table_name || ' ' || string_agg('\"' || column_name || '\"', ', ' "
        ~ "order by column_index) from duckdb_columns() where database_name = '" ~ relation.database
        ~ "' group by schema_name, table_name"
    ) -%}
    {%- set name = relation.schema ~ "." ~ relation.identifier ~ " " -%}
    {%- for table in told if table.startswith(name) -%} {{ return(table[name | length:]) }} {%- endfor -%}
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
            "select order_id from (select *, " ~ as_of() ~ " as as_of, " ~ as_of_date() ~ " as as_of_date from "
            ~ relation_of(node) ~ ") as standing where "
            ~ node.config.get("ticks")
        ) -%}
    {%- endif -%}
    {%- set changed = "select distinct order_id from (" ~ sources | join(" union ") ~ ") as sources" -%}
    {%- if node.config.get("linked") -%}
        {%- set links = relation_of(graph.nodes["model.otif.int_orders_linked"]) -%}
        {%- set changed = "with recursive together as (" ~ changed ~ " union select theirs.order_id from together"
            ~ " inner join " ~ links ~ " as ours on together.order_id = ours.order_id"
            ~ " inner join " ~ links ~ " as theirs on ours.link = theirs.link) select distinct order_id from together" -%}
    {%- endif -%}
    {{ return(changed) }}
{%- endmacro %}

{#-
    The capture days of the orders to rebuild, now and as the last build knew them, as a condition on a table that lies in
    their order (`by_capture_day`): DuckDB reads only the blocks of these days.
-#}
{% macro captured_then(node, changed) -%}
    {%- if not node.config.get("by_capture_day") -%} {{ return("") }} {%- endif -%}
    {%- set orders = graph.nodes["model.otif.int_orders_consolidated"] -%}
    {%- set others = "select order_id from " ~ changed -%}
    {%- set days = "" -%}
    {%- if is_rebuilt_by_order(orders.alias) -%}
        {%- set others = others ~ " except select order_id from " ~ changes_of(orders.alias) -%}
        {%- set days = "select captured_date from " ~ made_of(orders.alias) ~ " union all select captured_date from "
            ~ changes_of(orders.alias ~ "__gone") ~ " union all " -%}
    {%- endif -%}
    {%- set days = days ~ "select captured_date from " ~ relation_of(orders) ~ " where order_id in (" ~ others ~ ")" -%}
    {%- set days = asked_once("select unnest([min(captured_date), max(captured_date)]) from (" ~ days ~ ") as days") -%}
    {{ return(
        " and captured_date between date '" ~ days[0] ~ "' and date '" ~ days[1] ~ "'" if days[0] else " and false"
    ) }}
{%- endmacro %}

{#-
    The query of a model, its inputs cut down to some orders: those of the table `orders`, or those captured on some `days`
    (a condition on captured_date). Events that name no order stay in. A view whose rows hang on rows of the same order
    (`by_order`) is written out, so that the cut reaches the tables below its joins and sums.
-#}
{% macro query_of_orders(node, sql, orders, days=none) -%}
    {%- set cut = namespace(sql=sql) -%}
    {%- set fixed = node.config.get("fixed_inputs", []) -%}
    {%- for id in node.depends_on.nodes -%}
        {%- set input = graph.nodes.get(id) -%}
        {%- set is_fixed = input is none or input.resource_type != "model" or input.name in fixed -%}
        {%- if not is_fixed -%}
            {%- set relation = relation_of(input) -%}
            {%- if input.config.get("by_order") -%}
                {%- set rows = "(" ~ query_of_orders(input, graph["queries"][id], orders, days) ~ ")" -%}
                {%- set cut.sql = cut.sql | replace(relation | string, rows) -%}
            {%- elif days and lies_by_capture_day(input) -%}
                {%- set cut.sql = cut.sql
                    | replace(relation | string, "(select * from " ~ relation ~ " where " ~ days ~ ")") -%}
            {%- elif has_order_id(relation) -%}
                {%- set orderless = " or order_id is null" if input.config.materialized == "view" else "" -%}
                {%- set standing = "" if days else captured_then(input, orders) -%}
                {%- set rows = "(select * from " ~ relation ~ " where order_id in (select order_id from "
                    ~ orders ~ ")" ~ standing ~ orderless ~ ")" -%}
                {%- set rows = rows if days else rows_at_hand(input, rows, orders) -%}
                {%- set cut.sql = cut.sql | replace(relation | string, rows) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(cut.sql) }}
{%- endmacro %}

{#- Do the rows of a table lie in the order of the days on which their orders were captured, and tell the day? -#}
{% macro lies_by_capture_day(node) -%}
    {{ return(node.name == "int_orders_consolidated" or node.config.get("by_capture_day", false)) }}
{%- endmacro %}

{#- The tables and seeds that a model reads, by way of views. -#}
{% macro tables_read(node) -%}
    {%- set found = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- set input = graph.nodes.get(id) -%}
        {%- if input is none -%}
        {%- elif input.config.materialized == "view" -%} {%- do found.extend(tables_read(input)) -%}
        {%- else -%} {%- do found.append(input.schema ~ "." ~ input.alias) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{%- endmacro %}

{#-
    The queries that make a whole table (`in_pieces`) one range of capture days after the other, so that the hash tables of
    no query outgrow the memory: DuckDB keeps what is joined to the longest table there, and groups. A piece reads about
    OTIF_ROWS_AT_ONCE rows. One query where that is enough.
-#}
{% macro pieces_of_orders() -%}
    {%- if not config.get("in_pieces") -%} {{ return([sql]) }} {%- endif -%}
    {%- set rows_at_once = [env_var("OTIF_ROWS_AT_ONCE", "16000000") | int(16000000), 100] | max -%}
    {%- set tables = "('" ~ tables_read(model) | join("', '") ~ "')" -%}
    {%- set read = run_query(
        "select coalesce(sum(estimated_size), 0) from duckdb_tables() where database_name = '"
        ~ target.database ~ "' and schema_name || '.' || table_name in " ~ tables
    ).columns[0].values()[0] | int -%}
    {%- set pieces = (read / rows_at_once) | round(0, "ceil") | int -%}
    {%- set orders = relation_of(graph.nodes["model.otif.int_orders_consolidated"]) -%}
    {%- set last_days = [] -%}
    {%- if pieces > 1 -%}
        {%- set last_days = asked_once(
            "select distinct cast(max(captured_date) as varchar) from (select captured_date, ntile(" ~ pieces
            ~ ") over (order by captured_date) as piece from " ~ orders ~ ") as cut group by piece order by 1"
        ) -%}
    {%- endif -%}
    {%- if last_days | length < 2 -%} {{ return([sql]) }} {%- endif -%}
    {%- set queries = [] -%}
    {%- set ends = [] -%}
    {%- for day in last_days -%}
        {%- set day = "date '" ~ day ~ "'" -%}
        {%- if loop.first -%} {%- set days = "captured_date <= " ~ day -%}
        {%- elif loop.last -%}
            {#- Nobody may vanish: a day that is not known goes with the last piece. -#}
            {%- set days = "(captured_date > " ~ ends[-1] ~ " or captured_date is null)" -%}
        {%- else -%} {%- set days = "captured_date > " ~ ends[-1] ~ " and captured_date <= " ~ day -%}
        {%- endif -%}
        {%- do ends.append(day) -%}
        {%- set captured = "(select order_id from " ~ orders ~ " where " ~ days ~ ") as captured" -%}
        {%- do queries.append(query_of_orders(model, sql, captured, days)) -%}
    {%- endfor -%}
    {{ return(queries) }}
{%- endmacro %}

{#-
    Events that the last build did not see, as a condition on a landing table: those `landed` since, or those that lay in its
    future (`due`). One kind at a time, so that DuckDB skips the blocks that have none.
-#}
{% macro is_event_new(family, kind) -%}
    {%- if execute and is_build_incremental() -%}
        {%- set seen = asked_once("select events from builds.seen where family = '" ~ family ~ "'") -%}
        {%- set landed = "rowid >= " ~ (seen[0] if seen else 0) -%}
        {{ landed if kind == "landed" else "not " ~ landed ~ " and event_at >= " ~ since_as_of() }}
        and event_at < {{ as_of() }}
    {%- else -%} false
    {%- endif -%}
{%- endmacro %}

{#-
    The numbers for which a model by number is made anew: those that new events name, and those of which a compared model
    (`and_of`) says something else now. None means all: what the numbers mean (`whole_after`) changed.
-#}
{% macro numbers_changed() -%}
    {%- set basis = config.get("whole_after") -%}
    {%- if basis and asked_once("select count(*) from " ~ changes_of(basis))[0] > 0 -%} {{ return(none) }} {%- endif -%}
    {%- set told = relation_of(graph.nodes["model.otif.int_numbers_changed"]) -%}
    {%- set number = config.get("number") -%}
    {%- set numbers = "select number from " ~ told ~ " where kind = '" ~ number ~ "'" -%}
    {%- if config.get("and_of") -%}
        {%- set numbers = numbers ~ " union select told." ~ number ~ " from " ~ changes_of(config.get("and_of"))
            ~ " as told" -%}
    {%- endif -%}
    {{ return("(" ~ numbers ~ ")") }}
{%- endmacro %}

{#- What a model by number makes anew with this build, a condition on the column of its input that has the number. -#}
{% macro of_numbers_changed(column) -%}
    {%- set numbers = numbers_changed() if execute and is_build_incremental() -%}
    {{ return(column ~ " in " ~ numbers if numbers else "true") }}
{%- endmacro %}

{#- Models of numbers before it is known what order they mean: the rows of a number depend on rows of that number. -#}
{% materialization by_number, adapter="duckdb", supported_languages=["sql"] -%}
    {%- if not is_build_incremental() or numbers_changed() is none -%} {{ return(make_table()) }} {%- endif -%}
    {%- do must_stand(load_cached_relation(this)) -%}
    {%- set rebuilt = this.identifier ~ "__rebuilt" -%}
    {% call statement("main") -%}
        create or replace temporary table {{ rebuilt }} as {{ sql }};
        delete from {{ this }} where {{ config.get("number") }} in {{ numbers_changed() }};
        insert into {{ this }} select * from {{ rebuilt }};
        drop table temp.{{ rebuilt }};
    {%- endcall %}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this]}) }}
{%- endmaterialization %}

{#- The table in memory that has what a model made, or what a view has of the orders that changed. -#}
{% macro made_of(name) -%}
    {{ return(api.Relation.create(database="made", schema="main", identifier=name)) }}
{%- endmacro %}

{#-
    The rows of an input that a model reads of the orders it builds: out of memory where the input was built for the same
    orders just now. It was built for some of them in any case, so that equal numbers of orders are the same orders. What
    a view has of the orders that changed at all is asked once.
-#}
{% macro rows_at_hand(input, rows, changed) -%}
    {%- set counts = graph["orders_rebuilt"] -%}
    {%- set orders = counts[changed | string] -%}
    {%- if input.config.materialized == "view" -%}
        {%- set all_changed = relation_of(graph.nodes["model.otif.int_orders_changed"]) -%}
        {%- if orders != asked_once("select count(*) from " ~ all_changed)[0] -%} {{ return(rows) }} {%- endif -%}
        {%- set at_hand = graph.setdefault("views_at_hand", {}) -%}
        {%- if input.alias not in at_hand -%}
            {#- Under the name of who asks: two models that ask at the same time must not make the same table. -#}
            {%- set made = made_of(input.alias ~ "__for_" ~ model.alias) -%}
            {%- do run_query("create or replace table " ~ made ~ " as " ~ rows) -%}
            {%- do at_hand.update({input.alias: made}) -%}
        {%- endif -%}
        {{ return("(from " ~ at_hand[input.alias] ~ ")") }}
    {%- endif -%}
    {%- set is_made = counts.get(changes_of(input.alias) | string) == orders and not input.config.get("orderless") -%}
    {{ return("(from " ~ made_of(input.alias) ~ ")" if is_made else rows) }}
{%- endmacro %}

{#- An increment on a table that somebody dropped would be wrong in silence. -#}
{% macro must_stand(relation) -%}
    {%- if relation is none -%}
        {%- do exceptions.raise_compiler_error(this ~ " is gone since the last build: run otif build --full") -%}
    {%- endif -%}
{%- endmacro %}

{#-
    Tables are joined in the order they are written in, until the model is made (a cursor begins with the settings of
    profiles.yml). DuckDB would cut a table down to the orders that changed only after having joined all of it.
-#}
{% macro join_in_order() -%}
    {%- do run_query("set global disabled_optimizers = 'build_side_probe_side,join_order'") -%}
{%- endmacro %}

{#-
    Row groups out of which rows went are packed by every eighth build on top of others (pipelines/increments.py): packing
    them whenever a few rows went would write a table anew for every small change.
-#}
{% macro pack_now_and_then() -%}
    {%- if asked_once("select coalesce(min(builds_left), 0) from builds.packing")[0] == 0 -%}
        {%- do run_query("set global max_vacuum_tasks = 100") -%}
    {%- endif -%}
{%- endmacro %}

{#-
    Replaces dbt's own: rows are put in place of all rows of an order, not of equal keys, so that rows can vanish. Rows
    without an order are made anew where the model says that it has any (`orderless`).
-#}
{% materialization incremental, adapter="duckdb", supported_languages=["sql"] -%}
    {%- set changed = changes_of(this.identifier) -%}
    {%- if not is_build_incremental() -%} {{ return(make_table(pieces_of_orders())) }} {%- endif -%}
    {%- do must_stand(load_cached_relation(this)) -%}
    {%- do pack_now_and_then() -%}
    {%- do join_in_order() -%}
    {%- do run_query("create or replace table " ~ changed ~ " as " ~ orders_to_rebuild(model)) -%}
    {%- set orders = orders_in(changed) -%}
    {%- if orders is none -%} {{ return(make_table(pieces_of_orders())) }} {%- endif -%}

    {%- set rebuilt = made_of(this.identifier) -%}
    {%- set columns = columns_of(this) -%}
    {%- set rows = "order_id in (select order_id from " ~ changed ~ ")" -%}
    {%- if config.get("orderless") -%} {%- set rows = rows ~ " or order_id is null" -%} {%- endif -%}
    {%- do adapter.commit() -%}  {#- a transaction writes to one database only -#}
    {%- do graph.setdefault("orders_rebuilt", {}).update({changed | string: orders}) -%}
    {%- set query = query_of_orders(model, sql, changed) -%}
    {%- do run_query("create or replace table " ~ rebuilt ~ " as select " ~ columns ~ " from " ~ this ~ " limit 0") -%}
    {%- do run_query(
        "insert into " ~ rebuilt ~ " select " ~ columns ~ " from (" ~ query ~ ") as rebuilt where " ~ rows
    ) -%}
    {%- do adapter.commit() -%}
    {%- if config.get("often_same") -%} {%- do tell_differences_only(changed, rebuilt, columns) -%} {%- endif -%}
    {%- set kept = columns_kept(this.identifier) -%}
    {%- set standing = "(" ~ rows ~ ")" ~ captured_then(model, changed) -%}
    {% call statement("main") -%}
        {%- if kept %}
            {%- set gone = changes_of(this.identifier ~ "__gone") %}
            create or replace table {{ gone }} as
            select rowid as row_gone, {{ kept }} from {{ this }} where {{ standing }};
            delete from {{ this }} where rowid in (select row_gone from {{ gone }});
        {%- else %}
            delete from {{ this }} where {{ standing }};
        {%- endif %}
        insert into {{ this }} ({{ columns }}) from {{ rebuilt }} where {{ rows }};
    {%- endcall %}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this]}) }}
{%- endmaterialization %}

{#- What a build keeps of the rows that it replaces in a table: their days. -#}
{% macro columns_kept(name) -%}
    {%- if name == "int_orders_consolidated" -%} {{ return("captured_date") }} {%- endif -%}
    {{ return(kpi_day_columns(name) if name in kpi_day_tables() else "") }}
{%- endmacro %}

{#- Orders that were made anew and are what they were are no changes: whoever reads the model need not follow. -#}
{% macro tell_differences_only(changed, rebuilt, columns) -%}
    {%- set digest = "sum(cast(hash(" ~ columns ~ ") as hugeint))" -%}
    {%- set told = "select order_id, count(*) as rows_told, " ~ digest ~ " as digest from " -%}
    {%- set standing = told ~ this ~ " where order_id in (select order_id from " ~ changed ~ ") group by order_id" -%}
    {%- set made = told ~ rebuilt ~ " group by order_id" -%}
    {%- do run_query(
        "create or replace table " ~ changed ~ " as select distinct order_id from ((" ~ made ~ " except " ~ standing
        ~ ") union all (" ~ standing ~ " except " ~ made ~ ")) as differences"
    ) -%}
    {%- do graph["orders_rebuilt"].update({changed | string: orders_in(changed)}) -%}
    {%- do adapter.commit() -%}
{%- endmacro %}

{#- What tells whether a compared table changed: a digest per order where it has orders, else its rows. -#}
{% macro rows_to_compare(relation) -%}
    {%- set columns = columns_of(relation) -%}
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
    `families` names the models of rows that are added up; where there are several, column `family` tells them apart.
-#}
{% materialization by_day, adapter="duckdb", supported_languages=["sql"] -%}
    {%- set families = config.get("families") -%}
    {%- set cut = namespace(sql=sql, is_whole=not is_build_incremental()) -%}
    {%- if not cut.is_whole -%}
        {%- do must_stand(load_cached_relation(this)) -%}
        {%- for family in families -%}
            {%- set days = days_changed(family) -%}
            {%- if none in days -%}
                {%- set cut.is_whole = true -%}
            {%- endif -%}
            {%- if family != "excluded" -%} {%- set cut.sql = rows_on_days(cut.sql, family, days) -%} {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if cut.is_whole -%} {{ return(make_table()) }} {%- endif -%}
    {%- do join_in_order() -%}
    {%- set rows = days_in(days_changed(families[0])) -%}
    {%- if families | length > 1 -%}
        {%- set rows = "(family, period_date) in (select family, period_date from " ~ days_table(families[0]) ~ ")" -%}
    {%- endif -%}
    {%- set columns = columns_of(this) -%}
    {% call statement("main") -%}
        delete from {{ this }} where {{ rows }};
        insert into {{ this }} ({{ columns }}) select {{ columns }} from ({{ cut.sql }})
        {%- if families | length == 1 %} where {{ rows }} {%- endif %};
    {%- endcall %}
    {%- do adapter.commit() -%}
    {{ return({"relations": [this]}) }}
{%- endmaterialization %}

{#-
    A condition that the rows of a view of KPI rows stand on the days that are added up anew, true anywhere else: for joins
    and sums through which a condition on period_date does not reach the table. Rows without the day stay in.
-#}
{% macro on_days_changed(day) -%} /* on days changed: {{ day }} */ true {%- endmacro %}

{#- The same for a table that lacks the day: its rows of the orders that another table (`told`) has on those days. -#}
{% macro of_orders_on_days_changed(order_id, told, day) -%}
    /* of orders on days changed: {{ order_id }} in {{ told }} by {{ day }} */ true
{%- endmacro %}

{#- The same of rows that no KPI counts: sums do without them. -#}
{% macro on_no_day() -%} {{ on_days_changed("date '0001-01-01'") }} {%- endmacro %}

{#- A query that adds up the rows of a family, these cut down to some days. -#}
{% macro rows_on_days(query, family, days) -%}
    {%- set view = kpi_rows_of(family) -%}
    {%- set early = modules.re.sub(
        "/[*] on days changed: (.+?) [*]/ true", "(\\1 is null or " ~ days_in(days, "\\1") ~ ")",
        graph["queries"][view.unique_id]
    ) -%}
    {%- set early = modules.re.sub(
        "/[*] of orders on days changed: (.+?) in (.+?) by (.+?) [*]/ true",
        "\\1 in (select order_id from \\2 where \\3 is null or " ~ days_in(days, "\\3") ~ ")", early
    ) -%}
    {%- set rows = "(select * from (" ~ early ~ ") where " ~ days_in(days) ~ ")" -%}
    {{ return(query | replace(relation_of(view) | string, rows)) }}
{%- endmacro %}

{#- The days that this build adds up anew for a family of KPIs; a null among them means every day. -#}
{% macro days_changed(family) -%}
    {{ return(asked_once(
        "select period_date from " ~ days_table(family) ~ " where family = '" ~ family ~ "' order by period_date"
    )) }}
{%- endmacro %}

{% macro days_table(family) -%}
    {%- set model = "kpi_days_excluded" if family == "excluded" else "kpi_days_changed" -%}
    {{ return(relation_of(graph.nodes["model.otif." ~ model])) }}
{%- endmacro %}

{#- Rows of certain days, as a condition that reaches the rows below joins and sums. -#}
{% macro days_in(days, column="period_date") -%}
    {{ return(column ~ " in (date '" ~ days | join("', date '") ~ "')" if days else "false") }}
{%- endmacro %}

{#- Does a table of changed orders say that all of them changed? -#}
{% macro is_whole(changed) -%}
    {%- set all = run_query("select count(*) from " ~ changed ~ " where order_id is null") -%}
    {{ return(all.columns[0].values()[0] > 0) }}
{%- endmacro %}

{#- Did this build make an incremental model anew for some orders, not as a whole? -#}
{% macro is_rebuilt_by_order(name) -%}
    {{ return(changes_of(name) | string in graph.get("orders_rebuilt", {})) }}
{%- endmacro %}

{#- How many orders a table of changed orders has; none if it says that all of them changed. -#}
{% macro orders_in(changed) -%}
    {%- set told = run_query(
        "select case when count(*) = count(order_id) then count(*) end as orders from " ~ changed
    ) -%}
    {{ return(told.columns[0].values()[0]) }}
{%- endmacro %}

{#- The rows of a model that this build made anew, as a condition; none = all of them. -#}
{% macro rows_rebuilt(node) -%}
    {%- set rebuilt = namespace(rows=none) -%}
    {%- if node.config.get("by_day") or node.config.materialized == "by_day" -%}
        {%- set days = [] -%}
        {%- for family in node.config.get("families", kpi_days().keys() | list) -%}
            {%- do days.extend(days_changed(family)) -%}
        {%- endfor -%}
        {%- if none not in days -%} {%- set rebuilt.rows = days_in(days | unique | list) -%} {%- endif -%}
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
