"""ShipEngine, also the shapes of the ShipStation API v2: tracking, labels, shipments, fulfillments → events.

Stamps carry an offset. A scan without a status of its own (old answers) is known by the carrier's event code. A label
is made when it is bought (`created_at`); `ship_date` is a plan. Return labels are not outbound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    collect,
    end_of_day,
    money,
    needed_stamp,
    needed_text,
    outline,
    quantity,
    stamp,
    text,
    to_json,
)
from pipelines.sources.statuses import Status
from pipelines.sources.tracking import (
    Scan,
    deadline,
    estimate_event,
    find_status,
    keep_scan,
    moment,
    newest_on_the_way,
    place_zone,
    scan_events,
)

SYSTEM: Final = "shipengine"
WRAPPERS: Final = ("labels", "shipments", "fulfillments")
STATION_HOST: Final = b"api.shipstation.com"
_PREFIXES: Final = ("", "data.", "labels.", "shipments.", "fulfillments.")
KINDS: Final = {
    "tracking": frozenset({"tracking_number", "status_code", "carrier_status_code"}),
    "label": frozenset({"label_id", "shipment_id", "tracking_number"}),
    "shipment": frozenset({"shipment_id", "shipment_status"}),
    "fulfillment": frozenset({"fulfillment_id", "shipment_id"}),
}
"""Kind of record → fields by which it is known."""


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds ShipEngine records that are not the ShipStation API's."""
    return is_v2(file) and not from_station(file)


def is_v2(file: SourceFile) -> bool:
    """Say whether the file holds records in the shapes that ShipEngine and the ShipStation API v2 share."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    return any({prefix + mark for mark in marks} <= paths for prefix in _PREFIXES for marks in KINDS.values())


def from_station(file: SourceFile) -> bool:
    """Say whether such a file comes from ShipStation: its host, its webhook types or its shipment numbers show it."""
    paths = outline(file.head)
    numbers = {f"{prefix}shipment_number" for prefix in _PREFIXES}
    return STATION_HOST in file.head or b'_V2"' in file.head or bool(numbers & paths)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read ShipEngine records into shipment events."""
    return collect(files, wrappers=WRAPPERS, convert=lambda record: convert(record, context), is_record=is_record)


def is_record(record: Record) -> bool:
    """Say whether an object is a record although it holds lists that are wrappers elsewhere."""
    return "resource_type" in record or any(marks <= record.keys() for marks in KINDS.values())


def convert(record: Record, context: AdapterContext) -> Parsed:
    """Return the events of one record or webhook message.

    Raises:
        RecordFault: It is no kind this source reads, or lacks what its kind needs.
    """
    kind_told = text(record, "resource_type")
    if kind_told is not None:
        data = child(record, "data")
        if not data:
            message = (
                f"resource_type {kind_told}: the message only says that something changed; "
                f"fetch {text(record, 'resource_url') or 'the resource'} and read the answer"
            )
            raise RecordFault(message)
        record = data
    kind = next((name for name, marks in KINDS.items() if marks <= record.keys()), None)
    parsed = Parsed()
    if kind == "tracking":
        _add_tracking(parsed, record, context)
    elif kind == "label":
        _add_label(parsed, record)
    elif kind == "shipment":
        _add_shipment(parsed, record, context)
    elif kind == "fulfillment":
        _add_fulfillment(parsed, record)
    else:
        message = f"not a tracking, label, shipment or fulfillment (fields {', '.join(sorted(record))[:200]})"
        raise RecordFault(message)
    return parsed


def _add_tracking(parsed: Parsed, tracking: Record, context: AdapterContext) -> None:
    carrier = text(tracking, "carrier_code")
    common: dict[str, Any] = {
        "tracking_number": needed_text(tracking, "tracking_number"),
        "carrier": carrier.lower() if carrier else None,
    }
    scans = _scans(tracking, context, parsed)
    _add_delivery(tracking, scans, context, parsed)
    for columns in scan_events(scans):
        parsed.add("shipment", **common, **columns)
    last = newest_on_the_way(scans)
    if last is not None:
        estimate = deadline(tracking, "estimated_delivery_date", zone=context.zone)
        if estimate is not None:
            parsed.add(
                "shipment", **common, **estimate_event(last.at, estimate, status_code=text(tracking, "status_code"))
            )


def _scans(tracking: Record, context: AdapterContext, parsed: Parsed) -> list[Scan]:
    events = children(tracking, "events")
    scans: list[Scan] = []
    for index in reversed(range(len(events))):  # newest first: of equal times the later one stands first
        try:
            scans.append(_scan(events[index], tracking, context))
        except RecordFault as fault:
            keep_scan(parsed, f"/events/{index}", events[index], fault)
    return sorted(scans, key=lambda scan: scan.at)


def _scan(event: Record, tracking: Record, context: AdapterContext) -> Scan:
    state, country = text(event, "state_province"), text(event, "country_code")
    zone = place_zone(state, country)
    name = "event_date" if "event_date" in event and "occurred_at" not in event else "occurred_at"  # older messages
    at, quality = moment(event, name, zone=zone, fallback=context.zone)
    local = text(event, "carrier_occurred_at")
    if local is not None and local.rstrip("Z")[:19] == (text(event, "occurred_at") or "").rstrip("Z")[:19]:
        # The carrier's local time, passed on as if it were UTC.
        wall = {"carrier_occurred_at": local.rstrip("Z")}
        at, quality = moment(wall, "carrier_occurred_at", zone=zone, fallback=context.zone)
    code, own = text(event, "status_code"), text(event, "event_code")
    carrier = text(tracking, "carrier_code") or text(event, "carrier_code")
    finer = text(event, "status_detail_code") or text(event, "carrier_detail_code")
    return Scan(
        at=at,
        time_quality=quality,
        status=find_status(
            context.statuses, SYSTEM, code or own, detail=finer if code else None, carrier=carrier, at=at
        ),
        code=code or own,
        reason=finer,
        attributes=to_json({
            key: text(event, key)
            for key in (
                "description", "city_locality", "state_province", "country_code", "event_code", "carrier_status_code",
            )
        }),
    )  # fmt: skip


def _add_delivery(tracking: Record, scans: list[Scan], context: AdapterContext, parsed: Parsed) -> None:
    """Add the delivery that the tracking states as a whole and none of its scans tells."""
    code = text(tracking, "status_code")
    if code is None:
        return
    at = stamp(tracking, "actual_delivery_date", zone=context.zone)
    day = at or (scans[-1].at if scans else None)
    if day is None:
        return
    try:
        status = find_status(context.statuses, SYSTEM, code, carrier=text(tracking, "carrier_code"), at=day)
    except RecordFault as fault:
        parsed.refused.append(("/status_code", str(fault), tracking))
        return
    told = any(scan.status.event_type == "delivered" for scan in scans)
    if status.event_type == "delivered" and at is not None and not told:
        quality = "date" if at.time().isoformat() == "00:00:00" else "instant"
        scans.append(Scan(at=at, time_quality=quality, status=Status("delivered", True, False, ""), code=code))  # noqa: FBT003
        scans.sort(key=lambda scan: scan.at)


def _label_columns(record: Record) -> dict[str, Any]:
    order = text(record, "external_order_id") or text(record, "shipment_number")
    carrier = text(record, "carrier_code")
    return {
        "shipment_id": needed_text(record, "shipment_id"),
        "order_id": order.removeprefix("#") if order else None,
        "tracking_number": text(record, "tracking_number"),
        "carrier": carrier.lower() if carrier else None,
        "service": text(record, "service_code"),
        "ship_to_region": text(child(record, "ship_to"), "state_province"),
        "observed_at": stamp(record, "modified_at"),
    }


def _add_label(parsed: Parsed, label: Record) -> None:
    status = text(label, "status")
    if label.get("is_return_label") is True or status in ("processing", "error"):
        return
    notes = to_json({
        key: text(label, key)
        for key in ("label_id", "external_shipment_id", "ship_date", "batch_id", "tracking_status", "carrier_id")
    })  # fmt: skip
    cost = child(label, "shipment_cost")
    common = _label_columns(label) | {"attributes": notes, "time_quality": "instant"}
    currency = text(cost, "currency")
    parsed.add(
        "shipment",
        event_type="label.created",
        event_at=needed_stamp(label, "created_at"),
        cost_amount=money(cost, "amount"),
        currency=currency.upper() if currency else None,
        **common,
    )
    if label.get("voided") is True or status == "voided":
        voided = stamp(label, "voided_at")
        if voided is None:
            common["time_quality"] = "estimated"
            voided = stamp(label, "modified_at") or needed_stamp(label, "created_at")
        parsed.add("shipment", event_type="label.voided", event_at=voided, **common)


def _add_shipment(parsed: Parsed, shipment: Record, context: AdapterContext) -> None:
    """What ShipStation v2 calls a shipment is an order waiting for its label."""
    if shipment.get("is_return") is True:
        return
    order = text(shipment, "shipment_number") or text(shipment, "external_order_id")
    if order is None:
        return  # a shipment made for a label alone: the label tells it
    place = child(shipment, "ship_to")
    region, country = text(place, "state_province"), text(place, "country_code")
    zone = place_zone(region, country)
    order_id = order.removeprefix("#")
    changed_at = stamp(shipment, "modified_at")
    notes = to_json({
        key: text(shipment, key)
        for key in ("shipment_id", "external_shipment_id", "order_source_code", "shipment_status")
    })  # fmt: skip
    common: dict[str, Any] = {"order_id": order_id, "observed_at": changed_at, "attributes": notes}
    created_at = needed_stamp(shipment, "created_at")
    for index, item in enumerate(children(shipment, "items"), start=1):
        parsed.add(
            "order",
            event_type="order.captured",
            event_at=created_at,
            time_quality="estimated",  # made in ShipStation: the order is older
            line_id=text(item, "external_order_item_id") or text(item, "sales_order_item_id") or str(index),
            sku=text(item, "sku"),
            quantity=quantity(item, "quantity"),
            unit_price=money(item, "unit_price") if not isinstance(item.get("unit_price"), dict) else None,
            currency=context.currency,
            service_level=text(shipment, "service_code"),
            ship_to_region=region,
            ship_to_country=country,
            ship_to_postal_code=text(place, "postal_code"),
            clock_zone=str(zone) if zone else None,
            **common,
        )
    for key, column in (("ship_by_date", "ship_by_at"), ("deliver_by_date", "promise_at")):
        if text(shipment, key) is not None:
            limit = deadline(shipment, key, zone=zone if column == "promise_at" and zone else context.zone)
            told = {"event_at": created_at, "time_quality": "estimated", column: limit}
            parsed.add("order", event_type="order.promised", **told, **common)
    if text(shipment, "shipment_status") == "cancelled":
        parsed.add(
            "order",
            event_type="order.cancelled",
            event_at=changed_at or created_at,
            time_quality="estimated",
            actor="unknown",
            **common,
        )
    hold_until = text(shipment, "hold_until_date")
    if hold_until is not None:
        hold = {"hold_type": "other", "time_quality": "estimated", **common}
        released_at = end_of_day(hold_until, "hold_until_date", context.zone)
        placed_at = changed_at or created_at
        if placed_at < released_at:
            parsed.add("order", event_type="hold.placed", event_at=placed_at, **hold)
            parsed.add("order", event_type="hold.released", event_at=released_at, **hold)


def _add_fulfillment(parsed: Parsed, fulfillment: Record) -> None:
    order = text(fulfillment, "shipment_number") or text(fulfillment, "external_order_id")
    if order is None:
        message = "shipment_number is missing: which order was fulfilled"
        raise RecordFault(message)
    name = text(fulfillment, "fulfillment_carrier_friendly_name") or text(fulfillment, "carrier_code")
    common: dict[str, Any] = {
        "shipment_id": needed_text(fulfillment, "fulfillment_id"),
        "order_id": order.removeprefix("#"),
        "tracking_number": text(fulfillment, "tracking_number"),
        "carrier": name.lower() if name else None,
        "service": text(fulfillment, "fulfillment_service_friendly_name"),
        "attributes": to_json({
            key: text(fulfillment, key)
            for key in ("shipment_id", "ship_date", "delivered_at", "fulfillment_provider_friendly_name")
        }),
    }  # fmt: skip
    voided_at = stamp(fulfillment, "voided_at")
    if fulfillment.get("voided") is True or voided_at is not None:
        at = voided_at or needed_stamp(fulfillment, "created_at")
        parsed.add("shipment", event_type="label.voided", event_at=at, time_quality="instant", **common)
        return
    parsed.add(
        "shipment",
        event_type="ship.confirmed",
        event_at=needed_stamp(fulfillment, "created_at"),
        time_quality="estimated",  # marked as shipped: somebody says so
        **common,
    )
