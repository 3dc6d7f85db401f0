{#- What all models of KPI rows share: which there are, the columns of a row, and the sums of the service KPIs. -#}

{#- The models of KPI rows, one per population, in words. Stages are the rows of the KPIs of hours, which are not added
    up. -#}
{% macro kpi_fact_models() -%}
    orders_due lines_due perfection accuracy shipping cancelling goods_shipped grading backorders promises cut_offs
    parcels notices documents invoices deductions freight receivables
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
