{{ config(materialized='incremental', linked=true) }}
{#-
    What was shipped, in pieces: one row per shipment line of ONE system of record per order (warehouse system, then
    EDI, then shop, then whatever else states quantities), so that two systems telling the same shipment do not double
    it. Carrier events know only the tracking number and are joined by it. An order for which no system states
    quantities has one piece per order, line or parcel with quantity null: its times can be judged, its fill cannot.
-#}
{% set quantity_types = [
    "ship.confirmed", "asn.sent", "label.created", "packed", "pick.completed", "pick.started", "carrier.accepted",
    "arrived", "delivered", "received",
] %}
{% set told_by = ["order_id", "line_id", "sku", "shipment_id", "sscc", "event_type"] %}
{#- Rows that state a quantity, of the order's system of record: as a text, so that each reader takes only what it
    needs. -#}
{% set of_record %}
    (
        select shipment_events.*
        from {{ ref('int_shipment_events_identified') }} as shipment_events
        left join outranked
            on shipment_events.order_id = outranked.order_id and shipment_events.source = outranked.source
        where
            shipment_events.order_id is not null
            and shipment_events.quantity is not null
            and outranked.order_id is null
    )
{%- endset %}
{% set named_by = ["source", "order_id", "line_id", "sku", "shipment_id", "tracking_number", "sscc"] %}
{#- From when to when a scan of its tracking number can be about a piece. -#}
{% set scans_from_at = add_days("pieces.first_at", -3) %}
{% set scans_to_at %}
    coalesce({{ add_days("superseding.used_again_at", -3) }}, {{ add_days("pieces.first_at", 120) }})
{%- endset %}
{#- A tracking number that one row of a shipment line states holds for all of them. -#}
{% set join_tracked %}
    left join tracked
        on
            events.order_id = tracked.order_id
            and events.shipment_id = tracked.shipment_id
            and coalesce(events.line_id, '') = tracked.line_id
            and coalesce(events.sku, '') = tracked.sku
{%- endset %}
-- Orders of which several systems state quantities, with those whose word does not count.
with contested as (
    select order_id
    from {{ ref('int_shipment_events_identified') }}
    where order_id is not null and quantity is not null
    group by order_id
    having min(source) <> max(source)
),

outranked as (
    select
        order_id,
        source
    from (
        select
            stated.order_id,
            stated.source,
            row_number() over (
                partition by stated.order_id
                order by
                    coalesce(ranks.shipment_rank, 50),
                    stated.source
            ) as position
        from (
            select distinct
                events.order_id,
                events.source
            from {{ ref('int_shipment_events_identified') }} as events
            inner join contested on events.order_id = contested.order_id
            where events.quantity is not null
        ) as stated
        left join {{ ref('source_systems') }} as ranks on stated.source = ranks.source
    ) as ranked
    where position > 1
),

-- Shipments of which some row states no tracking number: only these ask the others for it.
untracked as (
    select distinct
        order_id,
        shipment_id
    from {{ of_record }} as events
    where shipment_id is not null and tracking_number is null
),

tracked as (
    select
        events.order_id,
        events.shipment_id,
        coalesce(events.line_id, '') as line_id,
        coalesce(events.sku, '') as sku,
        max(events.tracking_number) as tracking_number
    from {{ of_record }} as events
    inner join untracked on events.order_id = untracked.order_id and events.shipment_id = untracked.shipment_id
    where events.tracking_number is not null
    group by events.order_id, events.shipment_id, coalesce(events.line_id, ''), coalesce(events.sku, '')
),

-- What the buyer counted is no further shipment where the system tells what left.
counted as (
    select distinct order_id
    from {{ of_record }} as events
    where event_type = 'received'
),

told as (
    select distinct events.order_id
    from {{ of_record }} as events
    inner join counted on events.order_id = counted.order_id
    where events.event_type <> 'received'
),

-- A notice sent anew says all of its shipment: cartons it leaves out were never in it.
restated as (
    select
        source,
        event_type,
        coalesce(shipment_id, '') as shipment_id,
        max(observed_at) as restated_at
    from {{ of_record }} as events
    where event_type = 'asn.sent' and {{ json_text("attributes", "'$.purpose'") }} in ('05', '07')
    group by source, event_type, coalesce(shipment_id, '')
),

-- A row that comes again with a correction replaces what it said before; cartons told together add up. Only the few
-- steps that were told at several times need a closer look.
retold as (
    select {{ row_hash(told_by) }} as step_hash
    from {{ of_record }} as events
    group by {{ row_hash(told_by) }}
    having min(observed_at) <> max(observed_at)
),

superseded as (
    select event_id
    from (
        select
            events.event_id,
            dense_rank() over (
                partition by
                    {%- for column in told_by %}
                        events.{{ column }},
                    {%- endfor %}
                    coalesce(events.tracking_number, tracked.tracking_number)
                order by events.observed_at desc
            ) as recency
        from (
            select
                *,
                {{ row_hash(told_by) }} as step_hash
            from {{ of_record }} as stated_events
        ) as events
        inner join retold on events.step_hash = retold.step_hash
        {{ join_tracked }}
    ) as ranked
    where recency > 1
),

corrected as (
    select
        events.*,
        coalesce(events.tracking_number, tracked.tracking_number) as piece_tracking
    from {{ of_record }} as events
    {{ join_tracked }}
    left join told on events.order_id = told.order_id
    left join restated
        on
            events.source = restated.source
            and events.event_type = restated.event_type
            and coalesce(events.shipment_id, '') = restated.shipment_id
    left join superseded on events.event_id = superseded.event_id
    where
        (events.event_type <> 'received' or told.order_id is null)
        and (restated.restated_at is null or events.observed_at >= restated.restated_at)
        and superseded.event_id is null
),

recorded as (
    select
        order_id,
        line_id,
        sku,
        shipment_id,
        piece_tracking as tracking_number,
        sscc,
        source,
        coalesce(
            {%- for event_type in quantity_types %}
                sum(case when event_type = '{{ event_type }}' then quantity end){{ "," if not loop.last }}
            {%- endfor %}
        ) as quantity,
        max(node_id) as node_id,
        lower(max(carrier)) as carrier,
        max(service) as service,
        max(ship_to_region) as region,
        max(cost_amount) as freight_cost,
        min(event_at) as first_at,
        min(case when event_type = 'pick.started' then event_at end) as pick_started_at,
        max(case when event_type = 'pick.completed' then event_at end) as pick_completed_at,
        max(case when event_type = 'packed' then event_at end) as packed_at,
        max(case when event_type = 'label.created' then event_at end) as label_at,
        max(case when event_type = 'ship.confirmed' then event_at end) as ship_confirmed_at,
        max(case when event_type = 'asn.sent' then event_at end) as asn_sent_at,
        min(case when event_type = 'carrier.accepted' then event_at end) as accepted_at,
        min(case when event_type = 'in_transit' then event_at end) as in_transit_at,
        min(case when event_type = 'arrived' then event_at end) as arrived_at,
        min(case when event_type = 'delivered' then event_at end) as delivered_at,
        min(case when event_type = 'received' then event_at end) as received_at,
        cast(null as timestamp) as estimated_first_at,
        cast(null as timestamp) as estimated_latest_at
    from corrected
    group by order_id, line_id, sku, shipment_id, piece_tracking, sscc, source
),

stated as (
    select distinct order_id
    from {{ ref('int_shipment_events_identified') }}
    where order_id is not null and quantity is not null
),

-- Orders without any stated quantity: what is known of the whole order, a line or a parcel.
unquantified as (
    select
        shipment_events.order_id,
        shipment_events.line_id,
        max(shipment_events.sku) as sku,
        shipment_events.shipment_id,
        shipment_events.tracking_number,
        max(shipment_events.sscc) as sscc,
        min(shipment_events.source) as source,
        cast(null as decimal(38, 3)) as quantity,
        max(shipment_events.node_id) as node_id,
        lower(max(shipment_events.carrier)) as carrier,
        max(shipment_events.service) as service,
        max(shipment_events.ship_to_region) as region,
        max(shipment_events.cost_amount) as freight_cost,
        min(shipment_events.event_at) as first_at,
        min(case when shipment_events.event_type = 'pick.started' then shipment_events.event_at end)
            as pick_started_at,
        max(case when shipment_events.event_type = 'pick.completed' then shipment_events.event_at end)
            as pick_completed_at,
        max(case when shipment_events.event_type = 'packed' then shipment_events.event_at end) as packed_at,
        max(case when shipment_events.event_type = 'label.created' then shipment_events.event_at end) as label_at,
        max(case when shipment_events.event_type = 'ship.confirmed' then shipment_events.event_at end)
            as ship_confirmed_at,
        max(case when shipment_events.event_type = 'asn.sent' then shipment_events.event_at end) as asn_sent_at,
        min(case when shipment_events.event_type = 'carrier.accepted' then shipment_events.event_at end)
            as accepted_at,
        min(case when shipment_events.event_type = 'in_transit' then shipment_events.event_at end) as in_transit_at,
        min(case when shipment_events.event_type = 'arrived' then shipment_events.event_at end) as arrived_at,
        min(case when shipment_events.event_type = 'delivered' then shipment_events.event_at end) as delivered_at,
        min(case when shipment_events.event_type = 'received' then shipment_events.event_at end) as received_at,
        {{ first_known('shipment_events.estimated_delivery_at', 'shipment_events.event_at') }} as estimated_first_at,
        {{ last_known('shipment_events.estimated_delivery_at', 'shipment_events.event_at') }} as estimated_latest_at
    from {{ ref('int_shipment_events_identified') }} as shipment_events
    left join stated on shipment_events.order_id = stated.order_id
    where
        shipment_events.order_id is not null
        and shipment_events.quantity is null
        and stated.order_id is null
        and shipment_events.event_type not in ('label.voided', 'appt.requested', 'appt.scheduled', 'eta.updated')
    group by
        shipment_events.order_id,
        shipment_events.line_id,
        shipment_events.shipment_id,
        shipment_events.tracking_number
),

pieces as (
    select
        *,
        {{ text_key(named_by) }} as piece_key
    from (
        select * from recorded
        union all
        select * from unquantified
    ) as combined
),

-- Carriers use numbers again: a scan belongs to the parcel that had the number last, and only around its time.
long_used as (
    select tracking_number
    from pieces
    where tracking_number is not null
    group by tracking_number
    having {{ days_between("min(first_at)", "max(first_at)") }} > 14
),

reused as (
    select
        pieces.piece_key,
        pieces.tracking_number,
        pieces.first_at,
        case
            when {{ days_between(
                "lag(pieces.first_at) over (partition by pieces.tracking_number order by pieces.first_at)",
                "pieces.first_at"
            ) }} > 14 then 1
            else 0
        end as is_reuse
    from pieces
    inner join long_used on pieces.tracking_number = long_used.tracking_number
),

parcels as (
    select
        piece_key,
        tracking_number,
        first_at,
        sum(is_reuse) over (
            partition by tracking_number
            order by first_at
        ) as parcel
    from reused
),

superseding as (
    select
        piece_key,
        min(first_at) over later_parcels as used_again_at
    from parcels
    window later_parcels as (
        partition by tracking_number
        order by parcel
        range between 1 following and unbounded following
    )
),

scans as (
    select
        pieces.piece_key,
        min(case when carrier_events.event_type = 'carrier.accepted' then carrier_events.event_at end) as accepted_at,
        min(case when carrier_events.event_type = 'in_transit' then carrier_events.event_at end) as in_transit_at,
        min(case when carrier_events.event_type = 'arrived' then carrier_events.event_at end) as arrived_at,
        min(case when carrier_events.event_type = 'delivered' then carrier_events.event_at end) as delivered_at,
        {{ first_known('carrier_events.estimated_delivery_at', 'carrier_events.event_at') }} as estimated_first_at,
        {{ last_known('carrier_events.estimated_delivery_at', 'carrier_events.event_at') }} as estimated_latest_at,
        lower(max(carrier_events.carrier)) as carrier,
        -- A forecast is no scan.
        max(
            case
                when carrier_events.event_type in ('carrier.accepted', 'in_transit', 'arrived', 'delivered') then 1
                else 0
            end
        ) = 1 as is_scanned
    from pieces
    left join superseding on pieces.piece_key = superseding.piece_key
    inner join {{ ref('int_shipment_events_identified') }} as carrier_events
        on
            pieces.tracking_number = carrier_events.tracking_number
            and {{ scans_from_at }} <= carrier_events.event_at
            and {{ scans_to_at }} > carrier_events.event_at
    where
        carrier_events.quantity is null
        and carrier_events.event_type in (
            'carrier.accepted', 'in_transit', 'exception', 'arrived', 'delivered', 'label.created', 'eta.updated'
        )
    group by pieces.piece_key
),

-- What only the order as a whole knows also holds for its pieces that know no better.
order_scans as (
    select
        order_id,
        min(case when event_type = 'carrier.accepted' then event_at end) as accepted_at,
        min(case when event_type = 'arrived' then event_at end) as arrived_at,
        min(case when event_type = 'delivered' then event_at end) as delivered_at,
        min(case when event_type = 'received' then event_at end) as received_at
    from {{ ref('int_shipment_events_identified') }}
    where
        order_id is not null and line_id is null and quantity is null
        and tracking_number is null and shipment_id is null
        and event_type in ('carrier.accepted', 'arrived', 'delivered', 'received')
    group by order_id
),

-- What the buyer counted, for the pieces it can be about: its own shipment where it names one we know.
received as (
    select
        order_id,
        line_id,
        sku,
        shipment_id,
        event_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'received' and quantity is not null
),

receipts as (
    select
        received.order_id,
        received.line_id,
        received.sku,
        shipments.shipment_id,
        received.event_at as received_at
    from received
    left join (
        select distinct
            pieces.order_id,
            pieces.shipment_id
        from pieces
        inner join received as named on pieces.order_id = named.order_id and pieces.shipment_id = named.shipment_id
    ) as shipments
        on received.order_id = shipments.order_id and received.shipment_id = shipments.shipment_id
),

receipts_matched as (
    select
        pieces.piece_key,
        min(receipts.received_at) as received_at
    from pieces
    inner join receipts
        on
            pieces.order_id = receipts.order_id
            and coalesce(receipts.line_id, pieces.line_id, '') = coalesce(pieces.line_id, receipts.line_id, '')
            and coalesce(receipts.sku, pieces.sku, '') = coalesce(pieces.sku, receipts.sku, '')
            and coalesce(receipts.shipment_id, pieces.shipment_id, '') = coalesce(pieces.shipment_id, '')
            and receipts.received_at >= {{ add_days('pieces.first_at', -1) }}
    group by pieces.piece_key
),

voids as (
    select distinct
        source,
        coalesce(tracking_number, shipment_id) as label,
        event_at as voided_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'label.voided'
),

voided as (
    select distinct pieces.piece_key
    from pieces
    inner join voids
        on
            pieces.source = voids.source
            and (pieces.tracking_number = voids.label or pieces.shipment_id = voids.label)
            and voids.voided_at >= coalesce(pieces.label_at, pieces.first_at)
    where pieces.accepted_at is null
),

-- Where a carrier's scans are received at all, a missing scan means that the carrier does not have the goods.
scanned_carriers as (
    {%- if execute and is_build_incremental() %}
        -- Known from the last build; the first scan ever of a carrier ends the increment (pipelines/increments.py).
        select carrier from {{ this.incorporate(path={"identifier": "int_carriers_scanned"}) }}
    {%- else %}
        select distinct coalesce(pieces.carrier, scans.carrier, '') as carrier
        from scans
        inner join pieces on scans.piece_key = pieces.piece_key
        where scans.is_scanned
    {%- endif %}
),

-- The line of a piece that names none: the only one of its SKU.
only_lines as (
    select
        order_lines.order_id,
        order_lines.sku,
        min(order_lines.line_id) as line_id
    from {{ ref('int_order_lines_consolidated') }} as order_lines
    inner join (
        select distinct order_id
        from pieces
        where line_id is null and quantity is not null
    ) as unnamed
        on order_lines.order_id = unnamed.order_id
    group by order_lines.order_id, order_lines.sku
    having count(*) = 1
),

releases as (
    select
        pieces.piece_key,
        max(released.event_at) as released_at
    from pieces
    inner join {{ ref('int_order_events_sequenced') }} as released
        on
            pieces.order_id = released.order_id
            and (released.line_id is null or pieces.line_id = released.line_id)
            and (released.node_id is null or pieces.node_id = released.node_id)
            and pieces.first_at >= released.event_at
    where released.event_type = 'order.released'
    group by pieces.piece_key
),

joined as (
    select
        md5({{ texts_joined(named_by, "pieces.") }}) as shipment_line_id,
        pieces.shipment_id,
        pieces.order_id,
        coalesce(
            line_renames.line_id,
            pieces.line_id,
            case when pieces.quantity is not null then only_lines.line_id end
        ) as line_id,
        pieces.sku,
        pieces.source,
        pieces.node_id,
        coalesce(pieces.carrier, scans.carrier) as carrier,
        pieces.service,
        pieces.tracking_number,
        pieces.sscc,
        coalesce(orders.region, pieces.region) as region,
        pieces.quantity,
        pieces.freight_cost,
        voided.piece_key is not null and scans.accepted_at is null as is_voided,
        coalesce(scans.is_scanned, false) as is_scanned,
        releases.released_at,
        pieces.pick_started_at,
        pieces.pick_completed_at,
        pieces.packed_at,
        pieces.label_at,
        pieces.ship_confirmed_at,
        pieces.asn_sent_at,
        coalesce(scans.accepted_at, pieces.accepted_at, order_scans.accepted_at) as scanned_at,
        coalesce(scans.in_transit_at, pieces.in_transit_at) as in_transit_at,
        case
            when scanned_carriers.carrier is null or pieces.tracking_number is null
                then coalesce(pieces.ship_confirmed_at, pieces.asn_sent_at)
        end as confirmed_at,
        coalesce(scans.arrived_at, pieces.arrived_at, order_scans.arrived_at) as arrived_at,
        coalesce(scans.delivered_at, pieces.delivered_at, order_scans.delivered_at) as carrier_delivered_at,
        coalesce(pieces.received_at, receipts_matched.received_at, order_scans.received_at) as received_at,
        coalesce(scans.estimated_first_at, pieces.estimated_first_at) as estimated_delivery_first_at,
        coalesce(scans.estimated_latest_at, pieces.estimated_latest_at) as estimated_delivery_latest_at,
        case when pieces.tracking_number is not null then {{ scans_from_at }} end as scans_from_at,
        case when pieces.tracking_number is not null then {{ scans_to_at }} end as scans_to_at
    from pieces
    left join superseding on pieces.piece_key = superseding.piece_key
    left join {{ ref('int_line_renames') }} as line_renames
        on
            pieces.order_id = line_renames.order_id
            and pieces.line_id = line_renames.line_reference
            and pieces.sku = line_renames.sku
    left join scans on pieces.piece_key = scans.piece_key
    left join order_scans on pieces.order_id = order_scans.order_id
    left join receipts_matched on pieces.piece_key = receipts_matched.piece_key
    left join voided on pieces.piece_key = voided.piece_key
    left join releases on pieces.piece_key = releases.piece_key
    left join scanned_carriers on coalesce(pieces.carrier, scans.carrier, '') = scanned_carriers.carrier
    left join only_lines on pieces.order_id = only_lines.order_id and pieces.sku = only_lines.sku
    left join {{ ref('int_orders_consolidated') }} as orders on pieces.order_id = orders.order_id
)

select
    shipment_line_id,
    shipment_id,
    order_id,
    line_id,
    sku,
    source,
    node_id,
    carrier,
    service,
    tracking_number,
    sscc,
    region,
    case
        when scanned_at is not null then 'carrier_scan'
        when in_transit_at is not null then 'transit_scan'
        when ship_confirmed_at is not null and confirmed_at is not null then 'ship_confirm'
        when confirmed_at is not null then 'asn'
    end as accepted_evidence,
    case
        when carrier_delivered_at is not null then 'carrier'
        when received_at is not null then 'received'
    end as delivered_evidence,
    cast(quantity as decimal(18, 3)) as quantity,
    cast(freight_cost as decimal(18, 4)) as freight_cost,
    is_voided,
    is_scanned,
    -- Goods that left the building; a label or a picked carton is not yet shipped.
    not is_voided
    and coalesce(
        scanned_at, in_transit_at, ship_confirmed_at, asn_sent_at, arrived_at, carrier_delivered_at, received_at
    ) is not null as is_shipped,
    released_at,
    pick_started_at,
    pick_completed_at,
    packed_at,
    label_at,
    ship_confirmed_at,
    coalesce(scanned_at, in_transit_at, confirmed_at) as accepted_at,
    coalesce(scanned_at, in_transit_at, ship_confirmed_at, asn_sent_at, arrived_at, carrier_delivered_at, received_at)
        as shipped_at,
    arrived_at,
    coalesce(carrier_delivered_at, received_at) as delivered_at,
    estimated_delivery_first_at,
    estimated_delivery_latest_at,
    scans_from_at,
    scans_to_at
from joined
