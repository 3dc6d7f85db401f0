"""865 change by the seller, or his answer to the buyer's → order.promised, order.changed, order.cancelled.

What the seller changes never lowers what the buyer ordered (`actor` is the seller's). An answer that accepts or
refuses the buyer's change without one of its own only promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import CHANNEL, Business, Document, at
from pipelines.sources.edi.documents import acknowledgement, order_change
from pipelines.sources.edi.documents.shared import add, check_total, code, envelope, first, text
from pipelines.sources.edi.lines import Dates, Units, end_of, product_ids, sku_of
from pipelines.sources.edi.rows import EventRows, attributes

_ACCEPTS: Final = frozenset({"AT", "AK", "AD", "AE", "AP"})
"""BCA02 of answers that bring no change of the seller's own."""

_REFUSED: Final = frozenset({"RD", "RJ", "RO"})
_OUT_OF_STOCK: Final = frozenset({"DI", "QD", "CF"})


def read(document: Document, rows: EventRows) -> Business:
    """Read an 865."""
    _, header = first(document, "BCA")
    number, purpose, answer = text(header, 3), code(header, 1), code(header, 2)
    facts = {"purpose": purpose, "type": answer, "change_sequence": text(header, 5)}
    business = Business(number, document.order_id(number) if number else None, attributes(facts))
    if not number:
        rows.reject(document.ref(0), "BCA03 (PO number) is missing", document.set.text)
    elif purpose in order_change.CANCELS:
        reason = f"BCA01={purpose}"
        order_change.add_cancellation(
            document, rows, business, offset=0, line=None, reason=reason, facts=facts, actor="seller_other"
        )
    elif purpose not in order_change.CHANGES:
        rows.reject(document.ref(0), f"BCA01 is {purpose!r}: such a change is not to be carried out", document.set.text)
    elif answer not in _REFUSED:
        _read_lines(document, rows, business, answer, facts)
    return business


def _read_lines(
    document: Document, rows: EventRows, business: Business, answer: str, facts: Mapping[str, object]
) -> None:
    dates, lines = acknowledgement.gather(order_change.as_orders(document), rows)
    promises = acknowledgement.Promises(document, rows, business.order_id or "", dates)
    if not lines:
        promises.add_order(answer, is_rejected=False)
    for line in lines:
        poc = document.segments[line.offset]
        if code(poc, 2) in order_change.DELETES:
            promises.add("order.cancelled", line.offset, line, None, actor="seller_oos", reason=code(poc, 2))
            continue
        change = order_change.change_of(document, poc)
        if change.fault and not line.acks:
            rows.reject(document.ref(line.offset), change.fault, document.raw(line.offset))
            continue
        if answer not in _ACCEPTS and code(poc, 2) not in order_change.KEEPS_QUANTITY:
            _add_change(document, rows, business, line, change, facts)
        if line.acks:
            promises.add_acknowledged(line)
        else:
            _add_promise(document, promises, dates=dates, line=line, total=change.total)
    check_total(document, rows, "CTT", lines=len(lines), hash_total=None)


def _add_promise(
    document: Document,
    promises: acknowledgement.Promises,
    *,
    dates: Dates,
    line: acknowledgement.Line,
    total: Decimal | None,
) -> None:
    units = Units(at(line.segment, 3), line.pack)
    promise = end_of({**dates, **line.dates}, document.clock, acknowledgement.PROMISE_DATES)
    quantity = order_change.in_each(units, total)
    kind = code(document.segments[line.offset], 2)
    promises.add("order.promised", line.offset, line, quantity, promise_at=promise, reason=kind)


def _add_change(
    document: Document,
    rows: EventRows,
    business: Business,
    line: acknowledgement.Line,
    change: order_change.Change,
    facts: Mapping[str, object],
) -> None:
    if change.total is None and change.difference is None:
        return
    poc, units = document.segments[line.offset], Units(at(line.segment, 3), line.pack)
    values = {
        **envelope(document, line.offset, "order.changed"),
        "order_id": business.order_id,
        "line_id": line.line_id,
        "channel": CHANNEL,
        "customer_id": document.partner,
        "sku": sku_of(product_ids(line.segment, 6)),
        "quantity": order_change.in_each(units, change.total),
        "quantity_change": order_change.in_each(units, change.difference),
        "uom": units.uom,
        "pack_quantity": line.pack,
        "unit_price": units.price_each(at(line.segment, 4), at(line.segment, 5)),
        "clock_zone": document.clock.zone.key,
        "actor": "seller_oos" if code(poc, 2) in _OUT_OF_STOCK else "seller_other",
        "reason": code(poc, 2),
        "attributes": attributes({**facts, "is_unconverted": units.is_unconverted or None}),
    }
    add(rows, "order", order_change.COLUMNS, values)
