{#- Reading facts out of the JSON of events, for the identity models. -#}

{#- A member of a JSON object as text; the path may be an expression. -#}
{% macro json_text(document, path) -%}
    {{ return(adapter.dispatch('json_text')(document, path)) }}
{%- endmacro %}

{% macro default__json_text(document, path) -%} json_extract_string({{ document }}, {{ path }}) {%- endmacro %}

{% macro spark__json_text(document, path) -%} get_json_object({{ document }}, {{ path }}) {%- endmacro %}

{#- A day written as eight digits, as a date; null where it is no day. -#}
{% macro day_of_digits(digits) -%}
    try_cast(
        concat_ws('-', substr({{ digits }}, 1, 4), substr({{ digits }}, 5, 2), substr({{ digits }}, 7, 2)) as date
    )
{%- endmacro %}

{% macro days_between(start, finish) -%}
    {{ return(adapter.dispatch('days_between')(start, finish)) }}
{%- endmacro %}

{% macro default__days_between(start, finish) -%} date_diff('day', {{ start }}, {{ finish }}) {%- endmacro %}

{% macro spark__days_between(start, finish) -%} datediff({{ finish }}, {{ start }}) {%- endmacro %}

{#- The join of events with the few numbers that mean another order, as of the time of the event. -#}
{% macro join_renames(events="events") -%}
    left join {{ ref('int_order_renames') }} as renames
        on
            {{ events }}.source = renames.source
            and {{ events }}.order_id = renames.order_reference
            and {{ events }}.event_at >= coalesce(renames.valid_from_at, {{ events }}.event_at)
            and (renames.valid_to_at is null or {{ events }}.event_at < renames.valid_to_at)
{%- endmacro %}
