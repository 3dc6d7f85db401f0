"""850 purchase order → order.captured per line (order.changed, order.cancelled where its purpose says so)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import CHANNEL, Business, Document, at
from pipelines.sources.edi.lines import (
    Dates,
    LineNumbers,
    Place,
    Stamp,
    Units,
    decimal_of,
    end_of,
    note_date,
    pack_of,
    product_ids,
    sku_of,
    start_of,
)
from pipelines.sources.edi.rows import EventRows, Row, attributes

COLUMNS: Final = (
    "event_type",
    "event_at",
    "observed_at",
    "time_quality",
    "source_ref",
    "order_id",
    "line_id",
    "channel",
    "customer_id",
    "order_type",
    "currency",
    "sku",
    "quantity",
    "uom",
    "pack_quantity",
    "unit_price",
    "ship_to_id",
    "ship_to_region",
    "ship_to_country",
    "ship_to_postal_code",
    "clock_zone",
    "requested_at",
    "window_start_at",
    "window_end_at",
    "ship_window_start_at",
    "ship_by_at",
    "cancel_after_at",
    "actor",
    "reason",
    "attributes",
)

_PURPOSES: Final[dict[str, tuple[str, ...]]] = {
    "": ("order.captured",),
    "00": ("order.captured",),
    "06": ("order.captured",),
    "15": ("order.captured",),
    "18": ("order.captured",),
    "05": ("order.captured", "order.changed"),
    "04": ("order.changed",),
    "01": ("order.cancelled",),
}
"""BEG01 → events. A replacement (05) captures too: where the original is known, the first capture counts."""

_BLANKET: Final = frozenset({"BK", "BL"})
"""BEG02 of frame contracts: demand comes with their releases."""

INCOTERMS: Final = "01"
"""FOB04: what follows is an incoterm."""

_INCOTERM_LENGTH: Final = 3

_REQUESTED: Final = ("002", "063")
_CANCEL_AFTER: Final = ("001", "061")
_SHIP_BY: Final = ("038", "010")


@dataclass(slots=True)
class Line:
    """A PO1 loop.

    Attributes:
        offset: Offset of the PO1 from the ST.
        segment: The PO1.
        line_id: Line number as events know it.
        dates: Its own DTMs.
        pack: Eaches per case.
        ship_to: Its own ship-to.
        stores: SDQ: store → quantity in the line's unit of measure.
        store_unit: Unit of measure of the SDQ.
        store_fault: What in the SDQ is no quantity.
        schedule: Its SCHs with their offsets.
    """

    offset: int
    segment: list[str]
    line_id: str
    dates: Dates = field(default_factory=dict)
    pack: Decimal | None = None
    ship_to: Place | None = None
    stores: dict[str, str] = field(default_factory=dict)
    store_unit: str = ""
    store_fault: str = ""
    schedule: list[tuple[int, list[str]]] = field(default_factory=list)


@dataclass(slots=True)
class Order:
    """What the header says and the lines so far."""

    currency: str
    dates: Dates = field(default_factory=dict)
    ship_to: Place = field(default_factory=Place)
    references: dict[str, str] = field(default_factory=dict)
    routing: str = ""
    incoterm: str = ""
    lines: list[Line] = field(default_factory=list)
    line_total: str = ""


def read(document: Document, rows: EventRows) -> Business:
    """Read an 850."""
    header = next((segment for segment in document.segments if segment[0] == "BEG"), [])
    number = at(header, 3).strip()
    business = Business(number, document.order_id(number) if number else None)
    events = _PURPOSES.get(at(header, 1))
    refusal = _refusal(header, number, events)
    if refusal or events is None:
        rows.reject(document.ref(0), refusal, document.set.text)
        return business
    order = gather(document, rows)
    if events == ("order.cancelled",):
        rows.sink("order", COLUMNS).append(_cancellation(document, header, order))
        return business
    if not order.lines:
        rows.reject(document.ref(0), "850 without PO1: it orders nothing", document.set.text)
    for line in order.lines:
        _add_line(document, rows, events, header=header, order=order, line=line)
    if order.line_total and order.line_total.lstrip("0") != str(len(order.lines)):
        reason = f"CTT01 says {order.line_total} lines, {len(order.lines)} came; the lines landed"
        rows.reject(document.ref(len(document.segments) - 2), reason, document.raw(-2))
    return business


def _refusal(header: list[str], number: str, events: tuple[str, ...] | None) -> str:
    if not header:
        return "850 without BEG: expected the beginning segment with the PO number"
    if at(header, 1) == "07":
        return f"purchase order {number} is marked as a duplicate (BEG01 = 07)"
    if events is None:
        return f"BEG01 is {at(header, 1)!r}: expected 00 original, 01 cancellation, 04 change or 05 replacement"
    return "" if number else "BEG03 (PO number) is missing"


def gather(document: Document, rows: EventRows) -> Order:
    """Return the header and the lines."""
    order = Order(document.currency)
    numbers = LineNumbers()
    line: Line | None = None
    place: Place | None = None
    for offset, segment in enumerate(document.segments):
        name = segment[0]
        if name == "PO1":
            line, place = Line(offset, segment, numbers.next(at(segment, 1))), None
            order.lines.append(line)
        elif name == "DTM":
            note_date(line.dates if line else order.dates, document, offset, rows)
        elif name == "N1":
            place = _place(order, line, segment)
        elif name == "N4" and place is not None:
            place.locate(segment)
        elif name == "SCH" and line is not None:
            line.schedule.append((offset, segment))
        elif line is not None:
            _note_line(line, segment, order)
        else:
            _note_header(order, segment)
    for line in order.lines:
        _convert_stores(line)
        _note_schedule(line, document, rows)
    return order


def _incoterm(fob: list[str]) -> str:
    """Return the incoterm of a FOB, empty where its transport terms are others or none."""
    terms = at(fob, 5).strip().upper()
    return terms if at(fob, 4) in ("", INCOTERMS) and len(terms) == _INCOTERM_LENGTH else ""


def _place(order: Order, line: Line | None, n1: list[str]) -> Place | None:
    if at(n1, 1) != "ST":
        return None
    place = Place(id=at(n1, 4).strip())
    if line is not None:
        line.ship_to = place
    else:
        order.ship_to = place
    return place


def _note_line(line: Line, segment: list[str], order: Order) -> None:
    name = segment[0]
    if name == "PO4":
        line.pack = pack_of(segment)
    elif name == "SDQ":
        _note_stores(line, segment)
    elif name == "CTT":
        order.line_total = at(segment, 1)


def _note_stores(line: Line, sdq: list[str]) -> None:
    line.store_unit = at(sdq, 1)
    for index in range(3, len(sdq), 2):
        store, quantity = sdq[index], decimal_of(at(sdq, index + 1))
        if quantity is not None:
            line.stores[store] = str((decimal_of(line.stores.get(store, "0")) or 0) + quantity)
        elif store or at(sdq, index + 1):
            line.store_fault = f"SDQ{index + 1:02d} is {at(sdq, index + 1)!r}: expected the quantity of store {store}"


def _convert_stores(line: Line) -> None:
    """Bring an SDQ into the line's unit of measure: stores may get eaches of what is ordered in cases."""
    told, wanted = Units(line.store_unit, line.pack).factor, Units(at(line.segment, 3), line.pack).factor
    if line.store_unit and told and wanted and told != wanted:
        line.stores = {
            store: f"{((decimal_of(quantity) or 0) * told / wanted).normalize():f}"
            for store, quantity in line.stores.items()
        }


def _note_schedule(line: Line, document: Document, rows: EventRows) -> None:
    """Take the dates that all SCHs of a line agree on; where it is wanted in pieces, its attributes say when."""
    told: dict[str, set[Stamp]] = {}
    for offset, sch in line.schedule:
        for place in (5, 8):
            qualifier, date, time = at(sch, place), at(sch, place + 1), at(sch, place + 2)
            if qualifier and (document.clock.start(date, time) is None or document.clock.end(date) is None):
                reason = f"SCH{place + 1:02d} {(date + time)!r} is not a date"
                rows.reject(document.ref(offset), reason, document.raw(offset))
            elif qualifier:
                told.setdefault(qualifier, set()).add(Stamp(date, date, time))
    for qualifier, stamps in told.items():
        if len(stamps) == 1:
            line.dates.setdefault(qualifier, stamps.pop())


def _note_header(order: Order, segment: list[str]) -> None:
    name = segment[0]
    if name == "REF" and at(segment, 1):
        order.references[at(segment, 1)] = at(segment, 2)
    elif name == "CUR" and at(segment, 2):
        order.currency = at(segment, 2)
    elif name == "TD5":
        order.routing = order.routing or at(segment, 5) or at(segment, 3)
    elif name == "FOB":
        order.incoterm = order.incoterm or _incoterm(segment)
    elif name == "CTT":
        order.line_total = at(segment, 1)


def _add_line(
    document: Document,
    rows: EventRows,
    events: tuple[str, ...],
    *,
    header: list[str],
    order: Order,
    line: Line,
) -> None:
    segment = line.segment
    ordered = at(segment, 2)
    if line.store_fault:
        rows.reject(document.ref(line.offset), line.store_fault, document.raw(line.offset))
        return
    if line.stores:
        total = sum((decimal_of(quantity) or Decimal(0) for quantity in line.stores.values()), Decimal(0))
        if ordered and decimal_of(ordered) != total:
            reason = f"PO102 is {ordered}, but the stores of the SDQ add up to {total}"
            rows.reject(document.ref(line.offset), reason, document.raw(line.offset))
            return
        ordered = ordered or str(total)
    if not ordered:
        rows.reject(document.ref(line.offset), "PO102 (quantity) is missing", document.raw(line.offset))
        return
    sink = rows.sink("order", COLUMNS)
    for event_type in events:
        sink.append(row(document, event_type, ordered=ordered, header=header, order=order, line=line))


def row(document: Document, event_type: str, *, ordered: str, header: list[str], order: Order, line: Line) -> Row:
    """Return the event of a line in `COLUMNS`."""
    segment, clock = line.segment, document.clock
    ids = product_ids(segment, 6)
    units = Units(at(segment, 3), line.pack)
    dates = {**order.dates, **line.dates}
    place = line.ship_to or order.ship_to
    return (
        event_type,
        document.sent_at,
        document.sent_at,
        "instant",
        document.ref(line.offset),
        document.order_id(at(header, 3)),
        line.line_id,
        CHANNEL,
        document.partner,
        "draft" if at(header, 2) in _BLANKET else "standard",
        order.currency,
        sku_of(ids),
        units.in_each(ordered),
        units.uom,
        line.pack,
        units.price_each(at(segment, 4), at(segment, 5)),
        place.id,
        place.region,
        place.country,
        place.postal_code,
        clock.zone.key,
        end_of(dates, clock, _REQUESTED),
        start_of(dates, clock, ("064",)),
        end_of(dates, clock, ("063",)),
        start_of(dates, clock, ("037",)),
        end_of(dates, clock, _SHIP_BY),
        end_of(dates, clock, _CANCEL_AFTER),
        "customer" if event_type == "order.changed" else None,
        None,
        _attributes(header, order, line, ids, units),
    )


def _attributes(header: list[str], order: Order, line: Line, ids: dict[str, str], units: Units) -> str | None:
    return attributes(
        {
            "po_date": at(header, 5),
            "purpose": at(header, 1),
            "order_kind": at(header, 2),
            "release": at(header, 4),
            "references": order.references,
            "routing": order.routing,
            "incoterm": order.incoterm,
            "product_ids": ids,
            "stores": line.stores,
            "schedule": [[at(sch, 1), *sch[5:11]] for _, sch in line.schedule],
            "is_unconverted": units.is_unconverted or None,
        }
    )


def _cancellation(document: Document, header: list[str], order: Order) -> Row:
    known = {
        "event_type": "order.cancelled",
        "event_at": document.sent_at,
        "observed_at": document.sent_at,
        "time_quality": "instant",
        "source_ref": document.ref(0),
        "order_id": document.order_id(at(header, 3)),
        "channel": CHANNEL,
        "customer_id": document.partner,
        "currency": order.currency,
        "clock_zone": document.clock.zone.key,
        "actor": "customer",
        "reason": "BEG01=01",
        "attributes": attributes({"po_date": at(header, 5), "references": order.references}),
    }
    return tuple(known.get(name) for name in COLUMNS)
