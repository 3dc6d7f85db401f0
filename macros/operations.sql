{#- The local day of the company on which the as-of instant falls. -#}
{% macro as_of_date() -%}
    cast({{ to_local(as_of(), "'" ~ var("company_zone") ~ "'") }} as date)
{%- endmacro %}

{#- The local day of the company on which an instant falls. -#}
{% macro company_date(instant) -%}
    cast({{ to_local(instant, "'" ~ var("company_zone") ~ "'") }} as date)
{%- endmacro %}

{#- Monday (or the workspace's first weekday) of a day's week. -#}
{% macro week_of(day) -%}
    {%- if var("week_start") == "sunday" -%}
        cast(date_trunc('week', {{ day }} + interval '1' day) - interval '1' day as date)
    {%- else -%}
        cast(date_trunc('week', {{ day }}) as date)
    {%- endif -%}
{%- endmacro %}

{#- First day of a day's week where weeks begin on a weekday (a column); null = the workspace's. -#}
{% macro own_week_of(day, week_start) -%}
    {%- set first = namespace(day="case coalesce(" ~ week_start ~ ", '" ~ var("week_start") ~ "')") -%}
    {%- for name in ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] -%}
        {%- set first.day = first.day ~ " when '" ~ name ~ "' then " ~ loop.index -%}
    {%- endfor -%}
    cast({{ add_days(day, "-((" ~ iso_weekday(day) ~ " + 7 - " ~ first.day ~ " end) % 7)") }} as date)
{%- endmacro %}

{#- A quantity or amount for people: no trailing zeros. -#}
{% macro as_text(number) -%}
    rtrim(rtrim(cast(cast({{ number }} as decimal(18, 2)) as varchar), '0'), '.')
{%- endmacro %}

{#- A count and its noun, for people: 1 line, 3 lines. -#}
{% macro counted(number, noun) -%}
    {{ as_text(number) }} || case when {{ number }} = 1 then ' {{ noun }}' else ' {{ noun }}s' end
{%- endmacro %}

{#- An instant for people, on the company's clock. -#}
{% macro as_stamp(instant) -%}
    {{ return(adapter.dispatch('as_stamp')(instant)) }}
{%- endmacro %}

{% macro default__as_stamp(instant) -%}
    strftime({{ to_local(instant, "'" ~ var("company_zone") ~ "'") }}, '%Y-%m-%d %H:%M')
{%- endmacro %}

{% macro spark__as_stamp(instant) -%}
    date_format({{ to_local(instant, "'" ~ var("company_zone") ~ "'") }}, 'yyyy-MM-dd HH:mm')
{%- endmacro %}

{#- The time between two instants for people: hours up to two days, then days. -#}
{% macro as_days(start, finish) -%}
    case
        when {{ hours_between(start, finish) }} < 48
            then cast(cast(floor({{ hours_between(start, finish) }}) as bigint) as varchar) || ' hours'
        else cast(cast(floor({{ hours_between(start, finish) }} / 24) as bigint) as varchar) || ' days'
    end
{%- endmacro %}
