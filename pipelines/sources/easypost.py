"""EasyPost shipments, orders, refunds and insurances (API JSON and webhook events) → labels made and voided.

Trackers alone are read by `carrier`. The tracker inside a shipment or insurance is the same tracker: its scans become
the same events, of source `carrier`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.carrier import tracker_events
from pipelines.sources.records import (
    Parsed,
    Record,
    RecordFault,
    child,
    children,
    collect,
    money,
    needed_stamp,
    needed_text,
    outline,
    stamp,
    text,
    to_json,
)

_PREFIXES: Final = ("", "shipments.", "orders.", "orders.shipments.", "refunds.", "insurances.", "result.")
_SHIPMENT: Final = frozenset({"postage_label", "selected_rate"})
_REFUND: Final = frozenset({"confirmation_number", "tracking_code", "shipment_id", "status"})
_INSURANCE: Final = frozenset({"tracker", "provider_id", "amount"})
_VOIDING: Final = ("submitted", "refunded")
"""Refund states in which the label is not used; `rejected` and `not_applicable` leave it valid."""


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds EasyPost shipments, orders with shipments, or refunds."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    kinds = (_SHIPMENT, _REFUND, _INSURANCE)
    return any({prefix + mark for mark in marks} <= paths for prefix in _PREFIXES for marks in kinds)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read shipments and refunds into label events, and the trackers in them into scans."""
    return collect(
        files,
        wrappers=("orders", "shipments", "refunds", "insurances"),
        convert=lambda record: _convert(record, context),
        is_record=lambda record: record.get("object") == "Order",
    )


def _convert(record: Record, context: AdapterContext) -> Parsed:
    kind = text(record, "object")
    if kind == "Event":
        record = child(record, "result")
        kind = text(record, "object")
    parsed = Parsed()
    if kind == "Order":
        for index, shipment in enumerate(children(record, "shipments")):
            try:
                _add_shipment(parsed, shipment, context, order=text(record, "reference"))
            except RecordFault as fault:
                parsed.refused.append((f"/shipments/{index}", str(fault), shipment))
    elif kind == "Shipment" or "postage_label" in record:
        _add_shipment(parsed, record, context, order=None)
    elif kind == "Refund" or "confirmation_number" in record:
        _add_refund(parsed, record)
    elif kind == "Insurance":
        _add_tracker(parsed, child(record, "tracker"), context)
    else:
        message = f"object: {kind!r} is not one this source reads (expected Shipment, Order, Refund or Insurance)"
        raise RecordFault(message)
    return parsed


def _add_shipment(parsed: Parsed, shipment: Record, context: AdapterContext, *, order: str | None) -> None:
    label = child(shipment, "postage_label")
    # A return label's parcel travels to us; a shipment without a label is only a question for rates.
    if shipment.get("is_return") is True or not label:
        return
    rate = child(shipment, "selected_rate")
    reference = text(shipment, "reference") or order
    common = {
        "shipment_id": needed_text(shipment, "id"),
        "order_id": reference.removeprefix("#") if reference else None,
        "tracking_number": text(shipment, "tracking_code"),
        "carrier": (text(rate, "carrier") or "").lower() or None,
        "service": text(rate, "service"),
        "ship_to_region": text(child(shipment, "to_address"), "state"),
        "observed_at": stamp(shipment, "updated_at"),
        "attributes": to_json({key: text(shipment, key) for key in ("mode", "batch_id", "order_id", "refund_status")}),
    }
    parsed.add(
        "shipment",
        event_type="label.created",
        event_at=needed_stamp(label, "created_at"),
        time_quality="instant",
        cost_amount=money(rate, "rate"),
        currency=text(rate, "currency"),
        **common,
    )
    if text(shipment, "refund_status") in _VOIDING:
        parsed.add(
            "shipment",
            event_type="label.voided",
            event_at=needed_stamp(shipment, "updated_at"),
            time_quality="estimated",
            **common,
        )
    _add_tracker(parsed, child(shipment, "tracker"), context)


def _add_tracker(parsed: Parsed, tracker: Record, context: AdapterContext) -> None:
    if text(tracker, "tracking_code") is not None:
        scans = tracker_events(tracker, context)
        for family, columns in scans.events:
            parsed.add(family, **{"source": "carrier", **columns})
        parsed.refused += [(f"/tracker{pointer}", reason, part) for pointer, reason, part in scans.refused]


def _add_refund(parsed: Parsed, refund: Record) -> None:
    status = text(refund, "status")
    if status not in (*_VOIDING, "rejected", "not_applicable", None):
        message = f"status: {status!r} is not one of submitted, refunded, rejected, not_applicable"
        raise RecordFault(message)
    if status in _VOIDING:
        parsed.add(
            "shipment",
            event_type="label.voided",
            event_at=needed_stamp(refund, "created_at"),
            time_quality="instant",
            shipment_id=needed_text(refund, "shipment_id"),
            tracking_number=text(refund, "tracking_code"),
            carrier=(text(refund, "carrier") or "").lower() or None,
            observed_at=stamp(refund, "updated_at"),
            attributes=to_json({"refund_id": text(refund, "id"), "refund_status": status}),
        )
