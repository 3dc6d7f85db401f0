{#- Building blocks of the order, service and KPI models; the only place where adapters differ there. -#}

{#- The last (first) value of a column that is not null, in the order of another column. -#}
{% macro last_known(column, sequence="event_order") -%}
    {{ return(adapter.dispatch('last_known')(column, sequence)) }}
{%- endmacro %}

{% macro default__last_known(column, sequence) -%}
    arg_max({{ column }}, {{ sequence }})
{%- endmacro %}

{% macro spark__last_known(column, sequence) -%}
    max_by({{ column }}, {{ sequence }}) filter (where ({{ column }}) is not null)
{%- endmacro %}

{% macro first_known(column, sequence="event_order") -%}
    {{ return(adapter.dispatch('first_known')(column, sequence)) }}
{%- endmacro %}

{% macro default__first_known(column, sequence) -%}
    arg_min({{ column }}, {{ sequence }})
{%- endmacro %}

{% macro spark__first_known(column, sequence) -%}
    min_by({{ column }}, {{ sequence }}) filter (where ({{ column }}) is not null)
{%- endmacro %}

{#- A sequence for the two above: by one column, then by another, so that equals have an order too. -#}
{% macro then_by(first, second) -%}
    {{ return(adapter.dispatch('then_by')(first, second)) }}
{%- endmacro %}

{% macro default__then_by(first, second) -%} row({{ first }}, {{ second }}) {%- endmacro %}

{% macro spark__then_by(first, second) -%} struct({{ first }}, {{ second }}) {%- endmacro %}

{#- Interpolated percentile of a group, nulls left out. -#}
{% macro percentile(column, share) -%}
    {{ return(adapter.dispatch('percentile')(column, share)) }}
{%- endmacro %}

{% macro default__percentile(column, share) -%} quantile_cont({{ column }}, {{ share }}) {%- endmacro %}

{% macro spark__percentile(column, share) -%} percentile({{ column }}, {{ share }}) {%- endmacro %}

{#- The value that all rows of a group share; several values and no value have their own words. -#}
{% macro one_or_multiple(column) -%}
    case
        when min({{ column }}) is null then '(none)'
        when min({{ column }}) = max({{ column }}) then min({{ column }})
        else '(multiple)'
    end
{%- endmacro %}

{% macro add_days(instant, days) -%}
    ({{ instant }} + interval '1' day * {{ days }})
{%- endmacro %}

{% macro add_hours(instant, hours) -%}
    ({{ instant }} + interval '1' hour * {{ hours }})
{%- endmacro %}

{#- The last moment before an exclusive end. -#}
{% macro just_before(instant) -%}
    ({{ instant }} - {{ adapter.dispatch('microsecond')() }})
{%- endmacro %}

{% macro default__microsecond() -%} interval '1' microsecond {%- endmacro %}

{% macro spark__microsecond() -%} interval '0.000001' second {%- endmacro %}

{% macro iso_weekday(day) -%}
    {{ return(adapter.dispatch('iso_weekday')(day)) }}
{%- endmacro %}

{% macro default__iso_weekday(day) -%} isodow({{ day }}) {%- endmacro %}

{% macro spark__iso_weekday(day) -%} (weekday({{ day }}) + 1) {%- endmacro %}

{% macro time_of_day(local_timestamp) -%}
    {{ return(adapter.dispatch('time_of_day')(local_timestamp)) }}
{%- endmacro %}

{% macro default__time_of_day(local_timestamp) -%} strftime({{ local_timestamp }}, '%H:%M') {%- endmacro %}

{% macro spark__time_of_day(local_timestamp) -%} date_format({{ local_timestamp }}, 'HH:mm') {%- endmacro %}

{% macro join_text(column, separator) -%}
    {{ return(adapter.dispatch('join_text')(column, separator)) }}
{%- endmacro %}

{% macro default__join_text(column, separator) -%} string_agg({{ column }}, '{{ separator }}' order by {{ column }}) {%- endmacro %}

{% macro spark__join_text(column, separator) -%} array_join(array_sort(collect_list({{ column }})), '{{ separator }}') {%- endmacro %}

{#- A number that rows share if they agree in the columns; now and then others share it too. -#}
{% macro row_hash(columns) -%}
    {{ return(adapter.dispatch('row_hash')(columns)) }}
{%- endmacro %}

{% macro default__row_hash(columns) -%} hash({{ columns | join(", ") }}) {%- endmacro %}

{% macro spark__row_hash(columns) -%} xxhash64({{ columns | join(", ") }}) {%- endmacro %}

{#- Columns of text as one text; what is null reads as empty. -#}
{% macro texts_joined(columns, prefix="") -%}
    concat_ws('|'
    {%- for column in columns -%}
        , coalesce({{ prefix }}{{ column }}, '')
    {%- endfor -%}
    )
{%- endmacro %}

{#- A key of 128 bits for columns of text: joined and grouped by at a fraction of what texts cost. -#}
{% macro text_key(columns) -%}
    {{ return(adapter.dispatch('text_key')(columns)) }}
{%- endmacro %}

{% macro default__text_key(columns) -%} md5_number({{ texts_joined(columns) }}) {%- endmacro %}

{% macro spark__text_key(columns) -%} md5({{ texts_joined(columns) }}) {%- endmacro %}

{#- Dimensions every fact carries, in one order. -#}
{% macro dimensions(prefix="") -%}
    {%- for name in [
        "channel", "channel_type", "customer_id", "node_id", "carrier", "region", "category", "seller_id",
    ] -%}
        {{ prefix }}{{ name }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- The company's zone as an SQL literal. -#}
{% macro company_zone() -%} '{{ var("company_zone") }}' {%- endmacro %}

{#- Customers are a dimension of KPIs where they are accounts, not persons: in wholesale. -#}
{% macro kpi_customer(prefix="") -%}
    case when {{ prefix }}channel_type = 'wholesale' then {{ prefix }}customer_id else '(none)' end
{%- endmacro %}

{#- The dimensions as KPIs carry them; what a source table lacks is (none). -#}
{% macro kpi_dimensions(prefix="", absent=[]) -%}
    {%- for name in [
        "channel", "channel_type", "customer_id", "node_id", "carrier", "region", "category", "seller_id",
    ] -%}
        {%- if name in absent -%} '(none)' as {{ name }}
        {%- elif name == "customer_id" -%} {{ kpi_customer(prefix) }} as customer_id
        {%- else -%} {{ prefix }}{{ name }} as {{ name }}
        {%- endif -%}
        {{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Rows with numerator and denominator added up as kpi_values holds them, for KPIs that no profile judges. -#}
{% macro kpi_rows_summed(relation) -%}
    select
        kpi_id,
        '' as profile_id,
        false as is_headline,
        period_date,
        {{ dimensions() }},
        coalesce(currency, '(none)') as currency,
        cast(sum(numerator) as double) as numerator,
        cast(sum(denominator) as double) as denominator,
        cast(count(*) as bigint) as observations,
        max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
    from {{ relation }}
    where period_date is not null
    group by all
{%- endmacro %}

{#- The milestones of an order in the order of the business; column `<milestone>_at` of fct_orders. -#}
{% macro order_milestones() -%}
    captured approved released pick_started pick_completed packed accepted delivered invoiced
{%- endmacro %}
