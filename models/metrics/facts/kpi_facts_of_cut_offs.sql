{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Orders at their nodes against the cut-offs (K14). Grain is kpi_id, order_id, node_id. -#}
with combined as (
    {%- for kpi in ["cut_off_adherence", "cut_off_adherence_adjusted"] %}
        select
            '{{ kpi }}' as kpi_id,
            'order and node' as row_kind,
            concat_ws(' ', order_id, node_id) as row_key,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            {{ kpi_dimensions() }},
            currency,
            case
                when exclusion_reason is not null then exclusion_reason
                when not is_due then 'not_due'
                {%- if kpi == "cut_off_adherence_adjusted" %}
                    when excuse is not null then 'excused_' || excuse
                {%- endif %}
            end as exclusion_reason,
            case when is_adhered then 1 else 0 end as numerator,
            1 as denominator,
            false as is_provisional,
            due_date as period_date
        from {{ ref('int_node_orders_cut_off') }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_fact_columns("combined") }}
