{#-
    Instants are naive UTC timestamps. These macros are the only place where zones are applied. DuckDB asks the zone's rules
    for every row, which costs as much as a join: an instant in UTC is its own local time.
-#}

{#-
    The instant the build looks from. It stands in the database, not in the variables: dbt would read the whole project
    anew for every other value of a variable. Unit tests set the variable.
-#}
{% macro as_of() -%}
    {%- set instant = var("as_of") -%}
    {%- if execute and not instant -%}
        {%- set instant = asked_once("select cast(as_of as varchar) from builds.context")[0] -%}
    {%- endif -%}
    cast('{{ instant }}' as timestamp)
{%- endmacro %}

{#- The instant that the build looked from on which this one stands. -#}
{% macro since_as_of() -%}
    cast('{{ asked_once("select cast(since_as_of as varchar) from builds.context")[0] }}' as timestamp)
{%- endmacro %}

{% macro to_local(instant, zone) -%}
    {{ return(adapter.dispatch('to_local')(instant, zone)) }}
{%- endmacro %}

{% macro default__to_local(instant, zone) -%}
    {{ unless_utc(instant, zone, "((" ~ instant ~ " at time zone 'UTC') at time zone " ~ zone ~ ")") }}
{%- endmacro %}

{% macro spark__to_local(instant, zone) -%}
    from_utc_timestamp({{ instant }}, {{ zone }})
{%- endmacro %}

{% macro to_utc(local_timestamp, zone) -%}
    {{ return(adapter.dispatch('to_utc')(local_timestamp, zone)) }}
{%- endmacro %}

{% macro default__to_utc(local_timestamp, zone) -%}
    {{ unless_utc(
        local_timestamp, zone, "((" ~ local_timestamp ~ " at time zone " ~ zone ~ ") at time zone 'UTC')"
    ) }}
{%- endmacro %}

{#- A timestamp, or what becomes of it in a zone other than UTC. -#}
{% macro unless_utc(instant, zone, moved) -%}
    {%- if zone == "'UTC'" -%} {{ instant }}
    {%- else -%} case when {{ zone }} = 'UTC' then {{ instant }} else {{ moved }} end
    {%- endif -%}
{%- endmacro %}

{% macro spark__to_utc(local_timestamp, zone) -%}
    to_utc_timestamp({{ local_timestamp }}, {{ zone }})
{%- endmacro %}

{#- Elapsed hours between two instants, as a double. -#}
{% macro hours_between(start, finish) -%}
    {{ return(adapter.dispatch('hours_between')(start, finish)) }}
{%- endmacro %}

{% macro default__hours_between(start, finish) -%}
    (epoch_us({{ finish }}) - epoch_us({{ start }})) / 3600000000.0
{%- endmacro %}

{% macro spark__hours_between(start, finish) -%}
    (unix_micros({{ finish }}) - unix_micros({{ start }})) / 3600000000.0
{%- endmacro %}

{#- The hours that a node has worked until an instant of a day in int_node_days_opened; null where the day is. -#}
{% macro hours_worked(days, instant) -%}
    {{ days }}.hours_worked_before
    + case
        when {{ days }}.works_from is null or {{ instant }} < {{ days }}.works_from then 0
        else {{ hours_between(days ~ ".works_from", "least(" ~ instant ~ ", " ~ days ~ ".works_until)") }}
    end
{%- endmacro %}
