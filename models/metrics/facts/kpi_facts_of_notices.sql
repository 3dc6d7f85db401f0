{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Shipments that need a ship notice, and orders whose notice can be compared with what was received (K16). Grain is
    kpi_id, order_id, tracking_number (null for accuracy). -#}
-- Every shipment to a retailer.
with shipments as (
    select
        lines.order_id,
        coalesce(lines.tracking_number, '(none)') as tracking_number,
        min(coalesce(lines.accepted_at, lines.ship_confirmed_at, lines.arrived_at, lines.delivered_at)) as shipped_at
    from {{ ref('fct_shipment_lines') }} as lines
    inner join {{ ref('fct_orders') }} as orders on lines.order_id = orders.order_id
    where not lines.is_voided and orders.channel_type = 'wholesale'
    group by lines.order_id, coalesce(lines.tracking_number, '(none)')
),

announced as (
    select
        order_id,
        min(asn_sent_at) as asn_sent_at,
        min(shipped_at) as shipped_at
    from {{ ref('int_asns_judged') }}
    group by order_id
),

combined as (
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
        'asn_timeliness' as kpi_id,
        'shipment' as row_kind,
        concat_ws(' ', shipments.order_id, shipments.tracking_number) as row_key,
        shipments.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        coalesce(
            orders.exclusion_reason,
            case
                when orders.customer_id in (select judged.customer_id from {{ ref('int_asns_judged') }} as judged)
                    then 'not_accepted'
                else 'partner_without_notices'
            end
        ) as exclusion_reason,
        0 as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('shipments.shipped_at') }} as period_date
    from shipments
    inner join {{ ref('fct_orders') }} as orders
        on shipments.order_id = orders.order_id and orders.channel_type = 'wholesale'
    left join {{ ref('int_asns_judged') }} as asns
        on shipments.order_id = asns.order_id and shipments.tracking_number = asns.tracking_number
    where asns.order_id is null and shipments.shipped_at is not null
    union all
    select
        'asn_accuracy' as kpi_id,
        'order' as row_kind,
        orders.order_id as row_key,
        orders.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        coalesce(
            orders.exclusion_reason,
            case
                when compared.order_id is not null then null
                when announced.asn_sent_at is null then 'no_notice'
                else 'not_received'
            end
        ) as exclusion_reason,
        case when compared.is_exact then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('coalesce(compared.received_at, announced.shipped_at)') }} as period_date
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('int_asns_compared') }} as compared on orders.order_id = compared.order_id
    left join announced on orders.order_id = announced.order_id
    where compared.order_id is not null or announced.order_id is not null
)

{{ kpi_fact_columns("combined") }}
