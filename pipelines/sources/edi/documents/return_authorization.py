"""180 return merchandise authorization and notification → rma.created per item.

A retailer returns what consumers brought back or what he does not want (RTV); RDR01 and RDR02 say which. What is kept
against an allowance or refused is told as an attribute: no goods come back for it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    PURCHASE_ORDER,
    REFERENCE_SEGMENTS,
    Found,
    add,
    check_total,
    code,
    envelope,
    find,
    first,
    loops,
    pick,
    reference,
    text,
)
from pipelines.sources.edi.lines import SKU_QUALIFIERS, Units, decimal_of, pack_of, plain_line, product_ids, sku_of
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    *ENVELOPE,
    "rma_id",
    "order_id",
    "line_id",
    "sku",
    "quantity",
    "reason",
    "disposition",
    "currency",
    "tracking_number",
    "attributes",
)

_REFUSED: Final = {
    "01": "the return is cancelled",
    "03": "the return is deleted",
    "07": "it is marked as a duplicate",
    "28": "it is a query",
}
"""BGN01 under which nothing is returned."""

_AUTHORISATION: Final = ("RZ", "RA", "RM")
"""REF/N9 qualifiers of the returned goods authorization number."""

_CONSUMER_DISPOSITIONS: Final = frozenset({"CR"})
_CONSUMER_REASONS: Final = frozenset({"DR", "NA", "PF"})
"""RDR01 consumer return to vendor; RDR02 returned by consumer, not as expected, poor fit."""

_DISPOSITIONS: Final = {
    "DI": "destroy",
    "SD": "destroy",
    "SC": "donate",
    "RF": "refurbish",
    "KR": "refurbish",
    "RT": "liquidate",
}
"""RDR01 (element 1292) that names the fate of the goods; the others only say whether they may come."""

_LATER_PAIRS: Final = (7, 10)
_KNOWN_IDS: Final = frozenset(SKU_QUALIFIERS)

_KEPT: Final = frozenset({"KA", "KR", "RD", "DI", "SC", "SD"})
"""RDR01 after which nothing comes back to us: kept, denied, disposed of or given away where it is."""


def read(document: Document, rows: EventRows) -> Business:
    """Read a 180."""
    _, header = first(document, "BGN")
    number, purpose = text(header, 2), code(header, 1)
    head, *loops_found = loops(document, ("BLI",))
    references = _references(head)
    order = text(find(head, "PRF"), 1) or pick(references, PURCHASE_ORDER)
    business = Business(number, document.order_id(order) if order else None, attributes({"purpose": purpose}))
    if not number:
        rows.reject(document.ref(0), "BGN02 (return number) is missing", document.set.text)
    elif purpose in _REFUSED:
        rows.reject(document.ref(0), f"BGN01 is {purpose!r}: {_REFUSED[purpose]}", document.set.text)
    elif not loops_found:
        _add(document, rows, head, [], number=number, order=order)
    for loop in loops_found if number and purpose not in _REFUSED else []:
        _add(document, rows, head, loop, number=number, order=order)
    check_total(document, rows, "CTT", lines=len(loops_found), hash_total=None)
    return business


def _references(segments: list[Found]) -> dict[str, str]:
    return dict(reference(segment) for _, segment in segments if segment[0] in REFERENCE_SEGMENTS)


def _add(document: Document, rows: EventRows, head: list[Found], loop: list[Found], *, number: str, order: str) -> None:
    offset, bli = loop[0] if loop else (0, [])
    outer, inner = _references(head), _references(loop)
    rdr = find(loop, "RDR") or find(head, "RDR")
    disposition, reason = code(rdr, 1), code(rdr, 2)
    own_order = text(find(loop, "PRF"), 1) or pick(inner, PURCHASE_ORDER) or order
    ids = _ids(bli)
    units = Units(code(bli, 4), pack_of(find(loop, "PO4")))
    price = decimal_of(text(bli, 6))
    currency = next((text(segment, 2) for _, segment in head if segment[0] == "CUR"), "")
    is_consumer = disposition in _CONSUMER_DISPOSITIONS or reason in _CONSUMER_REASONS
    facts = {
        "return_number": number,
        "kind": "consumer" if is_consumer else "rtv",
        "disposition_code": disposition,
        "response_code": code(rdr, 3),
        "is_kept": disposition in _KEPT or None,
        "product_ids": ids,
        "unit_price": f"{price:f}" if isinstance(price, Decimal) else None,
        "references": {**outer, **inner},
        "is_unconverted": units.is_unconverted or None,
    }
    values = {
        **envelope(document, offset, "rma.created"),
        "rma_id": pick(inner, *_AUTHORISATION) or pick(outer, *_AUTHORISATION) or number,
        "order_id": document.order_id(own_order) if own_order else None,
        "line_id": plain_line(pick(inner, "LI", "PL")),
        "sku": sku_of(ids),
        "quantity": units.in_each(text(bli, 3)) if text(bli, 3) else None,
        "reason": reason,
        "disposition": _DISPOSITIONS.get(disposition),
        "currency": currency or document.currency,
        "tracking_number": pick(inner, "CN", "2I") or pick(outer, "CN", "2I"),
        "attributes": attributes(facts),
    }
    add(rows, "return", COLUMNS, values)


def _ids(bli: list[str]) -> dict[str, str]:
    """Return the product ids of a BLI: the first pair stands before the quantity, the others behind the price.

    From release 5040 on three elements about packing stand in between.
    """
    later = max((product_ids(bli, start) for start in _LATER_PAIRS), key=lambda ids: len(ids.keys() & _KNOWN_IDS))
    return product_ids(bli[:3], 1) | later
