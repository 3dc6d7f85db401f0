"""820 payment order/remittance advice → cash.applied per invoice paid, deduction.taken per adjustment.

Every payment of an invoice must tie out (paid = gross − discount + adjustments), and all of them with the total of
the payment. What does not tie out is reported; what is paid without saying for what is cash in suspense.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document, at
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    PURCHASE_ORDER,
    REFERENCE_SEGMENTS,
    Moment,
    add,
    amount_text,
    code,
    envelope,
    first,
    moment,
    pick,
    reference,
    said,
    text,
)
from pipelines.sources.edi.lines import decimal_of
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    *ENVELOPE,
    "document_id",
    "reference_id",
    "order_id",
    "customer_id",
    "amount",
    "currency",
    "reason_code",
    "attributes",
)

FIRST_NEGATIVE_RELEASE: Final = "003050"
"""From this release on a negative ADX01 reduces the payment; before it, a positive one did."""

_OWN_CODES: Final = frozenset({"ZZ", "TN", "ACC", "RA"})
"""ADX03 and REF qualifiers under which partners send a reason code of their own."""

_OWN_DOCUMENTS: Final = frozenset({"CM", "DB", "CX", "DP", "DL", "VV", "VN", "CR", "CN", "OI", "8M", "IA", "DN", "RZ"})
"""ADX03 qualifiers of the document that claims the deduction."""

_TRACES: Final = ("CK", "TN", "EF", "TR", "RA")


@dataclass(slots=True)
class _Adjustment:
    """An ADX, or the adjustment inside an RMR (RMR07/08). `amount` is signed: negative reduces the payment."""

    offset: int
    amount: Decimal
    reason: str
    kind: str = ""
    number: str = ""
    own_code: str = ""
    references: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Payment:
    """An RMR loop."""

    offset: int
    segment: list[str]
    references: dict[str, str] = field(default_factory=dict)
    adjustments: list[_Adjustment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Sum:
    """Rows that differ in nothing but their amount are one event: the same fact twice would be lost."""

    offset: int
    amount: Decimal = Decimal(0)
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Key:
    event_type: str
    document_id: str
    reference_id: str
    order_id: str
    reason_code: str


def read(document: Document, rows: EventRows) -> Business:
    """Read an 820."""
    offset, bpr = first(document, "BPR")
    trace = _trace(document)
    facts = {
        "payment_date": text(bpr, 16),
        "method": code(bpr, 4),
        "handling": code(bpr, 1),
        "total": text(bpr, 2),
    }
    business = Business(trace, None, attributes(facts))
    if not bpr:
        rows.reject(document.ref(0), "820 without BPR: it says neither what was paid nor when", document.set.text)
        return business
    _Remittance(document, rows, trace=trace, bpr=bpr, bpr_offset=offset).read()
    return business


def _trace(document: Document) -> str:
    """Return the number of the payment: trace, check or settlement; else the controls of the document."""
    _, trn = first(document, "TRN")
    if text(trn, 2):
        return text(trn, 2)
    head = dict(reference(segment) for segment in _head(document) if segment[0] in REFERENCE_SEGMENTS)
    return pick(head, *_TRACES) or f"{document.set.interchange.control}-{document.set.control}"


def _head(document: Document) -> Iterator[list[str]]:
    for segment in document.segments:
        if segment[0] in ("ENT", "RMR", "ADX"):
            return
        yield segment


def _note(owner: _Adjustment | _Payment, segment: list[str]) -> None:
    """Keep a reference or a note of a loop."""
    if segment[0] in REFERENCE_SEGMENTS:
        owner.references.setdefault(*reference(segment))
        owner.notes += [text(segment, 3)] if text(segment, 3) else []
    elif segment[0] in ("NTE", "MSG"):
        note = text(segment, 2) if segment[0] == "NTE" else text(segment, 1)
        owner.notes += [note] if note else []


def reduces_by_sign(release: str) -> int:
    """Return the factor that makes an ADX01 negative where it reduces the payment.

    >>> reduces_by_sign("003030"), reduces_by_sign("004010VICS")
    (-1, 1)
    """
    number = release.strip()[:6]
    return -1 if number.isdecimal() and number < FIRST_NEGATIVE_RELEASE else 1


class _Remittance:
    """Reads one payment."""

    def __init__(self, document: Document, rows: EventRows, *, trace: str, bpr: list[str], bpr_offset: int) -> None:
        self._document = document
        self._rows = rows
        self._trace = trace
        self._bpr = bpr
        self._bpr_offset = bpr_offset
        self._sign = reduces_by_sign(document.set.group.version if document.set.group else "")
        self._paid_at: Moment = moment(document.clock, text(bpr, 16)) or said(document)
        self._sums: dict[_Key, _Sum] = {}
        self._total = Decimal(0)
        self._is_complete = True

    def read(self) -> None:
        """Read all payments and adjustments, then the total."""
        payments, alone = self._gather()
        for payment in payments:
            self._take_payment(payment)
        for adjustment in alone:
            self._total += adjustment.amount
            self._deduct(adjustment, {}, is_alone=True)
        self._check_total()
        self._write()

    def _gather(self) -> tuple[list[_Payment], list[_Adjustment]]:
        """Cut the set into RMR loops and the ADX that stand before any RMR of their entity."""
        payments: list[_Payment] = []
        alone: list[_Adjustment] = []
        payment: _Payment | None = None
        adjustment: _Adjustment | None = None
        for offset, segment in enumerate(self._document.segments):
            name = segment[0]
            if name == "ENT":
                payment = adjustment = None
            elif name == "RMR":
                payment, adjustment = _Payment(offset, segment), None
                payments.append(payment)
            elif name == "ADX":
                adjustment = self._adjustment(offset, segment)
                if adjustment is not None:
                    (payment.adjustments if payment else alone).append(adjustment)
            elif (owner := adjustment or payment) is not None:
                _note(owner, segment)
        return payments, alone

    def _adjustment(self, offset: int, adx: list[str]) -> _Adjustment | None:
        amount = decimal_of(text(adx, 1))
        if amount is None:
            self._refuse(offset, f"ADX01 is {text(adx, 1)!r}: expected an amount")
            return None
        kind, number = code(adx, 3), text(adx, 4)
        own = number if kind in _OWN_CODES else ""
        return _Adjustment(offset, amount * self._sign, code(adx, 2), kind, "" if own else number, own)

    def _refuse(self, offset: int, reason: str) -> None:
        self._is_complete = False
        self._rows.reject(self._document.ref(offset), reason, self._document.raw(offset))

    def _take_payment(self, payment: _Payment) -> None:
        rmr = payment.segment
        amounts = {index: decimal_of(text(rmr, index)) for index in (4, 5, 6)}
        broken = [
            f"RMR{index:02d} {text(rmr, index)!r}" for index in amounts if text(rmr, index) and amounts[index] is None
        ]
        if broken:
            self._refuse(payment.offset, f"{', '.join(broken)}: expected an amount")
            return
        paid, gross, discount = amounts[4], amounts[5], amounts[6] or Decimal(0)
        self._add_inner_adjustment(payment)
        adjusted = sum((adjustment.amount for adjustment in payment.adjustments), Decimal(0))
        if paid is None:
            paid = gross - discount + adjusted if gross is not None else None
        if paid is None:
            self._refuse(payment.offset, "RMR04 (paid) and RMR05 (gross) are both missing")
            return
        is_alone = self._tie_out(payment, paid, gross, discount=discount, adjusted=adjusted)
        self._total += paid + (adjusted if is_alone else Decimal(0))
        self._apply(payment, paid, gross, discount=discount, adjusted=adjusted)
        is_explained = not gross and paid == adjusted  # the adjustment is the payment, not something taken off it
        if (paid >= 0 and not is_explained) or is_alone:
            for adjustment in payment.adjustments:
                self._deduct(adjustment, payment.references, payment=payment, is_alone=is_alone)

    def _add_inner_adjustment(self, payment: _Payment) -> None:
        """Take RMR07/08 as an adjustment; unlike an ADX it has no reference of its own."""
        amount = decimal_of(text(payment.segment, 8))
        if amount:
            reason = code(payment.segment, 7)
            payment.adjustments.append(_Adjustment(payment.offset, amount * self._sign, reason))

    def _tie_out(
        self, payment: _Payment, paid: Decimal, gross: Decimal | None, *, discount: Decimal, adjusted: Decimal
    ) -> bool:
        """Check RMR04 = RMR05 − RMR06 + ΣADX. Says whether the ADX behind it stand for themselves."""
        if gross is None or paid == gross - discount + adjusted:
            return False
        if adjusted and paid == gross - discount:
            return True
        expected = f"{gross:f} - {discount:f} {'-' if adjusted < 0 else '+'} {abs(adjusted):f}"
        reason = (
            f"tie-out: RMR04 is {paid:f}, but gross, discount and adjustments give "
            f"{gross - discount + adjusted:f} ({expected}); the payment landed"
        )
        self._rows.reject(self._document.ref(payment.offset), reason, self._document.raw(payment.offset))
        return False

    def _apply(
        self, payment: _Payment, paid: Decimal, gross: Decimal | None, *, discount: Decimal, adjusted: Decimal
    ) -> None:
        """Add what was paid; a negative payment is a credit that the partner takes."""
        rmr, references = payment.segment, payment.references
        facts: dict[str, object] = {
            "qualifier": code(rmr, 1),
            "gross": amount_text(gross),
            "discount": amount_text(discount) if discount else None,
            "adjustments": amount_text(adjusted) if adjusted else None,
            "references": references,
            "note": "; ".join(payment.notes),
        }
        number = text(rmr, 2)
        order = number if code(rmr, 1) == PURCHASE_ORDER else pick(references, PURCHASE_ORDER)
        if paid >= 0:
            key = _Key("cash.applied", self._trace, number, order, "" if number else "suspense")
            self._add(key, payment.offset, paid, facts)
            return
        reasons = [adjustment.own_code or adjustment.reason for adjustment in payment.adjustments]
        own = pick(references, *_OWN_CODES)
        reason_code = own or (reasons[0] if reasons else "") or code(rmr, 7)
        key = _Key("deduction.taken", number or self._trace, pick(references, "IV"), order, reason_code)
        self._add(key, payment.offset, -paid, facts | {"remittance": self._trace, "is_stand_alone": True})

    def _deduct(
        self,
        adjustment: _Adjustment,
        outer: Mapping[str, str],
        *,
        payment: _Payment | None = None,
        is_alone: bool,
    ) -> None:
        own = adjustment.own_code or pick(adjustment.references, *_OWN_CODES)
        number = adjustment.number if adjustment.kind in _OWN_DOCUMENTS else ""
        number = number or pick(adjustment.references, "CM", "DB", "DL") or self._trace
        invoice = text(payment.segment, 2) if payment and code(payment.segment, 1) != PURCHASE_ORDER else ""
        invoice = invoice or (adjustment.number if adjustment.kind in ("IV", "IN") else "")
        order = pick(adjustment.references, PURCHASE_ORDER) or pick(outer, PURCHASE_ORDER)
        if adjustment.kind == PURCHASE_ORDER:
            order = adjustment.number
        facts: dict[str, object] = {
            "remittance": self._trace,
            "standard_reason": adjustment.reason,
            "is_stand_alone": is_alone or None,
            "references": adjustment.references,
            "note": "; ".join(adjustment.notes),
        }
        key = _Key(
            "deduction.taken", number, invoice or pick(adjustment.references, "IV"), order, own or adjustment.reason
        )
        self._add(key, adjustment.offset, -adjustment.amount, facts)

    def _add(self, key: _Key, offset: int, amount: Decimal, facts: Mapping[str, object]) -> None:
        known = self._sums.setdefault(key, _Sum(offset, facts=dict(facts)))
        known.amount += amount

    def _check_total(self) -> None:
        """Compare with BPR02; what is paid beyond the invoices named goes into suspense."""
        stated = decimal_of(text(self._bpr, 2))
        if stated is None:
            self._refuse(self._bpr_offset, f"BPR02 is {text(self._bpr, 2)!r}: expected the amount of the payment")
            return
        total = -stated if code(self._bpr, 3) == "D" and self._total < 0 else stated
        if total == self._total:
            return
        rest = total - self._total
        if self._is_complete:
            reason = (
                f"tie-out: BPR02 is {total:f}, but the payments and adjustments add up to {self._total:f}; "
                f"{abs(rest):f} {'is in suspense' if rest > 0 else 'more is said to be paid than was'}"
            )
            self._rows.reject(self._document.ref(self._bpr_offset), reason, self._document.raw(self._bpr_offset))
        if rest > 0:
            self._add(_Key("cash.applied", self._trace, "", "", "suspense"), self._bpr_offset, rest, {})

    def _write(self) -> None:
        document = self._document
        currency = next((at(segment, 2) for segment in document.segments if segment[0] == "CUR"), "")
        for key, known in self._sums.items():
            values = {
                **envelope(document, known.offset, key.event_type, self._paid_at),
                "document_id": key.document_id,
                "reference_id": key.reference_id,
                "order_id": document.order_id(key.order_id) if key.order_id else None,
                "customer_id": document.partner,
                "amount": known.amount,
                "currency": currency.strip() or document.currency,
                "reason_code": key.reason_code,
                "attributes": attributes(known.facts),
            }
            add(self._rows, "finance", COLUMNS, values)
