"""861 receiving advice → received, per line: what the buyer counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    PURCHASE_ORDER,
    REFERENCE_SEGMENTS,
    Found,
    Moment,
    add,
    check_total,
    code,
    envelope,
    find,
    first,
    happened,
    loops,
    moment,
    pick,
    reference,
    text,
)
from pipelines.sources.edi.lines import Units, decimal_of, pack_of, plain_line, product_ids, sku_of
from pipelines.sources.edi.rows import EventRows, attributes
from pipelines.sources.edi.sscc import normalise_sscc

COLUMNS: Final = (
    *ENVELOPE,
    "shipment_id",
    "order_id",
    "line_id",
    "sku",
    "quantity",
    "uom",
    "node_id",
    "carrier",
    "tracking_number",
    "sscc",
    "reason",
    "attributes",
)

_REFUSED: Final = frozenset({"01", "03", "07"})
_RECEIVED: Final = ("050", "140", "035", "011")
_SHIPMENTS: Final = ("SI", "MA", "BM", "PK")
_CONDITIONS: Final = {
    "01": "damaged",
    "02": "short",
    "03": "over",
    "04": "wrong_item",
    "05": "defective",
    "07": "good",
}
"""RCD08 (element 412), as far as it has a plain name; others are kept as they are."""

_FIRST_CONDITION, _CONDITION_STEP, _CONDITIONS_MOST = 6, 3, 5


@dataclass(slots=True)
class _Sum:
    """Lines alike in one document are several pieces, not one told twice."""

    offset: int
    quantity: Decimal
    uom: str
    conditions: list[dict[str, str]]
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Key:
    order: str
    line_id: str
    sku: str
    sscc: str
    shipment: str


def read(document: Document, rows: EventRows) -> Business:
    """Read an 861."""
    _, header = first(document, "BRA")
    number, purpose = text(header, 1), code(header, 3)
    head, *lines = loops(document, ("RCD",))
    references = _references(head)
    order = text(find(head, "PRF"), 1) or pick(references, PURCHASE_ORDER)
    business = Business(number, document.order_id(order) if order else None, attributes({"purpose": purpose}))
    if purpose in _REFUSED:
        reason = f"BRA03 is {purpose!r}: a cancelled or duplicate advice receives nothing"
        rows.reject(document.ref(0), reason, document.set.text)
        return business
    when = _received_at(document, header, head)
    total: dict[_Key, _Sum] = {}
    counted = Decimal(0)
    for loop in lines:
        counted += _take(document, rows, loop, total, order=order, references=references)
    carrier = find(head, "TD5")
    common = {
        "node_id": _receiver(head),
        "carrier": text(carrier, 3).lower(),
        "tracking_number": pick(references, "CN", "2I") or pick(references, "BM"),
    }
    for key, known in total.items():
        _add(document, rows, key, known, number=number, when=when, common=common)
    if not lines:
        rows.reject(document.ref(0), "861 without RCD: it names nothing that was received", document.set.text)
    check_total(document, rows, "CTT", lines=len(lines), hash_total=counted)
    return business


def _references(segments: list[Found]) -> dict[str, str]:
    return dict(reference(segment) for _, segment in segments if segment[0] in REFERENCE_SEGMENTS)


def _received_at(document: Document, header: list[str], head: list[Found]) -> Moment:
    stamps = {code(segment, 1): segment for _, segment in head if segment[0] == "DTM"}
    dtm = next((stamps[name] for name in _RECEIVED if name in stamps), [])
    found = moment(document.clock, text(dtm, 2), text(dtm, 3), text(dtm, 4))
    return happened(document, found or moment(document.clock, text(header, 2), text(header, 5)))


def _receiver(head: list[Found]) -> str:
    parties = {code(segment, 1): text(segment, 4) for _, segment in head if segment[0] == "N1"}
    return pick(parties, "ST", "RC", "WH", "BY")


def _take(
    document: Document,
    rows: EventRows,
    loop: list[Found],
    total: dict[_Key, _Sum],
    *,
    order: str,
    references: dict[str, str],
) -> Decimal:
    """Add a line and return its quantity as told."""
    offset, rcd = loop[0]
    lin, sn1, own = find(loop, "LIN"), find(loop, "SN1"), _references(loop)
    told, unit = text(rcd, 2), code(rcd, 3)
    conditions = _conditions(rcd)
    quantity = decimal_of(told or ("0" if conditions else ""))
    if quantity is None:
        reason = f"RCD02 is {told!r}: expected the quantity received"
        rows.reject(document.ref(offset), reason, document.raw(offset))
        return Decimal(0)
    ids = product_ids(lin, 2)
    units = Units(unit, pack_of(find(loop, "PO4")))
    key = _Key(
        order=text(find(loop, "PRF"), 1) or pick(own, PURCHASE_ORDER) or order,
        line_id=plain_line(pick(own, "LI", "PL") or text(lin, 1)),
        sku=sku_of(ids),
        sscc=next((found for found in map(_sscc, loop) if found), ""),
        shipment=pick(own, *_SHIPMENTS) or pick(references, *_SHIPMENTS),
    )
    value = units.in_each(f"{quantity:f}")
    facts: dict[str, object] = {
        "line": text(rcd, 1),
        "returned": text(rcd, 4),
        "shipped": text(sn1, 2),
        "product_ids": ids,
        "is_unconverted": units.is_unconverted or None,
    }
    known = total.setdefault(key, _Sum(offset, Decimal(0), unit, [], facts))
    known.quantity += value if isinstance(value, Decimal) else quantity
    known.conditions += conditions
    return quantity


def _sscc(found: Found) -> str:
    segment = found[1]
    return normalise_sscc(text(segment, 2)) if segment[0] == "MAN" and code(segment, 1) in ("GM", "AA") else ""


def _conditions(rcd: list[str]) -> list[dict[str, str]]:
    """Return the quantities in question with their conditions (RCD06 to RCD20)."""
    starts = range(_FIRST_CONDITION, _FIRST_CONDITION + _CONDITION_STEP * _CONDITIONS_MOST, _CONDITION_STEP)
    return [
        {
            "quantity": text(rcd, start),
            "uom": code(rcd, start + 1),
            "condition": _CONDITIONS.get(code(rcd, start + 2), code(rcd, start + 2)),
        }
        for start in starts
        if text(rcd, start)
    ]


def _add(
    document: Document,
    rows: EventRows,
    key: _Key,
    known: _Sum,
    *,
    number: str,
    when: Moment,
    common: dict[str, str],
) -> None:
    questions = [condition["condition"] for condition in known.conditions]
    values = {
        **envelope(document, known.offset, "received", when),
        **common,
        "shipment_id": key.shipment,
        "order_id": document.order_id(key.order) if key.order else None,
        "line_id": key.line_id,
        "sku": key.sku,
        "quantity": known.quantity,
        "uom": known.uom,
        "sscc": key.sscc,
        "reason": ", ".join(dict.fromkeys(questions)),
        "attributes": attributes(known.facts | {"advice": number, "conditions": known.conditions}),
    }
    add(rows, "shipment", COLUMNS, values)
