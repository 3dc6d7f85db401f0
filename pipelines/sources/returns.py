"""Returns platform (Loop-like JSON): authorisations with their stages → return events.

A return that is closed has not thereby been received: only the stage stamps make events, the state is kept
as an attribute. Snapshots re-appear when updated; every stage has its own stamp, so known stages stay the same event.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
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

DISPOSITION_NAMES: Final = {
    "restock": "restock_a",
    "resell": "restock_a",
    "a_grade": "restock_a",
    "b": "b_grade",
    "restock_b": "b_grade",
    "refurb": "refurbish",
    "liquidation": "liquidate",
    "donation": "donate",
    "dispose": "destroy",
    "trash": "destroy",
    "return_to_vendor": "rtv",
}
"""Words platforms use → our dispositions; anything else is passed on and judged by the row contract."""


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds returns in this layout."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    if paths == {"returns"}:
        return True  # a period without returns
    return any(
        {f"{prefix}order_name", f"{prefix}line_items"} <= paths and _is_return(paths, prefix) for prefix in _PREFIXES
    )


_PREFIXES: Final = ("returns.", "return.", "")


def _is_return(paths: frozenset[str], prefix: str) -> bool:
    marks = ("provider_order_id", "line_items.provider_line_item_id", "line_items.disposition", "graded_at", "label")
    return f"{prefix}state" in paths and any(f"{prefix}{mark}" in paths for mark in marks)


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read returns into return events, one per line item and stage reached."""
    return collect(files, wrappers=("returns", "return"), convert=lambda record: _convert(record, context))


def _convert(record: Record, context: AdapterContext) -> Parsed:
    parsed = Parsed()
    label = child(record, "label")
    created_at = needed_stamp(record, "created_at")
    stages = {
        "return.in_transit": stamp(label, "in_transit_at"),
        "return.received": stamp(record, "received_at"),
        "return.graded": stamp(record, "graded_at"),
        "return.restocked": stamp(record, "restocked_at"),
        "refund.issued": stamp(record, "refunded_at"),
    }
    lines = children(record, "line_items")
    if not lines:
        message = "line_items is empty: a return without lines says nothing"
        raise RecordFault(message)
    for line in lines:
        common = {
            "rma_id": needed_text(record, "id"),
            "order_id": (text(record, "order_name") or "").removeprefix("#") or None,
            "line_id": text(line, "provider_line_item_id"),
            "sku": text(line, "sku"),
            "node_id": text(record, "warehouse"),
            "quantity": _units(line),
            "time_quality": "instant",
            "observed_at": stamp(record, "updated_at"),
            "attributes": to_json({"state": text(record, "state")}),
        }
        reason = text(line, "reason")
        parsed.add("return", event_type="rma.created", event_at=created_at, reason=reason, **common)
        for event_type, moment in stages.items():
            if moment is not None:
                details = _details(event_type, record, line, context)
                parsed.add("return", event_type=event_type, event_at=moment, **common, **details)
    return parsed


def _details(event_type: str, record: Record, line: Record, context: AdapterContext) -> dict[str, object]:
    """Return the columns that only some stages know."""
    if event_type == "return.in_transit":
        return {"tracking_number": text(child(record, "label"), "tracking_number")}
    if event_type in ("return.graded", "return.restocked"):
        return {"disposition": _disposition(line)}
    if event_type == "refund.issued":
        return {"amount": money(line, "refund"), "currency": text(record, "currency") or context.currency}
    return {}


def _disposition(line: Record) -> str | None:
    name = text(line, "disposition")
    if name is None:
        return None
    plain = name.lower().replace(" ", "_").replace("-", "_")
    return DISPOSITION_NAMES.get(plain, plain)


def _units(line: Record) -> Decimal:
    units = quantity(line, "quantity")
    if units is None:
        message = "line_items.quantity is missing"
        raise RecordFault(message)
    return units
