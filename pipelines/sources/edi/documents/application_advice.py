"""824 application advice → document.acknowledged or document.rejected: what the partner says about the content.

A 997 proves the syntax, an 824 judges the business: it names the document by group and set control or by the
business number. A rejected invoice also gives invoice.rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipelines.sources.edi.document import Business, Direction, Document
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    PURCHASE_ORDER,
    REFERENCE_SEGMENTS,
    Found,
    add,
    code,
    envelope,
    first,
    loops,
    pick,
    reference,
    text,
)
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    *ENVELOPE,
    "document_type",
    "direction",
    "partner_id",
    "group_control",
    "set_control",
    "document_id",
    "order_id",
    "answered_by",
    "status",
    "reason",
    "attributes",
)
_INVOICE_COLUMNS: Final = (
    *ENVELOPE,
    "document_id",
    "reference_id",
    "order_id",
    "customer_id",
    "reason_code",
    "attributes",
)

_STATUSES: Final = {"A": "A", "C": "E", "E": "E", "H": "E", "P": "P", "R": "R"}
"""Second letter of element 110: accept, accept with change or error, on hold, partial, reject. The first one says of
what: T set, G group, B batch, I item."""

_TYPES: Final = {
    "IV": "810",
    "IN": "810",
    "SI": "856",
    "SN": "856",
    "BM": "856",
    "CN": "856",
    "2I": "856",
    "MB": "856",
}
"""Kind of number in OTI02 → document it numbers, where OTI10 does not say."""

_UNKNOWN_TYPE: Final = "unknown"
_INVOICE: Final = "810"


@dataclass(slots=True)
class _Verdict:
    """An OTI loop."""

    offset: int
    segment: list[str]
    references: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def read(document: Document, rows: EventRows) -> Business:
    """Read an 824."""
    _, header = first(document, "BGN")
    business = Business(text(header, 2), None, attributes({"purpose": code(header, 1)}))
    verdicts = [_verdict(loop) for loop in loops(document, ("OTI",), ends=("SE",)) if loop[0][1][0] == "OTI"]
    if not verdicts:
        rows.reject(document.ref(0), "824 without OTI: it names no document that it judges", document.set.text)
    for verdict in verdicts:
        _add(document, rows, verdict)
    return business


def _verdict(loop: list[Found]) -> _Verdict:
    verdict = _Verdict(*loop[0])
    for _, segment in loop:
        name = segment[0]
        if name in REFERENCE_SEGMENTS:
            verdict.references.setdefault(*reference(segment))
        elif name == "TED":
            place = " ".join(part for part in (text(segment, 3), text(segment, 4), text(segment, 5)) if part)
            parts = (code(segment, 1), text(segment, 2), f"at {place}" if place else "", text(segment, 7))
            verdict.reasons.append(" ".join(part for part in parts if part))
        elif name == "NTE":
            verdict.reasons.append(text(segment, 2))
        elif name == "RED":
            verdict.reasons.append(" ".join(part for part in (text(segment, 1), text(segment, 5)) if part))
    return verdict


def _add(document: Document, rows: EventRows, verdict: _Verdict) -> None:
    oti = verdict.segment
    status = _STATUSES.get(code(oti, 1)[1:])
    if status is None:
        reason = f"OTI01 is {code(oti, 1)!r}: expected accept, error, partial or reject, e.g. TA, TE, TP, TR"
        rows.reject(document.ref(verdict.offset), reason, document.raw(verdict.offset))
        return
    answered: Direction = "out" if document.direction == "in" else "in"
    kind = code(oti, 10) or _TYPES.get(code(oti, 2), _UNKNOWN_TYPE)
    number = text(oti, 3)
    order = number if code(oti, 2) == PURCHASE_ORDER else pick(verdict.references, PURCHASE_ORDER)
    order_id = document.order_id(order) if order else None
    reasons = "; ".join(reason for reason in verdict.reasons if reason)
    facts = {
        "verdict": code(oti, 1),
        "qualifier": code(oti, 2),
        "group_date": text(oti, 6),
        "references": verdict.references,
    }
    values = {
        **envelope(document, verdict.offset, "document.rejected" if status == "R" else "document.acknowledged"),
        "document_type": kind,
        "direction": answered,
        "partner_id": document.partner,
        "group_control": text(oti, 8),
        "set_control": text(oti, 9),
        "document_id": number,
        "order_id": order_id,
        "answered_by": document.set.code,
        "status": status,
        "reason": reasons,
        "attributes": attributes(facts),
    }
    add(rows, "document", COLUMNS, values)
    if status == "R" and kind == _INVOICE and answered == "out":
        invoice = number if code(oti, 2) in ("IV", "IN") else pick(verdict.references, "IV", "IN") or number
        rejected = {
            **envelope(document, verdict.offset, "invoice.rejected"),
            "document_id": invoice,
            "reference_id": invoice,
            "order_id": order_id,
            "customer_id": document.partner,
            "reason_code": next((code(["", reason.split(" ")[0]], 1) for reason in verdict.reasons if reason), ""),
            "attributes": attributes({"reason": reasons}),
        }
        add(rows, "finance", _INVOICE_COLUMNS, rejected)
