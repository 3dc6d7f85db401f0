{#- Instants are naive UTC timestamps. These macros are the only place where zones are applied. -#}

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

{#- Instants are UTC already; the clock of another zone costs more than anything else that is done with a row. -#}
{% macro default__to_local(instant, zone) -%}
    {%- if zone == "'UTC'" -%} ({{ instant }})
    {%- else -%} (({{ instant }} at time zone 'UTC') at time zone {{ zone }})
    {%- endif -%}
{%- endmacro %}

{% macro spark__to_local(instant, zone) -%}
    from_utc_timestamp({{ instant }}, {{ zone }})
{%- endmacro %}

{% macro to_utc(local_timestamp, zone) -%}
    {{ return(adapter.dispatch('to_utc')(local_timestamp, zone)) }}
{%- endmacro %}

{% macro default__to_utc(local_timestamp, zone) -%}
    {%- if zone == "'UTC'" -%} ({{ local_timestamp }})
    {%- else -%} (({{ local_timestamp }} at time zone {{ zone }}) at time zone 'UTC')
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
