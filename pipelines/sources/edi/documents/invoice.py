"""810 invoice → invoice.sent: one row for the whole (line_id and sku null) and one per IT1."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document, at
from pipelines.sources.edi.lines import (
    LineNumbers,
    Units,
    cents_of,
    decimal_of,
    pack_of,
    product_ids,
    sku_of,
)
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    "event_type",
    "event_at",
    "observed_at",
    "time_quality",
    "source_ref",
    "document_id",
    "order_id",
    "line_id",
    "sku",
    "customer_id",
    "quantity",
    "unit_price",
    "amount",
    "currency",
    "due_at",
    "attributes",
)

_CREDITS: Final = frozenset({"CR", "CN"})
"""BIG07 of credit memos: their amounts reduce what was invoiced."""


@dataclass(slots=True)
class _Line:
    offset: int
    segment: list[str]
    line_id: str
    pack: Decimal | None = None


@dataclass(slots=True)
class _Invoice:
    currency: str
    lines: list[_Line] = field(default_factory=list)
    total: tuple[int, str] | None = None
    terms: list[str] = field(default_factory=list)
    allowances: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)


def read(document: Document, rows: EventRows) -> Business:
    """Read an 810."""
    header = next((segment for segment in document.segments if segment[0] == "BIG"), [])
    number, order = at(header, 2).strip(), at(header, 4).strip() or _referenced_order(document)
    business = Business(number, document.order_id(order) if order else None)
    if not number or not order:
        missing = "BIG04 (PO number)" if number else "BIG02 (invoice number)"
        rows.reject(document.ref(0), f"{missing} is missing: the invoice belongs to no order", document.set.text)
        return business
    invoice = _gather(document)
    sign = -1 if at(header, 7) in _CREDITS else 1
    _add_total(document, rows, business, header=header, invoice=invoice, sign=sign)
    for line in invoice.lines:
        _add_line(document, rows, business, invoice=invoice, line=line, sign=sign)
    return business


def _referenced_order(document: Document) -> str:
    """Return the purchase order that a REF of the header names; some senders leave BIG04 empty."""
    for segment in document.segments:
        if segment[0] == "IT1":
            break
        if segment[0] == "REF" and at(segment, 1) == "PO":
            return at(segment, 2).strip()
    return ""


def _gather(document: Document) -> _Invoice:
    invoice = _Invoice(document.currency)
    numbers = LineNumbers()
    for offset, segment in enumerate(document.segments):
        name = segment[0]
        if name == "IT1":
            invoice.lines.append(_Line(offset, segment, numbers.next(at(segment, 1))))
        elif name == "PO4" and invoice.lines:
            invoice.lines[-1].pack = pack_of(segment)
        elif name == "TDS":
            invoice.total = (offset, at(segment, 1))
        elif name == "ITD" and not invoice.terms:
            invoice.terms = segment
        elif name == "CUR" and at(segment, 2):
            invoice.currency = at(segment, 2)
        elif name == "SAC":
            _note_charge(invoice, segment)
    return invoice


def _note_charge(invoice: _Invoice, sac: list[str]) -> None:
    amount = cents_of(at(sac, 5)) or Decimal(0)
    if at(sac, 1) == "A":
        invoice.allowances += amount
    elif at(sac, 1) == "C":
        invoice.charges += amount


def _add_total(
    document: Document, rows: EventRows, business: Business, *, header: list[str], invoice: _Invoice, sign: int
) -> None:
    if invoice.total is None:
        rows.reject(document.ref(0), "810 without TDS: the invoice has no total; its lines landed", document.set.text)
        return
    offset, text = invoice.total
    amount = cents_of(text)
    rows.sink("finance", COLUMNS).append(
        (
            "invoice.sent",
            document.sent_at,
            document.sent_at,
            "instant",
            document.ref(offset),
            business.document_id,
            business.order_id,
            None,
            None,
            document.partner,
            None,
            None,
            text if amount is None else amount * sign,
            invoice.currency,
            _due_at(document, header, invoice.terms),
            attributes(
                {
                    "invoice_date": at(header, 1),
                    "po_date": at(header, 3),
                    "release": at(header, 5),
                    "type": at(header, 7),
                    "allowances": str(invoice.allowances) if invoice.allowances else None,
                    "charges": str(invoice.charges) if invoice.charges else None,
                }
            ),
        )
    )


def _due_at(document: Document, header: list[str], terms: list[str]) -> datetime | None:
    """End of the day payment is due: the net due date (ITD06), or the invoice date plus net days (ITD07)."""
    if at(terms, 6):
        return document.clock.end(at(terms, 6))
    days = decimal_of(at(terms, 7))
    issued = document.clock.start(at(header, 1))
    if days is None or issued is None or not 0 <= days < 1000:
        return None
    # Calendar days are counted on local dates, so that a clock change does not shift the deadline.
    local = datetime.strptime(at(header, 1)[-6:], "%y%m%d") + timedelta(days=int(days))  # noqa: DTZ007
    return document.clock.end(local.strftime("%Y%m%d"))


def _add_line(
    document: Document, rows: EventRows, business: Business, *, invoice: _Invoice, line: _Line, sign: int
) -> None:
    segment = line.segment
    ids = product_ids(segment, 6)
    units = Units(at(segment, 3), line.pack)
    quantity, price = decimal_of(at(segment, 2)), decimal_of(at(segment, 4))
    price_each = units.price_each(at(segment, 4), at(segment, 5))
    each = decimal_of(str(units.in_each(at(segment, 2))))
    unit_price = price_each if isinstance(price_each, Decimal) else price
    amount = each * unit_price * sign if each is not None and unit_price is not None else None
    rows.sink("finance", COLUMNS).append(
        (
            "invoice.sent",
            document.sent_at,
            document.sent_at,
            "instant",
            document.ref(line.offset),
            business.document_id,
            business.order_id,
            line.line_id,
            sku_of(ids),
            document.partner,
            at(segment, 2) if quantity is None else each,
            price_each,
            amount,
            invoice.currency,
            None,
            attributes({"uom": units.uom, "product_ids": ids, "is_unconverted": units.is_unconverted or None}),
        )
    )
