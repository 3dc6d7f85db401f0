"""Returns: Loop webhooks and API answers (JSON), RMA tables (CSV) → return events.

A return that is closed has not thereby been received: Loop may process and refund on the carrier's first scan. Only
stamps and label scans make events; the state is kept as an attribute. Snapshots re-appear when updated; every stage has
its own stamp, so known stages stay the same event. Two shapes are known: `line_items` of one unit each with
`label_status` (Loop itself), and lines with quantities and stage stamps (`received_at` …) as connectors make of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pipelines.sources import rma
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches
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
    quantity,
    stamp,
    text,
    to_json,
)
from pipelines.sources.statuses import plain

TOPICS: Final = ("return", "label")
"""Webhook topics that tell when something happened to goods; gift card, restock and others do not."""

ON_THE_WAY: Final = "in_transit"
"""The label state whose stamp is the first scan. A later state (delivered …) has overwritten that stamp, and none of
them is our receipt of the goods."""

DISPOSITION_NAMES: Final = rma.DISPOSITION_NAMES
"""Words platforms use → our dispositions; anything else is passed on and judged by the row contract."""

_PREFIXES: Final = ("returns.", "return.", "data.", "")


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds returns in this layout."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return rma.recognises(file)
    paths = outline(file.head)
    if paths == {"returns"}:
        return True  # a period without returns
    if {"topic", "trigger", "provider_order_id"} <= paths:
        return True
    return any(
        {f"{prefix}order_name", f"{prefix}line_items"} <= paths and _is_return(paths, prefix) for prefix in _PREFIXES
    )


def _is_return(paths: frozenset[str], prefix: str) -> bool:
    marks = ("provider_order_id", "line_items.provider_line_item_id", "line_items.disposition", "graded_at", "label")
    return f"{prefix}state" in paths and any(f"{prefix}{mark}" in paths for mark in marks)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read returns into return events, one per line item and stage reached."""
    documents = [file for file in files if file.kind in (".json", ".jsonl", ".ndjson")]
    tables = [file for file in files if file not in documents]
    read = collect(
        documents,
        wrappers=("returns", "return", "data"),
        convert=lambda record: _convert(record, context),
        is_record=lambda record: "topic" in record or "line_items" in record,
    )
    return merge_batches([read, rma.parse(tables, context)]) if tables else read


def _convert(record: Record, context: AdapterContext) -> Parsed:
    topic = text(record, "topic")
    if topic is not None and topic not in TOPICS:
        message = f"topic: {topic!r} is not one this source reads (expected {', '.join(TOPICS)})"
        raise RecordFault(message)
    if topic == "label":
        return _label(record)
    parsed = Parsed()
    created_at = needed_stamp(record, "created_at")
    lines = children(record, "line_items")
    if not lines:
        message = "line_items is empty: a return without lines says nothing"
        raise RecordFault(message)
    for line in _order_lines(lines):
        common = {
            "rma_id": needed_text(record, "id"),
            "order_id": (text(record, "order_name") or "").removeprefix("#") or None,
            "line_id": text(line, "provider_line_item_id"),
            "sku": text(line, "sku"),
            "node_id": text(record, "warehouse"),
            "time_quality": "instant",
            "observed_at": stamp(record, "updated_at") or stamp(record, "edited_at"),
        }
        told = {"quantity": _units(line), "attributes": _notes(record, line)}
        reason = text(line, "reason") or text(line, "return_reason")
        parsed.add("return", event_type="rma.created", event_at=created_at, reason=reason, **common, **told)
        for event_type, moment, part in _stages(record, line):
            if moment is not None:
                own = {"quantity": _units(part), "attributes": _notes(record, part)}
                details = _details(event_type, record, part, context)
                parsed.add("return", event_type=event_type, event_at=moment, **common, **own, **details)
    return parsed


def _order_lines(items: Sequence[Record]) -> list[Record]:
    """Put Loop's items of one unit each together by order line; their inspections by outcome.

    Of several reasons for one line the most frequent stands for all, the first in doubt.
    """
    if not all("line_item_id" in item and "quantity" not in item for item in items):
        return list(items)
    groups: dict[tuple[str | None, ...], list[Record]] = {}
    for item in items:
        groups.setdefault((text(item, "provider_line_item_id"), text(item, "sku")), []).append(item)
    lines: list[Record] = []
    for units in groups.values():
        reasons = Counter(text(item, "return_reason") for item in units)
        usual = reasons.most_common(1)[0][0]
        parts: dict[tuple[str | None, ...], dict[str, Any]] = {}
        for item in units:
            inspected = _inspection(item)
            if inspected:
                key = (text(inspected, "outcome"), text(inspected, "inspected_at"))
                part = parts.setdefault(key, {**item, "quantity": 0})
                part["quantity"] += 1
        whole = {
            **next(item for item in units if text(item, "return_reason") == usual),
            "quantity": len(units),
            "refund": sum((money(item, "refund") or Decimal(0) for item in units), Decimal(0)),
            "inspections": list(parts.values()),
        }
        if len(reasons) > 1:
            whole["reasons"] = "; ".join(f"{count} × {reason}" for reason, count in reasons.items())
        lines.append(whole)
    return lines


def _notes(record: Record, line: Record) -> str | None:
    whole = ("state", "trigger", "edited_at", "label_status", "total", "handling_fee", "gift_card", "type")
    finer = ("parent_return_reason", "return_comment", "outcome", "reasons")
    return to_json({
        **{key: text(record, key) for key in whole},
        **{key: text(line, key) for key in finer},
        "refund_total": text(record, "refund"),
        "shop_order_id": text(record, "provider_order_id"),
        "exchanges": len(children(record, "exchanges")) or None,
    })  # fmt: skip


def _inspection(line: Record) -> Record:
    value = line.get("disposition")
    return value if isinstance(value, dict) else {}


def _stages(record: Record, line: Record) -> Iterator[tuple[str, datetime | None, Record]]:
    """Yield the stages after the request: event type, instant, and the line or the part of it that went through."""
    yield "return.in_transit", stamp(child(record, "label"), "in_transit_at") or _scanned_at(record), line
    yield "return.received", stamp(record, "received_at"), line
    parts = line.get("inspections") or [line]
    for part in parts:
        yield "return.graded", stamp(record, "graded_at") or stamp(_inspection(part), "inspected_at"), part
    for part in parts:
        yield "return.restocked", stamp(record, "restocked_at"), part
    yield "refund.issued", stamp(record, "refunded_at"), line


def _scanned_at(record: Record) -> datetime | None:
    """Return the first scan of a label: the stamp of its state while that is in transit."""
    if text(record, "label_status") == ON_THE_WAY:
        return stamp(record, "label_updated_at")
    labels = record.get("labels")
    moving = [
        at
        for label in (labels if isinstance(labels, list) else [])
        if isinstance(label, dict) and text(label, "status") == ON_THE_WAY and (at := stamp(label, "updated_at"))
    ]
    return min(moving, default=None)


def _details(event_type: str, record: Record, line: Record, context: AdapterContext) -> dict[str, object]:
    """Return the columns that only some stages know."""
    if event_type == "return.in_transit":
        return {"tracking_number": text(child(record, "label"), "tracking_number") or _tracking_number(record)}
    if event_type in ("return.graded", "return.restocked"):
        return {"disposition": _disposition(line)}
    if event_type == "refund.issued":
        return {"amount": money(line, "refund"), "currency": text(record, "currency") or context.currency}
    return {}


def _disposition(line: Record) -> str | None:
    name = text(_inspection(line), "outcome") if _inspection(line) else text(line, "disposition")
    return None if name is None else DISPOSITION_NAMES.get(plain(name), plain(name))


def _units(line: Record) -> Decimal:
    units = quantity(line, "quantity")
    if units is None:
        message = "line_items.quantity is missing"
        raise RecordFault(message)
    return units


def _tracking_number(record: Record) -> str | None:
    number = text(record, "tracking_number")
    return None if number == "N/A" else number


def _label(record: Record) -> Parsed:
    """A label message knows the return and its parcel, not its lines."""
    parsed = Parsed()
    if text(record, "label_status") == ON_THE_WAY:
        parsed.add(
            "return",
            event_type="return.in_transit",
            event_at=needed_stamp(record, "label_updated_at"),
            time_quality="instant",
            rma_id=needed_text(record, "id"),
            tracking_number=_tracking_number(record),
            attributes=to_json(
                {"carrier": text(record, "carrier"), "shop_order_id": text(record, "provider_order_id")}
            ),
        )
    return parsed
