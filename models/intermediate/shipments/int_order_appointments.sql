{{ config(materialized='incremental', linked=true) }}
{#-
    When the customer's dock expects an order: what was agreed last for each of its loads, and of several loads the last.
    Pickups (`stop` in the attributes) are another dock's. A time without an hour, midnight at the dock, is the whole day;
    any other is kept until its minute is over. Grain is order_id.
-#}
with agreed as (
    select
        order_id,
        coalesce(shipment_id, tracking_number, '') as load_id,
        appointment_at,
        event_at,
        observed_at,
        attributes
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'appt.scheduled' and appointment_at is not null and order_id is not null

    union all

    -- A carrier that names no order names a parcel of it.
    select
        pieces.order_id,
        coalesce(events.shipment_id, events.tracking_number) as load_id,
        events.appointment_at,
        events.event_at,
        events.observed_at,
        events.attributes
    from {{ ref('int_shipment_lines') }} as pieces
    inner join {{ ref('int_shipment_events_identified') }} as events on pieces.tracking_number = events.tracking_number
    where events.event_type = 'appt.scheduled' and events.appointment_at is not null and events.order_id is null
),

loads as (
    select
        order_id,
        load_id,
        {{ last_known('appointment_at', then_by('event_at', 'observed_at')) }} as appointment_at
    from agreed
    where coalesce({{ json_text("attributes", "'$.stop'") }}, 'delivery') <> 'pickup'
    group by order_id, load_id
),

ordered as (
    select
        order_id,
        max(appointment_at) as appointment_at
    from loads
    group by order_id
),

local_times as (
    select
        ordered.order_id,
        ordered.appointment_at,
        orders.clock_zone,
        {{ to_local('ordered.appointment_at', 'orders.clock_zone') }} as appointment_local
    from ordered
    inner join {{ ref('int_orders_consolidated') }} as orders on ordered.order_id = orders.order_id
)

select
    order_id,
    appointment_at,
    case
        when {{ time_of_day('appointment_local') }} = '00:00'
            then {{ to_utc(add_days('appointment_local', 1), 'clock_zone') }}
        else appointment_at + interval '1' minute
    end as appointment_end_at
from local_times
