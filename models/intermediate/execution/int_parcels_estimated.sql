{{ config(materialized='incremental', ticks='not is_due and exclusion_reason is null and estimated_at <= as_of') }}
{#-
    Carrier punctuality (K15): every parcel against the first estimate the carrier gave; a day ends with the next midnight,
    which is not in it. A parcel past its estimate that was never delivered is late; one without estimate is not judged.
    Grain is tracking number and order.
-#}
with parcels as (
    select
        order_id,
        tracking_number,
        min(carrier) as carrier,
        min(service) as service,
        min(node_id) as node_id,
        min(region) as region,
        min(accepted_at) as accepted_at,
        min(estimated_delivery_first_at) as estimated_at,
        max(estimated_delivery_latest_at) as estimated_latest_at,
        max(coalesce(delivered_at, arrived_at)) as delivered_at,
        count(*) = count(coalesce(delivered_at, arrived_at)) as is_all_delivered
    from {{ ref('fct_shipment_lines') }}
    where not is_voided and tracking_number is not null and accepted_at is not null
    group by order_id, tracking_number
)

select
    parcels.order_id,
    parcels.tracking_number,
    orders.currency,
    orders.channel,
    orders.channel_type,
    orders.customer_id,
    parcels.node_id,
    parcels.carrier,
    parcels.service,
    parcels.region,
    orders.category,
    orders.seller_id,
    orders.exclusion_reason,
    coalesce(parcels.estimated_at <= {{ as_of() }} and not orders.is_excluded, false) as is_due,
    coalesce(parcels.is_all_delivered and parcels.delivered_at < parcels.estimated_at, false) as is_on_time,
    -- Late only because nothing tells that it, or a part of it, arrived.
    coalesce(
        parcels.estimated_at <= {{ as_of() }}
        and not orders.is_excluded
        and not parcels.is_all_delivered
        and coalesce(parcels.delivered_at < parcels.estimated_at, true),
        false
    ) as is_unproven,
    {{ company_date(just_before('parcels.estimated_at')) }} as estimated_date,
    parcels.accepted_at,
    parcels.estimated_at,
    parcels.estimated_latest_at,
    parcels.delivered_at
from parcels
inner join {{ ref('fct_orders') }} as orders on parcels.order_id = orders.order_id
