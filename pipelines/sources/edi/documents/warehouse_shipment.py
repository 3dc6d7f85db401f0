"""945 warehouse shipping advice → ship.confirmed per line, carton and shipment; lines not shipped as exceptions.

What was shipped is W1203; the difference to W1202 is computed, not believed. A line the warehouse could not ship may
also be missing altogether: the 940 says what was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    REFERENCE_SEGMENTS,
    Found,
    Moment,
    add,
    amount_text,
    code,
    envelope,
    find,
    first,
    happened,
    moment,
    pick,
    reference,
    text,
)
from pipelines.sources.edi.documents.warehouse_order import (
    WAREHOUSE_SOURCE,
    WarehouseHead,
    item_ids,
    line_loops,
    line_number,
    line_spans,
    read_head,
)
from pipelines.sources.edi.lines import Units, decimal_of, sku_of
from pipelines.sources.edi.rows import EventRows, attributes
from pipelines.sources.edi.sscc import has_valid_check_digit, normalise_sscc

COLUMNS: Final = (
    *ENVELOPE,
    "source",
    "shipment_id",
    "order_id",
    "line_id",
    "sku",
    "quantity",
    "uom",
    "node_id",
    "carrier",
    "service",
    "tracking_number",
    "sscc",
    "status_code",
    "reason",
    "ship_to_region",
    "attributes",
)

_REFUSED: Final = frozenset({"C", "X"})
"""W0601 (element 514): cancellation, simulation."""

_SHIPPED: Final = ("11", "10")
_ORDER_REFERENCES: Final = ("CO", "DO", "OQ", "VN", "SO")
_TRACKING: Final = ("CN", "2I", "BM", "MB")
_SSCC_KINDS: Final = frozenset({"GM", "AA"})


@dataclass(frozen=True, slots=True)
class _Shipment:
    """What the head says, for all lines."""

    number: str
    order_id: str
    when: Moment
    head: WarehouseHead
    carrier: str
    service: str
    facts: dict[str, object]


@dataclass(slots=True)
class _Marks:
    """Carton and parcel of a loop."""

    sscc: str = ""
    parcel: str = ""


@dataclass(slots=True)
class _Line:
    """A W12 loop with what its LX loop says."""

    offset: int
    segment: list[str]
    marks: _Marks
    references: dict[str, str]
    pack: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    line_id: str
    sku: str
    sscc: str
    parcel: str
    uom: str
    status: str


@dataclass(slots=True)
class _Sum:
    offset: int
    ordered: Decimal | None
    shipped: Decimal
    facts: dict[str, object]


def read(document: Document, rows: EventRows) -> Business:
    """Read a 945."""
    _, header = first(document, "W06")
    top, lines = line_loops(document, "W12", trailer="W03")
    head = read_head(document, rows, top)
    number, shipment = text(header, 2), text(header, 4) or text(header, 5)
    purchase_order = text(header, 6) or pick(head.references, "PO")
    order_id = number or pick(head.references, *_ORDER_REFERENCES) or purchase_order
    facts: dict[str, object] = {
        "reporting": code(header, 1),
        "po_number": purchase_order,
        "bill_of_lading": pick(head.references, "BM", "MB"),
        "references": head.references,
    }
    business = Business(shipment or number, order_id or None, attributes(facts))
    if code(header, 1) in _REFUSED:
        rows.reject(document.ref(0), f"W0601 is {code(header, 1)!r}: nothing was shipped", document.set.text)
    elif not order_id:
        missing = "W0602 (depositor order) and W0606 (PO number) are missing: the shipment belongs to no order"
        rows.reject(document.ref(0), missing, document.set.text)
    else:
        w27 = find(top, "W27")
        found = _Shipment(
            number=shipment or number or purchase_order,
            order_id=order_id,
            when=_shipped_at(document, header, head),
            head=head,
            carrier=text(w27, 2).lower(),
            service=text(w27, 3),
            facts=facts,
        )
        _add_lines(document, rows, found, lines)
    return business


def _shipped_at(document: Document, header: list[str], head: WarehouseHead) -> Moment:
    """Return when it left: G62*11 with its time, else W0603; a date told on the same day means by now."""
    stamp = next((head.dates[name] for name in _SHIPPED if name in head.dates), None)
    found = moment(document.clock, stamp.first, stamp.time, stamp.code) if stamp else None
    found = found or moment(document.clock, text(header, 3))
    known = happened(document, found)
    end = document.clock.end(stamp.first if stamp else text(header, 3))
    if known.quality == "date" and end is not None and known.at <= document.sent_at < end:
        return Moment(document.sent_at, "date")
    return known


def _add_lines(document: Document, rows: EventRows, shipment: _Shipment, loops_found: list[list[Found]]) -> None:
    total: dict[_Key, _Sum] = {}
    units_told = Decimal(0)
    for loop in loops_found:
        for line in _lines(loop):
            shipped = decimal_of(text(line.segment, 3) or "0")
            ordered = decimal_of(text(line.segment, 2)) if text(line.segment, 2) else None
            if shipped is None or (text(line.segment, 2) and ordered is None):
                reason = f"W1202/W1203 are {text(line.segment, 2)!r}/{text(line.segment, 3)!r}: expected quantities"
                rows.reject(document.ref(line.offset), reason, document.raw(line.offset))
                continue
            units_told += shipped
            _check_difference(document, rows, line, ordered=ordered, shipped=shipped)
            _sum_up(total, line, ordered=ordered, shipped=shipped)
    if not loops_found:
        _add(document, rows, shipment, None, _Sum(0, None, Decimal(0), {}))
    for key, known in total.items():
        _add(document, rows, shipment, key, known)
    _check_total(document, rows, units_told)


def _lines(loop: list[Found]) -> list[_Line]:
    spans = line_spans(loop, "W12")
    outer_marks, outer_references = _marks(loop[: spans[0][0]]), _references(loop[: spans[0][0]])
    found = []
    for start, end in spans:
        inner = _marks(loop[start:end])
        marks = _Marks(inner.sscc or outer_marks.sscc, inner.parcel or outer_marks.parcel)
        pack = decimal_of(text(find(loop[start:end], "W20"), 1)) or None
        references = {**outer_references, **_references(loop[start:end])}
        found.append(_Line(*loop[start], marks, references, pack))
    return found


def _references(segments: list[Found]) -> dict[str, str]:
    return dict(reference(segment) for _, segment in segments if segment[0] in REFERENCE_SEGMENTS)


def _marks(segments: list[Found]) -> _Marks:
    marks = _Marks()
    for _, segment in segments:
        if segment[0] == "MAN":
            for kind, value in ((code(segment, 1), text(segment, 2)), (code(segment, 4), text(segment, 5))):
                if kind in _SSCC_KINDS:
                    marks.sscc = marks.sscc or normalise_sscc(value)
                elif kind == "CP":
                    marks.parcel = marks.parcel or value
    return marks


def _check_difference(
    document: Document, rows: EventRows, line: _Line, *, ordered: Decimal | None, shipped: Decimal
) -> None:
    stated = decimal_of(text(line.segment, 4))
    if stated is not None and ordered is not None and abs(stated) != abs(ordered - shipped):
        reason = (
            f"W1204 says a difference of {stated:f}, but {ordered:f} ordered and {shipped:f} shipped differ by "
            f"{ordered - shipped:f}; the line landed"
        )
        rows.reject(document.ref(line.offset), reason, document.raw(line.offset))


def _sum_up(total: dict[_Key, _Sum], line: _Line, *, ordered: Decimal | None, shipped: Decimal) -> None:
    """Add a line; those alike in one document are several pieces, not one told twice."""
    w12 = line.segment
    ids, units = item_ids(w12, 6, 7), Units(code(w12, 5), line.pack)
    key = _Key(
        line_id=line_number(line.references),
        sku=sku_of(ids),
        sscc=line.marks.sscc,
        parcel=line.marks.parcel,
        uom=units.uom,
        status=code(w12, 1),
    )
    facts: dict[str, object] = {
        "product_ids": ids,
        "lot": text(w12, 9),
        "substitute_for": text(w12, 18) or text(w12, 16),
        "line_references": line.references,
        "is_unconverted": units.is_unconverted or None,
    }
    known = total.setdefault(key, _Sum(line.offset, None, Decimal(0), facts))
    known.shipped += _each(units, shipped)
    if ordered is not None:
        known.ordered = (known.ordered or Decimal(0)) + _each(units, ordered)


def _each(units: Units, quantity: Decimal) -> Decimal:
    value = units.in_each(f"{quantity:f}")
    return value if isinstance(value, Decimal) else quantity


def _add(document: Document, rows: EventRows, shipment: _Shipment, key: _Key | None, known: _Sum) -> None:
    is_short = key is not None and known.shipped == 0
    tracking = (key.parcel if key else "") or pick(shipment.head.references, *_TRACKING)
    difference = known.ordered - known.shipped if known.ordered is not None else None
    is_wrong = bool(key and key.sscc and not has_valid_check_digit(key.sscc))
    facts = shipment.facts | known.facts
    facts |= {
        "ordered": amount_text(known.ordered),
        "difference": amount_text(difference),
        "is_sscc_check_digit_wrong": is_wrong or None,
    }
    values: dict[str, object] = {
        **envelope(document, known.offset, "exception" if is_short else "ship.confirmed", shipment.when),
        "source": WAREHOUSE_SOURCE,
        "shipment_id": shipment.number,
        "order_id": shipment.order_id,
        "node_id": shipment.head.party("WH", "SF", "LW").id or document.partner,
        "carrier": shipment.carrier,
        "service": shipment.service,
        "tracking_number": tracking,
        "ship_to_region": shipment.head.party("ST", "CN").region,
        "attributes": attributes(facts),
    }
    if key is not None:
        values |= {
            "line_id": key.line_id,
            "sku": key.sku,
            "quantity": None if is_short else known.shipped,
            "uom": key.uom,
            "sscc": key.sscc,
            "status_code": key.status,
            "reason": "not shipped" if is_short else None,
        }
    add(rows, "shipment", COLUMNS, values)


def _check_total(document: Document, rows: EventRows, shipped: Decimal) -> None:
    offset, trailer = first(document, "W03")
    stated = decimal_of(text(trailer, 1))
    if stated is not None and stated != shipped:
        reason = f"W0301 says {stated:f} units shipped, the lines add up to {shipped:f}; the lines landed"
        rows.reject(document.ref(offset), reason, document.raw(offset))
