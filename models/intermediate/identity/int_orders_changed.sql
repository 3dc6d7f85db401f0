{#-
    Orders of which something new is known since the last build: an event of their own, a scan of a parcel of theirs, or
    a number that means another order now. What incremental models begin with.
-#}
with new_events as (
    select * from {{ ref('stg_landing__new_events') }}
),

-- Scans name a parcel; what a partner says of a shipment holds for every order in it.
parcels as (
    select tracking_number as link
    from new_events
    where tracking_number is not null
    union
    select shipment_id as link
    from new_events
    where shipment_id is not null
),

concerned as (
    select
        source,
        order_id,
        event_at
    from new_events
    union all
    select
        source,
        order_id,
        event_at
    from {{ ref('stg_landing__shipment_events') }}
    where tracking_number in (select parcels.link from parcels) or shipment_id in (select parcels.link from parcels)
)

select coalesce(renames.order_id, concerned.order_id) as order_id
from concerned
{{ join_renames('concerned') }}
where concerned.order_id is not null
union
select renamed.order_id
from ({{ orders_renamed() }}) as renamed
