{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Shipments that need a ship notice, and orders whose notice can be compared with what was received (K16). Grain is
    kpi_id, order_id, tracking_number (null for accuracy). -#}
with combined as (
    select
        'asn_timeliness' as kpi_id,
        'shipment' as row_kind,
        concat_ws(' ', asns.order_id, asns.tracking_number) as row_key,
        asns.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("orders.") }},
        asns.currency,
        case when not asns.is_asn_due then 'not_due' end as exclusion_reason,
        case when asns.is_asn_timely then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('asns.shipped_at') }} as period_date
    from {{ ref('int_asns_judged') }} as asns
    inner join {{ ref('fct_orders') }} as orders on asns.order_id = orders.order_id
    union all
    select
        'asn_accuracy' as kpi_id,
        'order' as row_kind,
        compared.order_id as row_key,
        compared.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        orders.exclusion_reason,
        case when compared.is_exact then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('compared.received_at') }} as period_date
    from {{ ref('int_asns_compared') }} as compared
    inner join {{ ref('fct_orders') }} as orders on compared.order_id = orders.order_id
)

{{ kpi_fact_columns("combined") }}
