"""Signifyd cases (v2 guarantees) and decisions (v3 checkpoints), from webhooks or the API → fraud holds.

The fraud hold lasts from the submission to the final decision. Decisions flip (a review may follow a decline), so every
state is an event with its own instant and nothing is overwritten. A declined order stays on hold: a decision never
cancels an order by itself, the shop does, and nothing declined counts as released.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.records import (
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

GUARANTEES: Final = {
    "pending": True,
    "in_review": True,
    "declined": True,
    "approved": False,
    "canceled": False,
    "cancelled": False,
    "unrequested": None,
    "n_a": None,
}
"""v2 guarantee → the order is on hold (True), free (False), or was never submitted (None)."""

ACTIONS: Final = {"hold": True, "challenge": True, "reject": True, "accept": False, "credit": False}
"""v3 checkpoint action → the order is on hold."""

_PREFIXES: Final = ("", "cases.", "decisions.", "data.", "investigations.")


def recognises(file: SourceFile) -> bool:
    """Say whether the file holds Signifyd cases or decisions."""
    if file.kind not in (".json", ".jsonl", ".ndjson"):
        return False
    paths = outline(file.head)
    return any(
        {f"{prefix}orderId", *marks} <= paths
        for prefix in _PREFIXES
        for marks in (
            {f"{prefix}guaranteeDisposition"},
            {f"{prefix}decision.checkpointAction"},
            {f"{prefix}signifydId", f"{prefix}decision"},
        )
    )


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read cases and decisions into hold events."""
    del context
    return collect(
        files,
        wrappers=("cases", "decisions", "investigations", "data"),
        convert=_convert,
        is_record=lambda record: "orderId" in record,
    )


def _convert(record: Record) -> Parsed:
    decision = child(record, "decision")
    if decision:
        return _decided(record, decision)
    if "guaranteeDisposition" in record:
        return _guaranteed(record)
    message = "neither decision (v3) nor guaranteeDisposition (v2) is there: nothing says how the case stands"
    raise RecordFault(message)


def _decided(record: Record, decision: Record) -> Parsed:
    parsed = Parsed()
    action = needed_text(decision, "checkpointAction")
    on_hold = _meaning(ACTIONS, action, "decision.checkpointAction")
    submitted_at = stamp(record, "submittedAt") or stamp(record, "createdAt")
    notes = to_json({
        "signifyd_id": text(record, "signifydId"),
        "checkpoint_id": text(record, "checkpointId"),
        "policy": text(decision, "checkpointActionPolicy"),
        "policy_reason": text(decision, "checkpointActionReason"),
        "score": text(decision, "score"),
        "decision": action,
    })  # fmt: skip
    _add(parsed, record, on_hold, action, needed_stamp(decision, "createdAt"), submitted_at, notes)
    return parsed


def _guaranteed(record: Record) -> Parsed:
    parsed = Parsed()
    if record.get("testInvestigation") is True:
        return parsed
    guarantee = text(record, "guaranteeDisposition") or "n/a"
    on_hold = _meaning(GUARANTEES, guarantee, "guaranteeDisposition")
    notes = to_json({
        "case_id": text(record, "caseId") or text(record, "investigationId"),
        "score": text(record, "score"),
        "case_status": text(record, "status"),
        "review": text(record, "reviewDisposition"),
        "decision": guarantee,
    })  # fmt: skip
    if on_hold is not None:
        at = stamp(record, "updatedAt") or needed_stamp(record, "createdAt")
        _add(parsed, record, on_hold, guarantee, at, stamp(record, "createdAt"), notes)
    return parsed


def _meaning(table: dict[str, Any], word: str, key: str) -> Any:  # noqa: ANN401 - what the table holds
    name = plain(word)
    if name not in table:
        message = f"{key}: {word!r} is not one of {', '.join(sorted(table))}"
        raise RecordFault(message)
    return table[name]


def _add(
    parsed: Parsed,
    record: Record,
    on_hold: bool,  # noqa: FBT001 - a state, not a switch
    reason: str,
    decided_at: datetime,
    submitted_at: datetime | None,
    notes: str | None,
) -> None:
    common: dict[str, Any] = {
        "order_id": needed_text(record, "orderId").removeprefix("#"),
        "hold_type": "fraud",
        "time_quality": "instant",
        "attributes": notes,
    }
    if submitted_at is not None:
        parsed.add("order", event_type="hold.placed", event_at=submitted_at, reason="submitted", **common)
    event_type = "hold.placed" if on_hold else "hold.released"
    if submitted_at != decided_at or not on_hold:
        parsed.add(
            "order", event_type=event_type, event_at=decided_at, reason=plain(reason), observed_at=decided_at, **common
        )
