"""753 request for routing instructions → appt.requested, 754 routing instructions → appt.scheduled, per order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipelines.sources.edi.document import Business, Document
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    REFERENCE_SEGMENTS,
    Found,
    Moment,
    add,
    code,
    envelope,
    find,
    first,
    loops,
    moment,
    pick,
    reference,
    text,
)
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    *ENVELOPE,
    "shipment_id",
    "order_id",
    "carrier",
    "service",
    "appointment_at",
    "origin_region",
    "ship_to_region",
    "attributes",
)

_READY: Final = ("69", "10", "86", "37", "18", "BI", "AM", "79", "77", "11", "02", "17")
"""G6201 in the order in which one is taken as the pickup or the day the goods are ready."""

_LOADS: Final = ("LO", "ID", "LD", "LN", "BM", "MB", "SI", "RU", "AO", "CN", "ZZ")
_REFUSED: Final = frozenset({"01", "03", "07"})


@dataclass(slots=True)
class _Part:
    """An order of a load, with what its loop says.

    Attributes:
        oid: The OID; empty = the load names no order.
    """

    offset: int
    oid: list[str]
    references: dict[str, str] = field(default_factory=dict)
    when: Moment | None = None
    dates: dict[str, str] = field(default_factory=dict)
    carrier: str = ""
    region: str = ""
    facts: dict[str, object] = field(default_factory=dict)


def read(document: Document, rows: EventRows) -> Business:
    """Read a 753 or 754."""
    _, header = first(document, "BGN")
    number, purpose = text(header, 2), code(header, 1)
    is_request = document.set.code == "753"
    # A 753 repeats the ship-to loop, a 754 the load; both begin at LX at the latest.
    head, *found = _loops(document, is_request=is_request)
    parts = [part for loop in found for part in _parts(document, rows, loop)]
    orders = {text(part.oid, 2) for part in parts} - {""}
    order_id = document.order_id(next(iter(orders))) if len(orders) == 1 else None
    facts = {"purpose": purpose, "orders": sorted(orders) if len(orders) > 1 else None}
    business = Business(number, order_id, attributes(facts))
    if purpose in _REFUSED:
        reason = f"BGN01 is {purpose!r}: a cancelled or duplicate document routes nothing"
        rows.reject(document.ref(0), reason, document.set.text)
        return business
    origin = _region(head)
    for part in parts:
        _add(document, rows, part, number=number, origin=origin)
    if not parts:
        rows.reject(
            document.ref(0), f"{document.set.code} without LX, OID or ship-to: it names no load", document.set.text
        )
    return business


def _loops(document: Document, *, is_request: bool) -> list[list[Found]]:
    """Cut off the head and cut the rest into destinations (753: N1*ST after LX) or loads (754: LX)."""
    parts = list(loops(document, ("LX",), ends=("SE",)))
    if not is_request:
        return parts
    cut: list[list[Found]] = [parts[0]]
    for part in parts[1:]:
        current: list[Found] = []
        for found in part:
            if found[1][0] == "N1" and any(segment[0] in ("N1", "OID") for _, segment in current):
                cut.append(current)
                current = []
            current.append(found)
        cut.append(current)
    return cut


def _region(segments: list[Found]) -> str:
    return code(find(segments, "N4"), 2)


def _parts(document: Document, rows: EventRows, loop: list[Found]) -> list[_Part]:
    """Return the orders of a loop. What stands before the first OID holds for all of them."""
    whole = _Part(loop[0][0], [])
    parts: list[_Part] = []
    for offset, segment in loop:
        name, target = segment[0], parts[-1] if parts else whole
        if name == "OID":
            parts.append(_Part(offset, segment, facts=_goods(segment)))
        elif name in REFERENCE_SEGMENTS:
            target.references.setdefault(*reference(segment))
        elif name == "G62":
            _note_date(document, rows, offset, (whole, target))
        elif name == "BLR":
            whole.carrier = text(segment, 1)
        elif name in ("TD5", "SMD"):
            whole.carrier = whole.carrier or (text(segment, 3) if name == "TD5" else "")
        elif name == "N4":
            whole.region = whole.region or code(segment, 2)
        elif name == "USI":
            whole.facts["pallets"] = text(segment, 1)
    for part in parts:
        part.references = {**whole.references, **part.references}
        part.dates = {**whole.dates, **part.dates}
        part.when = part.when or whole.when
        part.carrier, part.region = whole.carrier, whole.region
        part.facts = {**whole.facts, **part.facts}
    return parts or [whole]


def _goods(oid: list[str]) -> dict[str, object]:
    """Return quantity, weight and volume of an order as they are told."""
    return {
        "quantity": text(oid, 5),
        "uom": text(oid, 4),
        "weight": text(oid, 7),
        "weight_unit": text(oid, 6),
        "volume": text(oid, 9),
        "volume_unit": text(oid, 8),
        "seller_order": text(oid, 1),
    }


def _note_date(document: Document, rows: EventRows, offset: int, targets: tuple[_Part, ...]) -> None:
    segment = document.segments[offset]
    found = moment(document.clock, text(segment, 2), text(segment, 4), code(segment, 5))
    if found is None:
        told = f"{text(segment, 2)} {text(segment, 4)}".strip()
        rows.reject(document.ref(offset), f"G62{code(segment, 1)} {told!r} is not a date", document.raw(offset))
        return
    kind = code(segment, 1)
    for part in targets:
        part.dates[kind] = text(segment, 2) + text(segment, 4)
        if part.when is None or _rank(kind) <= min(map(_rank, part.dates)):
            part.when = found


def _rank(kind: str) -> int:
    return _READY.index(kind) if kind in _READY else len(_READY)


def _add(document: Document, rows: EventRows, part: _Part, *, number: str, origin: str) -> None:
    order = text(part.oid, 2) or pick(part.references, "PO")
    facts = {**part.facts, "stop": "pickup", "request": number, "dates": part.dates, "references": part.references}
    values = {
        **envelope(document, part.offset, "appt.requested" if document.set.code == "753" else "appt.scheduled"),
        "shipment_id": pick(part.references, *_LOADS) or number,
        "order_id": document.order_id(order) if order else None,
        "carrier": part.carrier.lower(),
        "appointment_at": part.when.at if part.when else None,
        "origin_region": origin,
        "ship_to_region": part.region,
        "attributes": attributes(facts),
    }
    add(rows, "shipment", COLUMNS, values)
