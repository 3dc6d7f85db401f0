{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every parcel against the carrier's first estimate (K15). Grain is order_id, tracking_number. -#}
-- Goods that left without a number or without the carrier's word.
with untold as (
    select
        order_id,
        coalesce(tracking_number, '(none)') as tracking_number,
        min(service) as service,
        min(node_id) as node_id,
        min(carrier) as carrier,
        min(region) as region,
        min(coalesce(accepted_at, ship_confirmed_at, arrived_at, delivered_at)) as shipped_at
    from {{ ref('fct_shipment_lines') }}
    where
        not is_voided
        and (tracking_number is null or accepted_at is null)
        and coalesce(accepted_at, ship_confirmed_at, arrived_at, delivered_at) is not null
        and {{ on_no_day() }}
    group by order_id, coalesce(tracking_number, '(none)')
),

combined as (
    select
        'carrier_on_time' as kpi_id,
        'parcel' as row_kind,
        concat_ws(' ', order_id, tracking_number) as row_key,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        service,
        {{ kpi_dimensions() }},
        currency,
        case
            when exclusion_reason is not null then exclusion_reason
            when estimated_at is null then 'no_estimate'
            when not is_due then 'not_due'
        end as exclusion_reason,
        case when is_on_time then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        coalesce(estimated_date, {{ company_date('accepted_at') }}) as period_date
    from {{ ref('int_parcels_estimated') }}
    union all
    select
        'carrier_on_time' as kpi_id,
        'parcel' as row_kind,
        concat_ws(' ', untold.order_id, untold.tracking_number) as row_key,
        untold.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        untold.service,
        orders.channel,
        orders.channel_type,
        {{ kpi_customer("orders.") }} as customer_id,
        untold.node_id,
        untold.carrier,
        untold.region,
        orders.category,
        orders.seller_id,
        orders.currency,
        coalesce(
            orders.exclusion_reason,
            case when untold.tracking_number = '(none)' then 'no_tracking_number' else 'not_accepted' end
        ) as exclusion_reason,
        0 as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('untold.shipped_at') }} as period_date
    from untold
    inner join {{ ref('fct_orders') }} as orders on untold.order_id = orders.order_id
    left join {{ ref('int_parcels_estimated') }} as parcels
        on untold.order_id = parcels.order_id and untold.tracking_number = parcels.tracking_number
    where parcels.order_id is null
)

{{ kpi_fact_columns("combined") }}
