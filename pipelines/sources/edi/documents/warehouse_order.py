"""940 warehouse shipping order → order.released to the warehouse, per line.

Dates are G62 with codes of element 432, which differ from those of DTM: 10 ship, 02 deliver, 37/38 ship window,
53/54 delivery window, 01 cancel after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document, at
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    REFERENCE_SEGMENTS,
    Found,
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
from pipelines.sources.edi.lines import (
    Dates,
    Place,
    Stamp,
    Units,
    decimal_of,
    end_of,
    plain_line,
    product_ids,
    sku_of,
    start_of,
)
from pipelines.sources.edi.rows import EventRows, attributes

WAREHOUSE_SOURCE: Final = "edi_wms"
"""Source of what warehouses are told and tell: another system of record than the retailer's documents."""

COLUMNS: Final = (
    *ENVELOPE,
    "source",
    "order_id",
    "line_id",
    "customer_id",
    "sku",
    "quantity",
    "uom",
    "pack_quantity",
    "node_id",
    "ship_to_id",
    "ship_to_region",
    "ship_to_country",
    "ship_to_postal_code",
    "requested_at",
    "window_start_at",
    "window_end_at",
    "ship_window_start_at",
    "ship_by_at",
    "cancel_after_at",
    "attributes",
)

WITHDRAWN: Final = frozenset({"F", "D", "X", "A"})
"""W0501 (element 473): cancel, delete, simulation, information only."""

_LINE_NUMBERS: Final = ("LI", "PL", "IL")
_SHIP_TO: Final = ("ST", "CN", "BS")
_WAREHOUSES: Final = ("WH", "SF", "LW")


@dataclass(slots=True)
class WarehouseHead:
    """What stands above the lines of a 940 or 945."""

    dates: Dates = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    parties: dict[str, Place] = field(default_factory=dict)

    def party(self, *roles: str) -> Place:
        """Return the first party that is there."""
        return next((self.parties[role] for role in roles if role in self.parties), Place())


def read_head(document: Document, rows: EventRows, segments: list[Found]) -> WarehouseHead:
    """Gather dates, references and parties."""
    head = WarehouseHead()
    place: Place | None = None
    for offset, segment in segments:
        name = segment[0]
        if name == "G62":
            note_g62(head.dates, document, offset, rows)
        elif name in REFERENCE_SEGMENTS:
            head.references.setdefault(*reference(segment))
        elif name == "N1":
            place = head.parties.setdefault(code(segment, 1), Place(text(segment, 4) or text(segment, 2)))
        elif name == "N4" and place is not None:
            place.locate(segment)
    return head


def line_loops(document: Document, line: str, *, trailer: str) -> tuple[list[Found], list[list[Found]]]:
    """Return the head and the LX loops that hold a line segment; where there is no LX, each line is its own loop."""
    top, *found = loops(document, ("LX",), ends=(trailer, "SE"))
    if not found:
        top, *found = loops(document, (line,), ends=(trailer, "SE"))
    return top, [loop for loop in found if find(loop, line)]


def line_spans(loop: list[Found], line: str) -> list[tuple[int, int]]:
    """Return where each line of a loop begins and ends."""
    starts = [index for index, (_, segment) in enumerate(loop) if segment[0] == line]
    return list(zip(starts, [*starts[1:], len(loop)], strict=True))


def note_g62(dates: Dates, document: Document, offset: int, rows: EventRows) -> None:
    """Add a G62 to the dates of its level under its code of element 432; an unreadable one is a reject."""
    segment = document.segments[offset]
    date, time, zone = text(segment, 2), text(segment, 4), code(segment, 5)
    if document.clock.start(date, time, zone) is None:
        if moment(document.clock, date) is None:
            reason = f"G62{code(segment, 1)} {(date + ' ' + time).strip()!r} is not a date"
            rows.reject(document.ref(offset), reason, document.raw(offset))
            return
        time = ""
    dates[code(segment, 1)] = Stamp(date, date, time, zone)


def line_number(references: dict[str, str]) -> str:
    """Return the order's line number where a loop names it. LX counts loops, so it is none."""
    return plain_line(pick(references, *_LINE_NUMBERS))


def item_ids(segment: list[str], upc_case: int, *pairs: int) -> dict[str, str]:
    """Return the product ids of a W01 or W12: pairs that begin at elements, and the UPC case code as UA."""
    ids: dict[str, str] = {}
    for start in pairs:
        ids |= product_ids(segment[: start + 2], start)
    if text(segment, upc_case):
        ids.setdefault("UA", text(segment, upc_case))
    return ids


def read(document: Document, rows: EventRows) -> Business:
    """Read a 940."""
    _, header = first(document, "W05")
    number, purchase_order, status = text(header, 2), text(header, 3), code(header, 1)
    order_id = number or purchase_order
    facts: dict[str, object] = {"status": status, "po_number": purchase_order, "depositor_order": number}
    business = Business(order_id, order_id or None, attributes(facts))
    if not order_id:
        rows.reject(document.ref(0), "W0502 (depositor order) and W0503 (PO number) are missing", document.set.text)
        return business
    if status in WITHDRAWN:
        reason = f"W0501 is {status!r}: the order is withdrawn from the warehouse, or was never meant to be shipped"
        rows.reject(document.ref(0), reason, document.set.text)
        return business
    top, lines = line_loops(document, "W01", trailer="W76")
    head = read_head(document, rows, top)
    facts |= {"references": head.references, "routing": _routing(find(top, "W66"))}
    total = Decimal(0)
    for loop in lines:
        total += _add_loop(document, rows, head, loop, order_id=order_id, facts=facts)
    if not lines:
        _add(document, rows, head, offset=0, order_id=order_id, facts=facts)
    _check_quantity(document, rows, total)
    return business


def _routing(w66: list[str]) -> str:
    return text(w66, 10) or text(w66, 5)


def _add_loop(
    document: Document,
    rows: EventRows,
    head: WarehouseHead,
    loop: list[Found],
    *,
    order_id: str,
    facts: dict[str, object],
) -> Decimal:
    """Add the lines of an LX loop and return the sum of their W0101, in the units they are told in."""
    total, spans = Decimal(0), line_spans(loop, "W01")
    outer = read_head(document, rows, loop[: spans[0][0]])
    for start, end in spans:
        offset, w01 = loop[start]
        inner = read_head(document, rows, loop[start:end])
        number = decimal_of(text(w01, 1))
        if number is None:
            reason = f"W0101 is {text(w01, 1)!r}: expected a quantity"
            rows.reject(document.ref(offset), reason, document.raw(offset))
            continue
        total += number
        line = WarehouseHead(
            {**head.dates, **outer.dates, **inner.dates},
            {**outer.references, **inner.references},
            head.parties | outer.parties | inner.parties,
        )
        pack = decimal_of(text(find(loop[start:end], "W20"), 1))
        line_facts = facts | {"loop": text(loop[0][1], 1), "line_references": line.references}
        _add(document, rows, line, offset=offset, order_id=order_id, facts=line_facts, w01=w01, pack=pack or None)
    return total


def _add(
    document: Document,
    rows: EventRows,
    head: WarehouseHead,
    *,
    offset: int,
    order_id: str,
    facts: dict[str, object],
    w01: list[str] | None = None,
    pack: Decimal | None = None,
) -> None:
    clock, dates = document.clock, head.dates
    ship_to = head.party(*_SHIP_TO)
    values: dict[str, object] = {
        **envelope(document, offset, "order.released"),
        "source": WAREHOUSE_SOURCE,
        "order_id": order_id,
        "node_id": head.party(*_WAREHOUSES).id or document.partner,
        "ship_to_id": ship_to.id,
        "ship_to_region": ship_to.region,
        "ship_to_country": ship_to.country,
        "ship_to_postal_code": ship_to.postal_code,
        "requested_at": end_of(dates, clock, ("02", "68", "54")),
        "window_start_at": start_of(dates, clock, ("53",)),
        "window_end_at": end_of(dates, clock, ("54",)),
        "ship_window_start_at": start_of(dates, clock, ("37",)),
        "ship_by_at": end_of(dates, clock, ("38", "10")),
        "cancel_after_at": end_of(dates, clock, ("01",)),
        "attributes": attributes(facts),
    }
    if w01 is not None:
        ids, units = item_ids(w01, 3, 4, 6), Units(code(w01, 2), pack)
        values |= {
            "line_id": line_number(head.references),
            "sku": sku_of(ids),
            "quantity": units.in_each(text(w01, 1)),
            "uom": units.uom,
            "pack_quantity": pack,
            "attributes": attributes(facts | {"product_ids": ids, "is_unconverted": units.is_unconverted or None}),
        }
    add(rows, "order", COLUMNS, values)


def _check_quantity(document: Document, rows: EventRows, total: Decimal) -> None:
    offset, trailer = first(document, "W76")
    stated = decimal_of(at(trailer, 1))
    if stated is not None and stated != total:
        reason = f"W7601 says {stated:f} units, the lines add up to {total:f}; the lines landed"
        rows.reject(document.ref(offset), reason, document.raw(offset))
