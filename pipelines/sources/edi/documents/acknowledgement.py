"""855 purchase order acknowledgement → order.promised per ACK, order.cancelled for what the seller cut.

A cut is the seller's decision: it never changes the order's baseline, so it is a cancellation by
`seller_oos` (or `seller_other` where the code names another reason), not an order change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import CHANNEL, Business, Document, at
from pipelines.sources.edi.lines import (
    Dates,
    LineNumbers,
    Units,
    decimal_of,
    end_of,
    note_date,
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
    "order_id",
    "line_id",
    "channel",
    "customer_id",
    "sku",
    "quantity",
    "uom",
    "pack_quantity",
    "clock_zone",
    "promise_at",
    "actor",
    "reason",
    "attributes",
)

_OUT_OF_STOCK: Final = frozenset({"ID", "IR"})
_REFUSED: Final = frozenset({"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8"})
_QUANTITY_CUT: Final = "IQ"
_REJECTED_TYPES: Final = frozenset({"RD", "RJ"})
PROMISE_DATES: Final = ("067", "069", "017", "002", "068", "079", "010")


@dataclass(slots=True)
class Line:
    """A PO1 loop with its ACKs."""

    offset: int
    segment: list[str]
    line_id: str
    pack: Decimal | None = None
    dates: Dates = field(default_factory=dict)
    acks: list[tuple[int, list[str]]] = field(default_factory=list)


def read(document: Document, rows: EventRows) -> Business:
    """Read an 855."""
    header = next((segment for segment in document.segments if segment[0] == "BAK"), [])
    number = at(header, 3).strip()
    if not number:
        rows.reject(document.ref(0), "BAK03 (PO number) is missing", document.set.text)
        return Business()
    business = Business(number, document.order_id(number), attributes({"type": at(header, 2)}))
    if at(header, 1) in ("01", "07"):
        reason = f"BAK01 is {at(header, 1)!r}: a cancelled or duplicate acknowledgement promises nothing"
        rows.reject(document.ref(0), reason, document.set.text)
        return business
    dates, lines = gather(document, rows)
    events = Promises(document, rows, business.order_id or "", dates)
    is_rejected = at(header, 2) in _REJECTED_TYPES
    if not lines:
        events.add_order(at(header, 2), is_rejected=is_rejected)
    for line in lines:
        if line.acks:
            events.add_acknowledged(line)
        else:
            events.add_bare(line, at(header, 2), is_rejected=is_rejected)
    return business


def gather(document: Document, rows: EventRows) -> tuple[Dates, list[Line]]:
    """Return the dates of the header and the lines."""
    header_dates: Dates = {}
    lines: list[Line] = []
    numbers = LineNumbers()
    for offset, segment in enumerate(document.segments):
        name = segment[0]
        if name == "PO1":
            lines.append(Line(offset, segment, numbers.next(at(segment, 1))))
        elif name == "DTM":
            note_date(lines[-1].dates if lines else header_dates, document, offset, rows)
        elif lines and name == "ACK":
            lines[-1].acks.append((offset, segment))
        elif lines and name == "PO4":
            lines[-1].pack = pack_of(segment)
    return header_dates, lines


class Promises:
    """Writes the events of one acknowledgement."""

    def __init__(self, document: Document, rows: EventRows, order_id: str, dates: Dates) -> None:
        self._document = document
        self._sink = rows.sink("order", COLUMNS)
        self._order_id = order_id
        self._dates = dates

    def add_order(self, kind: str, *, is_rejected: bool) -> None:
        """Add the one event of an acknowledgement without lines."""
        if is_rejected:
            self.add("order.cancelled", 0, None, None, actor="seller_oos", reason=kind)
        else:
            promise = end_of(self._dates, self._document.clock, PROMISE_DATES)
            self.add("order.promised", 0, None, None, promise_at=promise, reason=kind)

    def add_bare(self, line: Line, kind: str, *, is_rejected: bool) -> None:
        """Add a line that stands without ACK: all of it is accepted, or rejected, as the header says."""
        quantity = Units(at(line.segment, 3), line.pack).in_each(at(line.segment, 2))
        if is_rejected:
            self.add("order.cancelled", line.offset, line, quantity, actor="seller_oos", reason=kind)
        else:
            promise = self._line_promise(line)
            self.add("order.promised", line.offset, line, quantity, promise_at=promise, reason=kind)

    def add_acknowledged(self, line: Line) -> None:
        """Add a line by its ACKs; alike ones are summed, what an IQ leaves over is the seller's cut."""
        total: dict[tuple[str, datetime | None], tuple[int, Decimal, str]] = {}
        stated = Decimal(0)
        for offset, ack in line.acks:
            quantity = self._acknowledged(line, ack)
            if quantity is None:
                self.add("order.promised", offset, line, at(ack, 2), reason=at(ack, 1))
                return
            stated += quantity
            key = (at(ack, 1), self._promise(line, ack))
            first, known, basis = total.get(key, (offset, Decimal(0), at(ack, 4)))
            total[key] = (first, known + quantity, basis)
        for (code, promise), (offset, quantity, basis) in total.items():
            if code in _OUT_OF_STOCK or code in _REFUSED:
                actor = "seller_oos" if code in _OUT_OF_STOCK else "seller_other"
                self.add("order.cancelled", offset, line, quantity, actor=actor, reason=code)
            else:
                self.add("order.promised", offset, line, quantity, promise_at=promise, reason=code, basis=basis)
        self._add_cut(line, stated, {code for code, _ in total})

    def _add_cut(self, line: Line, stated: Decimal, codes: set[str]) -> None:
        ordered = _each(line, at(line.segment, 2), at(line.segment, 3))
        if _QUANTITY_CUT in codes and ordered is not None and ordered > stated:
            self.add("order.cancelled", line.offset, line, ordered - stated, actor="seller_oos", reason=_QUANTITY_CUT)

    def _acknowledged(self, line: Line, ack: list[str]) -> Decimal | None:
        """Quantity of an ACK in eaches; without one, what the line ordered. None = not a number."""
        text, uom = at(ack, 2), at(ack, 3) or at(line.segment, 3)
        return _each(line, text or at(line.segment, 2), uom)

    def _promise(self, line: Line, ack: list[str]) -> datetime | None:
        if at(ack, 5):
            return self._document.clock.end(at(ack, 5))
        return self._line_promise(line)

    def _line_promise(self, line: Line) -> datetime | None:
        return end_of({**self._dates, **line.dates}, self._document.clock, PROMISE_DATES)

    def add(
        self,
        event_type: str,
        offset: int,
        line: Line | None,
        quantity: object,
        *,
        promise_at: datetime | None = None,
        actor: str | None = None,
        reason: str = "",
        basis: str = "",
    ) -> None:
        """Add an event of a line, or of the whole order."""
        document = self._document
        ids = product_ids(line.segment, 6) if line else {}
        units = Units(at(line.segment, 3), line.pack) if line else Units()
        self._sink.append(
            (
                event_type,
                document.sent_at,
                document.sent_at,
                "instant",
                document.ref(offset),
                self._order_id,
                line.line_id if line else None,
                CHANNEL,
                document.partner,
                sku_of(ids),
                quantity,
                units.uom,
                units.pack,
                document.clock.zone.key,
                promise_at,
                actor,
                reason,
                attributes({"date_qualifier": basis, "is_unconverted": units.is_unconverted or None}),
            )
        )


def _each(line: Line, text: str, uom: str) -> Decimal | None:
    value = Units(uom, line.pack).in_each(text)
    return value if isinstance(value, Decimal) else decimal_of(str(value))
