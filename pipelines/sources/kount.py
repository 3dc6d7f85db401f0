"""Kount decisions: Kount 360 orders and status changes (JSON), Kount Command event notifications (XML) → fraud holds.

approve frees the order; review, escalate and decline hold it. A review outcome never cancels an order by itself. Every
decision is an event with its own instant, so that flips are kept. The risk answer of Kount Command (`AUTO`) has no time
and is refused: its event notifications tell the same decisions with theirs.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from pipelines.sources.base import AdapterContext, BatchBuilder, ParsedBatch, SourceFile, merge_batches
from pipelines.sources.records import (
    RAW_CHARACTERS,
    Parsed,
    Record,
    RecordFault,
    child,
    collect,
    needed_stamp,
    needed_text,
    outline,
    stamp,
    text,
    to_json,
)
from pipelines.sources.statuses import plain

DECISIONS: Final = {
    "approve": False, "approved": False, "a": False,
    "decline": True, "declined": True, "d": True,
    "review": True, "r": True,
    "escalate": True, "escalated": True, "e": True,
}  # fmt: skip
"""Decision → the order is on hold."""

STATUS_EVENT: Final = "WORKFLOW_STATUS_EDIT"
_SPACED: Final = re.compile(r"^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(\.\d+)?)$")


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds Kount decisions."""
    if file.kind == ".xml":
        return b"<events" in file.head and b"<old_value>" in file.head and b"order_number=" in file.head
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    if {"TRAN", "AUTO", "ORDR"} <= paths:
        return True
    return any(
        f"{prefix}merchantOrderId" in paths
        and {f"{prefix}riskInquiry.decision", f"{prefix}decision", f"{prefix}newStatus"} & paths
        for prefix in ("", "order.", "orders.", "data.", "events.", "attributes.")
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read decisions into hold events. Stamps without offset are UTC in JSON, the workspace's in notifications."""
    documents = [file for file in files if file.kind != ".xml"]
    notices = [file for file in files if file.kind == ".xml"]
    read = collect(
        documents,
        wrappers=("orders", "order", "data", "events", "attributes"),
        convert=_convert,
        is_record=lambda record: "merchantOrderId" in record or "AUTO" in record,
    )
    return merge_batches([read, *(_notifications(file, context) for file in notices)])


def _convert(record: Record) -> Parsed:
    if "AUTO" in record:
        message = "a Kount Command risk answer (AUTO) has no time: read the event notifications (XML) instead"
        raise RecordFault(message)
    parsed = Parsed()
    inquiry = child(record, "riskInquiry")
    decision = text(inquiry, "decision") or text(record, "decision") or text(record, "newStatus")
    if decision is None:
        message = "riskInquiry.decision is missing: nothing says how the order stands"
        raise RecordFault(message)
    created_at = stamp(record, "creationDateTime")
    changed_at = next(
        (at for key in ("occurredAt", "eventDate", "updatedDateTime", "lastModified") if (at := stamp(record, key))),
        None,
    )
    notes = to_json({
        "kount_order_id": text(record, "orderId") or text(record, "kountOrderId"),
        "score": text(inquiry, "omniscore"),
        "reason_code": text(inquiry, "reasonCode"),
        "old_status": text(record, "oldStatus"),
        "channel": text(record, "channel"),
    })  # fmt: skip
    common: dict[str, Any] = {
        "order_id": needed_text(record, "merchantOrderId").removeprefix("#"),
        "hold_type": "fraud",
        "time_quality": "instant",
        "attributes": notes,
    }
    at = changed_at or created_at or needed_stamp(record, "creationDateTime")
    if created_at is not None and created_at != at:
        parsed.add("order", event_type="hold.placed", event_at=created_at, reason="submitted", **common)
    parsed.add("order", event_type=_event_type(decision), event_at=at, reason=plain(decision), **common)
    return parsed


def _event_type(decision: str) -> str:
    on_hold = DECISIONS.get(plain(decision))
    if on_hold is None:
        message = f"decision: {decision!r} is not one of approve, decline, review, escalate"
        raise RecordFault(message)
    return "hold.placed" if on_hold else "hold.released"


def _notifications(file: SourceFile, context: AdapterContext) -> ParsedBatch:
    builder = BatchBuilder(rows_in={file.name: 0})
    try:
        content = file.read_bytes().decode("utf-8-sig")
        if "<!DOCTYPE" in content or "<!ENTITY" in content:
            message = "documents with a DOCTYPE are not read"
            raise RecordFault(message)  # noqa: TRY301 - the same answer as for text that is no XML
        root = ET.fromstring(content)  # noqa: S314 - see above: no DOCTYPE, hence no entities
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, ET.ParseError, RecordFault) as error:
        builder.reject(file.ref(0), f"the file cannot be read: {error}", "")
        return builder.build()
    for number, event in enumerate(root.iter("event"), start=1):
        builder.rows_in[file.name] += 1
        if event.findtext("name") != STATUS_EVENT:
            continue  # notes, scores, special alerts: no decision
        try:
            builder.add("order", source_ref=file.ref(number), **_notified(event, context))
        except RecordFault as fault:
            raw = ET.tostring(event, encoding="unicode")[:RAW_CHARACTERS]
            builder.reject(file.ref(number), str(fault), raw)
    return builder.build()


def _notified(event: ET.Element, context: AdapterContext) -> dict[str, object]:
    key = event.find("key")
    record = {
        "order_number": key.get("order_number") if key is not None else None,
        "new_value": event.findtext("new_value"),
        "occurred": _SPACED.sub(r"\1T\2", (event.findtext("occurred") or "").strip()) or None,
    }
    at = stamp(record, "occurred", zone=context.zone)
    if at is None:
        message = "occurred is missing"
        raise RecordFault(message)
    decision = needed_text(record, "new_value")
    return {
        "event_type": _event_type(decision),
        "event_at": at,
        "time_quality": "estimated",  # the notification does not say in which zone it is
        "order_id": needed_text(record, "order_number").removeprefix("#"),
        "hold_type": "fraud",
        "reason": next(name for name in ("approve", "decline", "review", "escalate") if name[0] == plain(decision)[0]),
        "attributes": to_json({
            "transaction_id": key.text if key is not None else None,
            "old_value": event.findtext("old_value"),
            "agent": event.findtext("agent"),
        }),
    }  # fmt: skip
