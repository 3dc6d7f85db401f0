"""860 purchase order change by the buyer → order.changed per line, order.cancelled for what is deleted.

A change may come before the order it changes: each event stands for itself, and the models put them in order.
What POC03 says is agreed with each partner (`PartnerProfile.change_quantity`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import CHANNEL, Business, Document, at
from pipelines.sources.edi.documents import purchase_order
from pipelines.sources.edi.documents.shared import add, check_total, code, envelope, first, text
from pipelines.sources.edi.lines import Units, decimal_of, product_ids, sku_of
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (*purchase_order.COLUMNS, "quantity_change")

CANCELS: Final = frozenset({"01", "03", "17"})
"""BCH01, BCA01: cancellation, delete, cancel to be reissued."""

CHANGES: Final = frozenset({"", "00", "02", "04", "05", "06", "11", "13", "15", "16", "18", "19", "20", "CO"})
"""BCH01, BCA01 under which the lines count: a change, or a replacement whose lines are the new ones."""

DELETES: Final = frozenset({"DI", "CF"})
RAISES: Final = frozenset({"QI"})
LOWERS: Final = frozenset({"QD"})
NEW_ITEMS: Final = frozenset({"AI", "RE", "RM", "RZ", "TI"})
"""Changes that state a line anew: their quantity is a total under any agreement."""

KEEPS_QUANTITY: Final = frozenset({"AA", "CB", "CC", "CE", "CG", "CT", "NC", "PC", "PR", "RA", "RB", "RC", "RS"})
"""Element 670 codes that change dates, prices or terms, or nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a line's quantity, in its unit of measure.

    Attributes:
        total: The new total; None = it stays, or only the difference is known.
        difference: The difference where no total is known.
        fault: Why neither can be said.
    """

    total: Decimal | None = None
    difference: Decimal | None = None
    fault: str = ""


def read(document: Document, rows: EventRows) -> Business:
    """Read an 860."""
    _, header = first(document, "BCH")
    number, purpose = text(header, 3), code(header, 1)
    facts = {"purpose": purpose, "change_sequence": text(header, 5), "change_date": text(header, 11)}
    business = Business(number, document.order_id(number) if number else None, attributes(facts))
    if not number:
        rows.reject(document.ref(0), "BCH03 (PO number) is missing", document.set.text)
    elif purpose in CANCELS:
        reason = f"BCH01={purpose}"
        add_cancellation(document, rows, business, offset=0, line=None, reason=reason, facts=facts)
    elif purpose not in CHANGES:
        rows.reject(document.ref(0), f"BCH01 is {purpose!r}: such a change is not to be carried out", document.set.text)
    else:
        _read_lines(document, rows, business, header, facts)
    return business


def as_orders(document: Document) -> Document:
    """Return the document with its POC lines in the shape of PO1 lines, at the same offsets."""
    separator = document.set.interchange.separators.component
    return replace(document, segments=[_as_line(segment, separator) for segment in document.segments])


def _as_line(segment: list[str], separator: str) -> list[str]:
    if segment[0] != "POC":
        return segment
    unit = at(segment, 5).split(separator)[0] if separator else at(segment, 5)
    return ["PO1", at(segment, 1), at(segment, 3), unit, at(segment, 6), at(segment, 7), *segment[8:]]


def change_of(document: Document, poc: list[str]) -> Change:
    """Say what a POC does to the quantity of its line.

    From release 7020 on POC04 is a composite with the increase, the decrease and the revised quantity, and POC03 the
    quantity before; before that POC03 means what the partners agreed.
    """
    kind, separator = code(poc, 2), document.set.interchange.separators.component
    parts = [part.strip() for part in at(poc, 4).split(separator)] if separator else [text(poc, 4)]
    meaning, stated = document.profile.change_quantity, decimal_of(text(poc, 3))
    if text(poc, 3) and stated is None:
        return Change(fault=f"POC03 is {text(poc, 3)!r}: expected a quantity")
    if kind in KEEPS_QUANTITY and len(parts) == 1:
        return Change(total=stated if meaning == "total" and stated else None)
    if kind not in NEW_ITEMS and (meaning == "before" or len(parts) > 1):
        return _from_before(kind, stated, parts)
    if stated is None:
        return Change(fault=f"POC03 (quantity) is missing in a change of kind {kind or '(none)'}")
    return _from_stated(kind, stated, is_total=kind in NEW_ITEMS or meaning == "total")


def _from_stated(kind: str, stated: Decimal, *, is_total: bool) -> Change:
    if is_total:
        return Change(total=stated)
    if kind in LOWERS | RAISES:
        return Change(difference=-abs(stated) if kind in LOWERS else abs(stated))
    return Change(difference=stated)


def _from_before(kind: str, before: Decimal | None, parts: list[str]) -> Change:
    numbers = [decimal_of(part) for part in parts] + [None] * 4
    if len(parts) == 1:
        if numbers[0] is None:
            return Change(
                fault=f"POC03 is the quantity before the change and POC04 is {parts[0]!r}: no new one is given"
            )
        return Change(total=numbers[0])
    _, more, less, revised = numbers[:4]
    if revised is not None:
        return Change(total=revised)
    if more is None and less is None:
        return Change(total=before) if kind in KEEPS_QUANTITY else Change(fault="POC04 gives no new quantity")
    difference = (more or Decimal(0)) - (less or Decimal(0))
    return Change(difference=difference) if before is None else Change(total=before + difference)


def in_each(units: Units, number: Decimal | None) -> Decimal | None:
    """Return a quantity in eaches."""
    if number is None:
        return None
    value = units.in_each(f"{number:f}")
    return value if isinstance(value, Decimal) else number


def add_cancellation(
    document: Document,
    rows: EventRows,
    business: Business,
    *,
    offset: int,
    line: purchase_order.Line | None,
    reason: str,
    facts: Mapping[str, object],
    actor: str = "customer",
) -> None:
    """Add the cancellation of a line, or of the whole order."""
    values = {
        **envelope(document, offset, "order.cancelled"),
        "order_id": business.order_id,
        "line_id": line.line_id if line else None,
        "channel": CHANNEL,
        "customer_id": document.partner,
        "sku": sku_of(product_ids(line.segment, 6)) if line else None,
        "clock_zone": document.clock.zone.key,
        "actor": actor,
        "reason": reason,
        "attributes": attributes(facts),
    }
    add(rows, "order", COLUMNS, values)


def _read_lines(
    document: Document, rows: EventRows, business: Business, header: list[str], facts: Mapping[str, object]
) -> None:
    order = purchase_order.gather(as_orders(document), rows)
    # The order's own currency and kind stand where the change does not name them.
    has_currency = any(segment[0] == "CUR" for segment in document.segments)
    order.currency = order.currency if has_currency else ""
    for line in order.lines:
        poc = document.segments[line.offset]
        if code(poc, 2) in DELETES:
            add_cancellation(document, rows, business, offset=line.offset, line=line, reason=code(poc, 2), facts=facts)
            continue
        change = change_of(document, poc)
        fault = change.fault or line.store_fault or _stores_fault(change, line)
        if fault:
            rows.reject(document.ref(line.offset), fault, document.raw(line.offset))
            continue
        _add_change(document, rows, header, order=order, line=line, change=change, facts=facts)
    if not order.lines:
        _add_header_change(document, rows, header, order=order, facts=facts)
    check_total(document, rows, "CTT", lines=len(order.lines), hash_total=None)


def _stores_fault(change: Change, line: purchase_order.Line) -> str:
    if not line.stores or change.total is None:
        return ""
    total = sum((decimal_of(quantity) or Decimal(0) for quantity in line.stores.values()), Decimal(0))
    if total == change.total:
        return ""
    return f"the new quantity is {change.total:f}, but the stores of the SDQ add up to {total:f}"


def _as_beg(header: list[str]) -> list[str]:
    """Return a BCH in the shape of a BEG."""
    return ["BEG", at(header, 1), at(header, 2), text(header, 3), at(header, 4), at(header, 6)]


def _add_change(
    document: Document,
    rows: EventRows,
    header: list[str],
    *,
    order: purchase_order.Order,
    line: purchase_order.Line,
    change: Change,
    facts: Mapping[str, object],
) -> None:
    poc = document.segments[line.offset]
    row = purchase_order.row(document, "order.changed", ordered="", header=_as_beg(header), order=order, line=line)
    units = Units(at(line.segment, 3), line.pack)
    values = dict(zip(purchase_order.COLUMNS, row, strict=True))
    ids = product_ids(line.segment, 6)
    values |= {
        "quantity": in_each(units, change.total),
        "quantity_change": in_each(units, change.difference),
        "order_type": values["order_type"] if code(header, 2) else None,
        "reason": code(poc, 2),
        "attributes": attributes(
            {
                **facts,
                "po_date": at(header, 6),
                "product_ids": ids,
                "stores": line.stores,
                "quantity_left": at(poc, 4),
                "is_unconverted": units.is_unconverted or None,
            }
        ),
    }
    add(rows, "order", COLUMNS, values)


def _add_header_change(
    document: Document,
    rows: EventRows,
    header: list[str],
    *,
    order: purchase_order.Order,
    facts: Mapping[str, object],
) -> None:
    """Add the change of an 860 without lines: its dates hold for the whole order."""
    blank = purchase_order.Line(0, ["PO1"], "")
    row = purchase_order.row(document, "order.changed", ordered="", header=_as_beg(header), order=order, line=blank)
    values = dict(zip(purchase_order.COLUMNS, row, strict=True))
    dates = (
        "requested_at",
        "window_start_at",
        "window_end_at",
        "ship_window_start_at",
        "ship_by_at",
        "cancel_after_at",
    )
    if not any(values[name] for name in dates) and not values["ship_to_id"]:
        rows.reject(document.ref(0), "860 without POC lines, dates or ship-to: it changes nothing", document.set.text)
        return
    values |= {"quantity": None, "order_type": None, "uom": None, "reason": "header", "attributes": attributes(facts)}
    add(rows, "order", COLUMNS, values)
