{#- What all models of KPI rows share: which there are, the columns of a row, and the sums of the service KPIs. -#}

{#- The models of KPI rows, one per population, in words. Stages are the rows of the KPIs of hours, which are not added
    up. -#}
{% macro kpi_fact_models() -%} {{ kpi_fact_models_by_order() }} {{ kpi_fact_models_of_others() }} {%- endmacro %}

{#- Those whose rows of an order depend on rows of the same order only, and on the last day before the as-of. -#}
{% macro kpi_fact_models_by_order() -%}
    orders_due lines_due perfection accuracy shipping cancelling goods_shipped grading backorders promises parcels
    freight cut_offs
{%- endmacro %}

{#- Those of them that share their rows with no other KPI (kpi_sums_of_single_kpis). -#}
{% macro kpi_fact_models_single() -%} accuracy shipping grading backorders parcels freight cut_offs {%- endmacro %}

{% macro kpi_fact_models_of_others() -%} notices documents invoices deductions receivables {%- endmacro %}

{#-
    Where the days of the rows that the former count stand, per model of rows: every period_date is one of these, of the
    same order.
-#}
{% macro kpi_days() -%}
    {{ return({
        "orders_due": {"fct_order_assessments": ["due_date"]},
        "lines_due": {"int_service_units_assessed": ["due_date"]},
        "perfection": {"fct_order_assessments": ["due_date"]},
        "accuracy": {"fct_orders": ["captured_date", company_date("accepted_at")]},
        "shipping": {"int_order_lines_handed_over": ["coalesce(ship_due_date, captured_date)"]},
        "cancelling": {"fct_orders": ["captured_date"]},
        "goods_shipped": {
            "int_order_lines_balanced": [company_date("coalesce(first_accepted_at, first_shipped_at)")]
        },
        "grading": {"fct_returns": [company_date("coalesce(graded_at, received_at, created_at, refunded_at)")]},
        "backorders": {"int_service_units_assessed": ["due_date"]},
        "promises": {"int_order_lines_balanced": [company_date("captured_at")]},
        "parcels": {"int_parcels_estimated": ["estimated_date", company_date("accepted_at")]},
        "freight": {"fct_orders": ["captured_date"], "int_order_lines_balanced": [company_date("captured_at")]},
        "cut_offs": {"int_node_orders_clocked": ["due_date"]},
    }) }}
{%- endmacro %}

{#- Where the days of rows stand that a KPI leaves out, beside the former. -#}
{% macro kpi_days_left_out() -%}
    {{ return({
        "fct_orders": ["captured_date"],
        "int_shipment_lines": [company_date("coalesce(accepted_at, ship_confirmed_at, arrived_at, delivered_at)")],
        "int_order_lines_balanced": [company_date("captured_at")],
    }) }}
{%- endmacro %}

{#- The tables of which a build keeps the rows that it replaces, because their days are added up anew. -#}
{% macro kpi_day_tables() -%}
    {%- set tables = kpi_days_left_out().keys() | list -%}
    {%- for sources in kpi_days().values() -%} {%- do tables.extend(sources.keys()) -%} {%- endfor -%}
    {{ return(tables | unique | list) }}
{%- endmacro %}

{#- Orders whose KPI rows time alone changes: claims can no longer come (kpi_facts_of_accuracy). -#}
{% macro kpi_orders_matured() -%}
    {%- set delivered = company_date("coalesce(delivered_at, accepted_at)") -%}
    {%- set claimable = " - interval '1' day * " ~ var("claim_days", 30) -%}
    select order_id from {{ relation_of(graph.nodes["model.otif.fct_orders"]) }}
    where
        {{ delivered }} > {{ company_date(since_as_of()) }}{{ claimable }}
        and {{ delivered }} <= {{ as_of_date() }}{{ claimable }}
{%- endmacro %}

{#- The columns of the rows that a table of days loses with a build which say what days these were. -#}
{% macro kpi_day_columns(name) -%}
    {%- set days = kpi_days_left_out().get(name, []) | list -%}
    {%- for sources in kpi_days().values() -%} {%- do days.extend(sources.get(name, [])) -%} {%- endfor -%}
    {%- set columns = [] -%}
    {%- for day in days | unique -%} {%- do columns.append(day ~ " as " ~ kpi_day_column(day)) -%} {%- endfor -%}
    {%- if name == "int_node_orders_clocked" -%} {%- do columns.extend(["node_id", "due_at"]) -%} {%- endif -%}
    {{ return(columns | join(", ")) }}
{%- endmacro %}

{% macro kpi_day_column(day) -%} {{ return("day_" ~ local_md5(day)) }} {%- endmacro %}

{#-
    The days on which rows of certain orders (table `orders` of the query) stand, and stood before this build. A table that
    was made anew as a whole says that all orders changed.
-#}
{% macro kpi_days_of_orders(sources) -%}
    {%- set days = ["select cast(null as date) as period_date"] -%}
    {%- for name, columns in sources.items() if is_rebuilt_by_order(name) -%}
        {%- set table = relation_of(graph.nodes["model.otif." ~ name]) -%}
        {%- set others = "select order_id from orders except select order_id from " ~ changes_of(name) -%}
        {%- for day in columns -%}
            {%- do days.append("select " ~ day ~ " as period_date from " ~ made_of(name)) -%}
            {%- do days.append(
                "select " ~ day ~ " as period_date from " ~ table ~ " where order_id in (" ~ others ~ ")"
            ) -%}
            {%- do days.append(
                "select " ~ kpi_day_column(day) ~ " as period_date from " ~ changes_of(name ~ "__gone")
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(days) }}
{%- endmacro %}

{#- The days that time alone moves, and those that move with other orders, per model of rows. -#}
{% macro kpi_days_apart(family) -%}
    {%- if family == "backorders" -%}
        {#- What waits belongs to the last day: that of this build and of the one before. -#}
        {{ return([
            "select " ~ company_date(just_before(as_of())) ~ " as period_date",
            "select " ~ company_date(just_before(since_as_of())) ~ " as period_date",
        ]) }}
    {%- elif family == "goods_shipped" -%}
        {#- Shipments that are too old by now to come back (kpi_facts_wide_of_goods_shipped). -#}
        {%- set returnable = " - interval '1' day * " ~ var("return_maturity_days", 51) -%}
        {{ return([
            "select cast(unnest(range(" ~ company_date(since_as_of()) ~ returnable ~ ", " ~ as_of_date() ~ returnable
            ~ ", interval '1' day)) + interval '1' day as date) as period_date"
        ]) }}
    {%- elif family == "cut_offs" and is_rebuilt_by_order("int_node_orders_clocked") -%}
        {#- Orders whose node has more or less to do than before (excuses of int_node_orders_cut_off). -#}
        {%- set clocked = relation_of(graph.nodes["model.otif.int_node_orders_clocked"]) -%}
        {%- set loaded = "select node_id, due_at from " ~ clocked ~ " where order_id in (select order_id from "
            ~ changes_of("int_node_orders_clocked") ~ ") union select node_id, due_at from "
            ~ changes_of("int_node_orders_clocked__gone") -%}
        {{ return([
            "select due_date as period_date from " ~ clocked
            ~ " where daily_capacity_units is not null and (node_id, due_at) in (" ~ loaded ~ ")"
        ]) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}

{#- The model that has the rows of a family of KPIs. -#}
{% macro kpi_rows_of(family) -%}
    {%- set wide = "model.otif.kpi_facts_wide_of_" ~ family -%}
    {{ return(graph.nodes[wide if wide in graph.nodes else "model.otif.kpi_facts_of_" ~ family]) }}
{%- endmacro %}

{#-
    The days of each family of KPIs on which a row that counts came, went or changed with this build: of the orders that
    changed, where they stand and where they stood before, and the days that move without them.
-#}
{% macro kpi_days_changed() -%}
    {%- set found = namespace(sql="select '' as family, cast(null as date) as period_date where false") -%}
    {%- if execute and is_build_incremental() -%}
        {%- set families = [] -%}
        {%- for family, sources in kpi_days().items() -%}
            {%- set changed = orders_to_rebuild(kpi_rows_of(family)) -%}
            {%- if family == "accuracy" -%}
                {%- set changed = changed ~ " union " ~ kpi_orders_matured() -%}
            {%- endif -%}
            {%- set days = kpi_days_of_orders(sources) + kpi_days_apart(family) -%}
            {%- do families.append(
                "select '" ~ family ~ "' as family, period_date from (with orders as materialized (" ~ changed
                ~ ") select period_date from (" ~ days | join(" union ") ~ ") as days where period_date is not null"
                ~ " union all select cast(null as date) from orders where order_id is null) as changed"
            ) -%}
        {%- endfor -%}
        {%- set found.sql = families | join(" union ") -%}
    {%- endif -%}
    {{ return(found.sql) }}
{%- endmacro %}

{#- The days on which a row that no KPI counts came, went or changed: those of all orders that changed anyhow. -#}
{% macro kpi_days_excluded(node) -%}
    {%- set found = namespace(sql="select '' as family, cast(null as date) as period_date where false") -%}
    {%- if execute and is_build_incremental() -%}
        {%- set counted = relation_of(graph.nodes["model.otif.kpi_days_changed"]) -%}
        {%- set days = kpi_days_of_orders(kpi_days_left_out()) -%}
        {%- for sources in kpi_days().values() -%}
            {%- do days.extend(kpi_days_of_orders(sources)) -%}
        {%- endfor -%}
        {%- do days.append("select period_date from " ~ changes_of("kpi_rows_of_others")) -%}
        {%- do days.append("select period_date from " ~ counted) -%}
        {%- set found.sql = "with orders as materialized (" ~ orders_to_rebuild(node) ~ " union " ~ kpi_orders_matured()
            ~ ") select 'excluded' as family, period_date from (" ~ days | unique | join(" union ")
            ~ ") as days where period_date is not null union all select 'excluded', cast(null as date) from orders "
            ~ "where order_id is null" -%}
    {%- endif -%}
    {{ return(found.sql) }}
{%- endmacro %}

{#- The columns of a KPI row in their order. A row that has no day belongs to no figure. -#}
{% macro kpi_fact_columns(relation, profile_id="''", is_headline="false", counted="1") -%}
    select
        kpi_id,
        row_kind,
        row_key,
        {{ profile_id }} as profile_id,
        order_id,
        line_id,
        sku,
        service,
        {{ dimensions() }},
        coalesce(currency, '(none)') as currency,
        case
            when exclusion_reason is not null then exclusion_reason
            when period_date is null then 'no_date'
        end as exclusion_reason,
        cast(numerator as double) as numerator,
        cast(denominator as double) as denominator,
        cast({{ counted }} as bigint) as observations,
        {{ is_headline }} as is_headline,
        is_provisional,
        period_date
    from {{ relation }}
{%- endmacro %}

{#- JSON: the stages of a return in the order of the business, each with the instants of fct_returns that bound it. -#}
{% macro return_stages() -%}
    {
        "return_request_to_scan": ["created_at", "in_transit_at"],
        "return_scan_to_receive": ["in_transit_at", "received_at"],
        "return_receive_to_grade": ["received_at", "graded_at"],
        "return_receive_to_refund": ["received_at", "refunded_at"],
        "return_receive_to_restock": ["received_at", "restocked_at"]
    }
{%- endmacro %}

{#- JSON: KPI → classes of return reasons (seed return_reasons) it counts. -#}
{% macro return_classes() -%}
    {
        "return_rate_choice": "'customer_choice', 'exchange'",
        "return_rate_fulfilment": "'fulfilment_error', 'damaged', 'late_delivery'",
        "return_rate_product": "'defective', 'listing'",
        "return_rate_refused": "'refused'",
        "return_rate_unclassified": "'unclassified'"
    }
{%- endmacro %}

{#- JSON: KPI → verdict of an order. -#}
{% macro service_order_kpis() -%}
    {"on_time": "is_on_time", "in_full": "is_in_full", "otif": "is_otif", "order_fill": "is_first_pass"}
{%- endmacro %}

{#- JSON: KPI → numerator and denominator of a line. -#}
{% macro service_line_kpis() -%}
    {
        "otif_line": ["case when is_otif then 1 else 0 end", "1"],
        "otif_case": ["quantity_in_window", "base_quantity"],
        "otif_value": ["quantity_in_window * unit_cost", "base_quantity * unit_cost"],
        "unit_fill_revised": ["least(quantity_by_end, base_revised)", "base_revised"],
        "unit_fill_original": ["least(quantity_by_end, base_revised, base_original)", "base_original"],
        "unit_fill_first_pass": ["quantity_first_pass", "base_revised"],
        "value_fill": ["least(quantity_by_end, base_revised) * unit_price", "base_revised * unit_price"],
        "line_fill": ["case when is_in_full then 1 else 0 end", "1"]
    }
{%- endmacro %}

{#- Why an assessed order or line is not counted by a service profile; null = it is. -#}
{% macro service_exclusion(prefix="") -%}
    case
        when {{ prefix }}exclusion_reason is not null then {{ prefix }}exclusion_reason
        when not {{ prefix }}is_due then 'not_due'
    end
{%- endmacro %}

{#- JSON: models of KPI rows whose KPIs stand side by side in kpi_facts_wide_of_*, each with its KPIs. Added up side by
    side first, a row is read and grouped once, not once per KPI. -#}
{% macro kpi_wide_facts() %}
    {
        "perfection": [
            "perfect_order", "perfect_in_full", "perfect_on_time", "perfect_documents", "perfect_condition"
        ],
        "cancelling": [
            "cancellation_rate", "cancellation_rate_customer", "cancellation_rate_seller", "cancellation_rate_fraud",
            "cancellation_rate_retailer"
        ],
        "goods_shipped": [
            "return_rate", "return_rate_choice", "return_rate_fulfilment", "return_rate_product", "return_rate_refused",
            "return_rate_unclassified", "damage_rate", "over_shipped_rate"
        ],
        "promises": ["oversell_rate", "promise_slip_rate"]
    }
{% endmacro %}

{#- The rows of one of the KPIs that stand side by side. -#}
{% macro kpi_facts_told(kpi, relation, row_kind) -%}
    select
        '{{ kpi }}' as kpi_id,
        '{{ row_kind }}' as row_kind,
        row_key,
        order_id,
        line_id,
        sku,
        cast(null as varchar) as service,
        {{ dimensions() }},
        currency,
        {{ kpi }}_reason as exclusion_reason,
        {{ kpi }}_numerator as numerator,
        {{ kpi }}_denominator as denominator,
        {{ kpi }}_provisional as is_provisional,
        period_date
    from {{ relation }}
{%- endmacro %}

{#- KPIs that stand side by side, added up by day and dimensions. -#}
{% macro kpi_wide_sums(model) -%}
    select
        period_date,
        {{ dimensions() }},
        coalesce(currency, '(none)') as currency,
    {%- for kpi in fromjson(kpi_wide_facts())[model] %}
        cast(sum(case when {{ kpi }}_reason is null then {{ kpi }}_numerator end) as double) as {{ kpi }}_numerator,
        cast(sum(case when {{ kpi }}_reason is null then {{ kpi }}_denominator end) as double) as {{ kpi }}_denominator,
        count(case when {{ kpi }}_reason is null then 1 end) as {{ kpi }}_observations,
        max(case when {{ kpi }}_reason is null and {{ kpi }}_provisional then 1 else 0 end) = 1
            as {{ kpi }}_provisional{{ "," if not loop.last }}
    {%- endfor %}
    from {{ ref('kpi_facts_wide_of_' ~ model) }}
    where period_date is not null
    group by all
{%- endmacro %}

{#- The last ship day of which retailers have billed what they will: Walmart bills a month five weeks after its end. -#}
{% macro deductions_settled_until() -%}
    {{ add_days(as_of_date(), '-' ~ var('chargeback_maturity_days', 66)) }}
{%- endmacro %}

{#- The trouble that a fine or deduction is about; null = one that no landed fact proves. -#}
{% macro claim_kind(violation) -%}
    case
        when {{ violation }} in ('late_arrive', 'late_ship', 'early_arrive', 'early_ship') then 'arrival'
        when {{ violation }} in ('asn_late', 'asn_missing') then 'notice'
        when {{ violation }} = 'over_ship' then 'over'
        when {{ violation }} = 'short_ship' then 'short'
    end
{%- endmacro %}
