"""856 ship notice → asn.sent per item and carton; a cancelled notice voids its shipment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document, at
from pipelines.sources.edi.hierarchy import Node, read_tree
from pipelines.sources.edi.lines import (
    Dates,
    Place,
    Units,
    decimal_of,
    end_of,
    note_date,
    pack_of,
    plain_line,
    product_ids,
    sku_of,
)
from pipelines.sources.edi.rows import EventRows, attributes
from pipelines.sources.edi.sscc import has_valid_check_digit, normalise_sscc

COLUMNS: Final = (
    "event_type",
    "event_at",
    "observed_at",
    "time_quality",
    "source_ref",
    "shipment_id",
    "order_id",
    "line_id",
    "sku",
    "quantity",
    "uom",
    "carrier",
    "service",
    "tracking_number",
    "sscc",
    "estimated_delivery_at",
    "origin_region",
    "ship_to_region",
    "attributes",
)

_LONGEST_QUALIFIER: Final = 2
"""Of TD502 (element 66): something longer is out of place, and so is what follows it."""

_VOIDS: Final = "01"
_ESTIMATES: Final = ("017", "067")
_SHIPPED: Final = "011"
_SSCC_KINDS: Final = frozenset({"GM", "AA"})
_PARCEL_ID: Final = "CP"


@dataclass(frozen=True, slots=True)
class _Shipment:
    """What the head and the shipment level say, for all its items."""

    number: str
    purpose: str
    structure: str
    carrier: str
    service: str
    tracking: str
    bill_of_lading: str
    shipped: str
    estimated_at: datetime | None
    origin_region: str
    ship_to_region: str


@dataclass(frozen=True, slots=True)
class _Item:
    """Goods of one line in one carton."""

    order_id: str
    line_id: str
    sku: str
    sscc: str
    parcel: str
    uom: str


def read(document: Document, rows: EventRows) -> Business:
    """Read an 856."""
    head, nodes = read_tree(document.segments)
    bsn = next((segment for _, segment in head if segment[0] == "BSN"), [])
    number = at(bsn, 2).strip()
    orders = {at(prf, 1).strip() for node in nodes if (prf := node.first("PRF"))} - {""}
    orders = orders or {_referenced_order(node) for node in nodes} - {""}
    order_id = document.order_id(next(iter(orders))) if len(orders) == 1 else None
    business = Business(number, order_id, attributes({"orders": sorted(orders) if len(orders) > 1 else None}))
    refusal = _refusal(number, nodes)
    if refusal:
        rows.reject(document.ref(0), refusal, document.set.text)
        return business
    shipment = _shipment(document, rows, bsn, head=head, nodes=nodes)
    if shipment.purpose != _VOIDS and not any(node.first("SN1") for node in nodes):
        rows.reject(document.ref(0), "856 without SN1: it names nothing that was shipped", document.set.text)
    if shipment.purpose == _VOIDS:
        _add(document, rows, shipment, offset=0, item=None, quantity=None)
        return business
    _add_items(document, rows, shipment, nodes)
    _check_totals(document, rows, nodes)
    return business


def _referenced_order(node: Node) -> str:
    """Return the purchase order of a loop's REF PO, which stands in for the PRF with some senders."""
    for _, segment in node.segments:
        if segment[0] == "REF" and at(segment, 1) == "PO":
            return at(segment, 2).strip()
    return ""


def _refusal(number: str, nodes: list[Node]) -> str:
    if not number:
        return "BSN02 (shipment id) is missing"
    return "" if nodes else "856 without HL loops: expected at least shipment, order and item"


def _shipment(
    document: Document,
    rows: EventRows,
    bsn: list[str],
    *,
    head: list[tuple[int, list[str]]],
    nodes: list[Node],
) -> _Shipment:
    dates: Dates = {}
    references: dict[str, str] = {}
    places: dict[str, Place] = {}
    carrier: list[str] = []
    place: Place | None = None
    for offset, segment in [*head, *(pair for node in nodes if node.level == "S" for pair in node.segments)]:
        name = segment[0]
        if name == "DTM":
            note_date(dates, document, offset, rows)
        elif name == "REF":
            references.setdefault(at(segment, 1), at(segment, 2).strip())
        elif name == "TD5":
            carrier = carrier or segment
        elif name == "N1":
            place = places.setdefault(at(segment, 1), Place(at(segment, 4)))
        elif name == "N4" and place is not None:
            place.locate(segment)
    return _Shipment(
        number=at(bsn, 2).strip(),
        purpose=at(bsn, 1),
        structure=at(bsn, 5),
        carrier=at(carrier, 3).strip().lower() if len(at(carrier, 2)) <= _LONGEST_QUALIFIER else "",
        service=at(carrier, 12) or at(carrier, 5),
        tracking=references.get("CN") or references.get("BM", ""),
        bill_of_lading=references.get("BM", ""),
        shipped=dates[_SHIPPED].first + dates[_SHIPPED].time if _SHIPPED in dates else "",
        estimated_at=end_of(dates, document.clock, _ESTIMATES),
        origin_region=places["SF"].region if "SF" in places else "",
        ship_to_region=places["ST"].region if "ST" in places else "",
    )


def _add_items(document: Document, rows: EventRows, shipment: _Shipment, nodes: list[Node]) -> None:
    total: dict[_Item, tuple[int, Decimal]] = {}
    for node in nodes:
        if node.first("SN1"):
            for item, shipped in _contents(document, node):
                number = decimal_of(shipped) if isinstance(shipped, str) else shipped
                if not item.order_id:
                    reason = "no PRF or REF PO above this item says which purchase order it belongs to"
                    rows.reject(document.ref(node.offset), reason, document.raw(node.offset))
                elif number is None:
                    _add(document, rows, shipment, offset=node.offset, item=item, quantity=shipped or "?")
                else:
                    offset, known = total.get(item, (node.offset, Decimal(0)))
                    total[item] = (offset, known + number)
    for item, (offset, quantity) in total.items():
        _add(document, rows, shipment, offset=offset, item=item, quantity=quantity)


def _contents(document: Document, node: Node) -> Iterator[tuple[_Item, str | Decimal]]:
    """Yield the goods of an item loop: one piece, or one per carton where the cartons hang below the item."""
    sn1, lin = node.first("SN1"), node.first("LIN") or _item_above(node).first("LIN")
    po4 = node.first("PO4") or _item_above(node).first("PO4")
    units = Units(at(sn1, 3), pack_of(po4))
    ids = product_ids(lin, 2)
    order = at(node.nearest("PRF"), 1).strip() or next(filter(None, map(_referenced_order, node.line_up())), "")
    cartons = [child for child in node.children if child.first("MAN")]
    if cartons and all(child.first("SN1") for child in cartons):
        return
    sole = cartons[0] if len(cartons) == 1 else None
    sscc, parcel = _marks(sole) if sole else _marks_above(node)
    quantity = units.in_each(at(sn1, 2))
    yield (
        _Item(
            order_id=document.order_id(order) if order else "",
            line_id=plain_line(at(lin, 1) or at(sn1, 1)),
            sku=sku_of(ids),
            sscc=sscc,
            parcel=parcel,
            uom=units.uom,
        ),
        quantity if isinstance(quantity, Decimal) else str(quantity),
    )


def _item_above(node: Node) -> Node:
    """Return the item loop that a carton loop hangs below, or the loop itself."""
    return node.parent if node.parent is not None and node.parent.level == "I" else node


def _marks_above(node: Node) -> tuple[str, str]:
    sscc = parcel = ""
    for level in node.line_up():
        found_sscc, found_parcel = _marks(level)
        sscc, parcel = sscc or found_sscc, parcel or found_parcel
    return sscc, parcel


def _marks(node: Node) -> tuple[str, str]:
    """Return SSCC and carrier package id of a loop's MAN segments, which may hold two pairs each."""
    sscc = parcel = ""
    for _, segment in node.segments:
        if segment[0] == "MAN":
            for kind, value in ((at(segment, 1), at(segment, 2)), (at(segment, 4), at(segment, 5))):
                if kind in _SSCC_KINDS:
                    sscc = sscc or normalise_sscc(value)
                elif kind == _PARCEL_ID:
                    parcel = parcel or value.strip()
    return sscc, parcel


def _add(
    document: Document, rows: EventRows, shipment: _Shipment, *, offset: int, item: _Item | None, quantity: object
) -> None:
    is_bad_sscc = bool(item and item.sscc and not has_valid_check_digit(item.sscc))
    rows.sink("shipment", COLUMNS).append(
        (
            "asn.sent" if item else "label.voided",
            document.sent_at,
            document.sent_at,
            "instant",
            document.ref(offset),
            shipment.number,
            item.order_id if item else None,
            item.line_id if item else None,
            item.sku if item else None,
            quantity,
            item.uom if item else None,
            shipment.carrier,
            shipment.service,
            # A void names its shipment only: other shipments may travel under the same PRO number.
            (item.parcel or shipment.tracking) if item else None,
            item.sscc if item else None,
            shipment.estimated_at,
            shipment.origin_region,
            shipment.ship_to_region,
            attributes(
                {
                    "purpose": shipment.purpose,
                    "structure": shipment.structure,
                    "shipped": shipment.shipped,
                    "bill_of_lading": shipment.bill_of_lading,
                    "is_sscc_check_digit_wrong": is_bad_sscc or None,
                }
            ),
        )
    )


def _check_totals(document: Document, rows: EventRows, nodes: list[Node]) -> None:
    offset = next((i for i, segment in enumerate(document.segments) if segment[0] == "CTT"), -1)
    if offset < 0:
        return
    stated, total = at(document.segments[offset], 1), at(document.segments[offset], 2)
    shipped = sum((decimal_of(at(node.first("SN1"), 2)) or Decimal(0) for node in nodes), Decimal(0))
    # The standard counts HL loops, many a sender its items.
    items = sum(node.level == "I" for node in nodes)
    if stated and stated.lstrip("0") not in (str(len(nodes)), str(items)):
        reason = f"CTT01 says {stated} HL loops, {len(nodes)} came; the items landed"
        rows.reject(document.ref(offset), reason, document.raw(offset))
    if total and decimal_of(total) != shipped:
        reason = f"CTT02 says {total} units, the items add up to {shipped}; the items landed"
        rows.reject(document.ref(offset), reason, document.raw(offset))
