{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Every parcel against the carrier's first estimate (K15). Grain is order_id, tracking_number. -#}
with combined as (
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
            when estimated_at is null then 'no_estimate'
            when not is_due then 'not_due'
        end as exclusion_reason,
        case when is_on_time then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional,
        coalesce(estimated_date, {{ company_date('accepted_at') }}) as period_date
    from {{ ref('int_parcels_estimated') }}
)

{{ kpi_fact_columns("combined") }}
