"""846 inventory inquiry/advice → inventory.snapshot per item, node and lot.

Stock on hand is QTY 17; where only 33 (available for sale) is told, that is what can be counted on. Projections (29)
and orders on their way (63) are no stock: they are kept as attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document, at
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    REFERENCE_SEGMENTS,
    Found,
    Moment,
    add,
    amount_text,
    check_total,
    code,
    envelope,
    first,
    loops,
    moment,
    pick,
    reference,
    said,
    text,
)
from pipelines.sources.edi.lines import Units, decimal_of, pack_of, product_ids, sku_of
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    *ENVELOPE,
    "sku",
    "node_id",
    "quantity",
    "reserved_quantity",
    "quarantine_quantity",
    "lot",
    "expiry_date",
    "attributes",
)

ON_HAND: Final = ("17", "26")
AVAILABLE: Final = ("33", "34")
RESERVED: Final = ("27", "XU")
ON_HOLD: Final = ("QH", "20")
"""QTY01 (element 673): stock of the node, what of it can be sold, is committed, may not be sold."""

REFUSED: Final = frozenset({"01", "03", "07", "13", "28"})
"""BIA01: cancelled, deleted, duplicate; requests and queries tell no stock."""

NODE_PARTIES: Final = ("WH", "LW", "SF", "ST", "DC", "LC", "IC", "SU", "SE", "VN")
"""N101 in the order in which one is taken as the node."""

LOTS: Final = ("LT", "BT", "LOT")
EXPIRIES: Final = frozenset({"036", "208"})
AS_OF: Final = ("007", "366", "514", "097", "009")


@dataclass(slots=True)
class _Item:
    """A LIN loop.

    Attributes:
        cells: Place → QTY01 → quantity as sent; the empty place is the node of the document.
        uoms: QTY01 → unit of measure.
        faults: Why the item cannot be counted.
    """

    offset: int
    ids: dict[str, str]
    pack: Decimal | None = None
    expires: date | None = None
    references: dict[str, str] = field(default_factory=dict)
    cells: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    uoms: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read(document: Document, rows: EventRows) -> Business:
    """Read an 846."""
    _, header = first(document, "BIA")
    facts = {"purpose": code(header, 1), "report": code(header, 2)}
    business = Business(text(header, 3), None, attributes(facts))
    if code(header, 1) in REFUSED:
        reason = f"BIA01 is {code(header, 1)!r}: a cancelled, duplicate or requested report tells no stock"
        rows.reject(document.ref(0), reason, document.set.text)
        return business
    head, *lines = loops(document, ("LIN",))
    items = [_item(document, rows, loop) for loop in lines]
    node = _node(head) or document.partner
    when = _as_of(document, header, head)
    for item in items:
        _add_item(document, rows, item, when=when, node=node)
    if not items:
        rows.reject(document.ref(0), "846 without LIN: it names no item", document.set.text)
    check_total(document, rows, "CTT", lines=len(items), hash_total=None)
    return business


def _as_of(document: Document, header: list[str], head: list[Found]) -> Moment:
    """Return the moment the stock was counted: the DTM that says so, else BIA04/05, else the transmission."""
    stamps = {code(segment, 1): segment for _, segment in head if segment[0] == "DTM"}
    for qualifier in AS_OF:
        if qualifier in stamps:
            dtm = stamps[qualifier]
            found = moment(document.clock, text(dtm, 2), text(dtm, 3), text(dtm, 4))
            if found is not None:
                return found
    # Some senders write hours in front: 00234648 is no time, its date still holds.
    return moment(document.clock, text(header, 4), text(header, 5)) or said(document)


def _node(segments: list[Found]) -> str:
    parties = {code(segment, 1): text(segment, 4) or text(segment, 2) for _, segment in segments if segment[0] == "N1"}
    return pick(parties, *NODE_PARTIES)


def _item(document: Document, rows: EventRows, loop: list[Found]) -> _Item:
    offset, lin = loop[0]
    item = _Item(offset, product_ids(lin, 2))
    place, kind = "", ""
    for at_offset, segment in loop[1:]:
        name = segment[0]
        if name == "QTY":
            kind = code(segment, 1)
            number = decimal_of(text(segment, 2))
            if number is None:
                item.faults.append(f"QTY{kind} {text(segment, 2)!r} is no quantity")
            else:
                cell = item.cells.setdefault(place, {})
                cell[kind] = cell.get(kind, Decimal(0)) + number
                item.uoms[kind] = _unit(document, segment, 3)
        elif name == "UIT" and kind:
            item.uoms[kind] = item.uoms.get(kind) or _unit(document, segment, 1)
        elif name == "PO4":
            item.pack = pack_of(segment)
        elif name == "N1" and code(segment, 1) in NODE_PARTIES:
            place = text(segment, 4) or text(segment, 2)
        elif name in REFERENCE_SEGMENTS:
            item.references.setdefault(*reference(segment))
        elif name == "DTM" and code(segment, 1) in EXPIRIES:
            item.expires = _day(text(segment, 2))
            if item.expires is None:
                rows.reject(
                    document.ref(at_offset), f"DTM02 {text(segment, 2)!r} is not a date", document.raw(at_offset)
                )
    return item


def _unit(document: Document, segment: list[str], index: int) -> str:
    separator = document.set.interchange.separators.component
    return at(segment, index).split(separator)[0].strip().upper() if separator else code(segment, index)


def _day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if len(digits) == 8 else None
    except ValueError:
        return None


def _add_item(document: Document, rows: EventRows, item: _Item, *, when: Moment, node: str) -> None:
    sku, raw = sku_of(item.ids), document.raw(item.offset)
    fault = "; ".join(item.faults) or ("" if sku else "LIN names no item")
    if not fault and not item.cells:
        fault = "no QTY says how much there is"
    if fault:
        rows.reject(document.ref(item.offset), fault, raw)
        return
    for place, quantities in item.cells.items():
        counted = _counted(item, quantities)
        if counted is None:
            kinds = ", ".join(quantities)
            reason = f"neither stock on hand (17) nor stock available for sale (33) is told, only QTY {kinds}"
            rows.reject(document.ref(item.offset), reason, raw)
            continue
        facts = {
            "product_ids": item.ids,
            "quantities": {kind: amount_text(quantity) for kind, quantity in quantities.items()},
            "uom": next((item.uoms[kind] for kind in quantities), ""),
            "scope": document.profile.inventory,
            "is_unconverted": any(_units(item, kind).is_unconverted for kind in quantities) or None,
            "references": item.references,
        }
        values = {
            **envelope(document, item.offset, "inventory.snapshot", when),
            "sku": sku,
            "node_id": place or node,
            **counted,
            "lot": item.ids.get("LT") or pick(item.references, *LOTS),
            "expiry_date": item.expires,
            "attributes": attributes(facts),
        }
        add(rows, "inventory", COLUMNS, values)


def _units(item: _Item, kind: str) -> Units:
    return Units(item.uoms.get(kind, ""), item.pack)


def _counted(item: _Item, quantities: dict[str, Decimal]) -> dict[str, object] | None:
    """Return on hand, reserved and quarantine, or None where no stock is told.

    Where only what can be sold is told, stock on hand is that and what is committed or on hold; where stock on hand
    and what can be sold are told, what is neither sellable nor on hold is committed.
    """
    each = {kind: _each(item, kind, quantity) for kind, quantity in quantities.items()}
    on_hand, available = _first(each, ON_HAND), _first(each, AVAILABLE)
    reserved, held = _first(each, RESERVED), _sum(each, ON_HOLD)
    if on_hand is None and available is None:
        return None
    if on_hand is None:
        on_hand = (available or Decimal(0)) + (reserved or Decimal(0)) + (held or Decimal(0))
    elif reserved is None and available is not None:
        reserved = max(on_hand - available - (held or Decimal(0)), Decimal(0))
    return {"quantity": on_hand, "reserved_quantity": reserved, "quarantine_quantity": held}


def _each(item: _Item, kind: str, quantity: Decimal) -> Decimal:
    value = _units(item, kind).in_each(f"{quantity:f}")
    return value if isinstance(value, Decimal) else quantity


def _first(each: dict[str, Decimal], kinds: tuple[str, ...]) -> Decimal | None:
    return next((each[kind] for kind in kinds if kind in each), None)


def _sum(each: dict[str, Decimal], kinds: tuple[str, ...]) -> Decimal | None:
    found = [each[kind] for kind in kinds if kind in each]
    return sum(found, Decimal(0)) if found else None
