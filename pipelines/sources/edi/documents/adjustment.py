"""812 credit/debit adjustment → deduction.taken, one row per reason code, positive = taken from us."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pipelines.sources.edi.document import Business, Document, at
from pipelines.sources.edi.lines import cents_of
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    "event_type",
    "event_at",
    "observed_at",
    "time_quality",
    "source_ref",
    "document_id",
    "reference_id",
    "order_id",
    "customer_id",
    "amount",
    "currency",
    "reason_code",
    "attributes",
)

_PURCHASE_ORDER: Final = "PO"
_INVOICE: Final = frozenset({"IV", "IN"})
_OWN_CODE: Final = frozenset({"ZZ", "TN"})
"""REF/N9 qualifiers under which retailers send their own reason code."""


@dataclass(slots=True)
class _Reason:
    """Adjustments of one reason: the standard's code or the retailer's own."""

    offset: int
    code: str
    standard_code: str
    amount: Decimal = Decimal(0)
    texts: list[str] = field(default_factory=list)


def read(document: Document, rows: EventRows) -> Business:
    """Read an 812."""
    header = next((segment for segment in document.segments if segment[0] == "BCD"), [])
    number = at(header, 2).strip()
    order = _reference(document, header, _PURCHASE_ORDER)
    business = Business(number, document.order_id(order) if order else None)
    total = cents_of(at(header, 4))
    if not number or total is None:
        refusal = f"BCD02 is {number!r} and BCD04 {at(header, 4)!r}: expected a number and an amount with implied cents"
        rows.reject(document.ref(0), refusal, document.set.text)
        return business
    if at(header, 11) == "07":
        rows.reject(document.ref(0), f"adjustment {number} is marked as a duplicate (BCD11 = 07)", document.set.text)
        return business
    total *= _sign(document, at(header, 5), "D")
    reasons = _reasons(document, rows, header) or [_Reason(0, "", "", total)]
    currency = next((at(segment, 2) for segment in document.segments if segment[0] == "CUR"), "") or document.currency
    for reason in reasons:
        rows.sink("finance", COLUMNS).append(
            (
                "deduction.taken",
                document.sent_at,
                document.sent_at,
                "instant",
                document.ref(reason.offset),
                number,
                at(header, 7).strip() or _reference(document, header, *_INVOICE),
                business.order_id,
                document.partner,
                reason.amount,
                currency,
                reason.code,
                attributes(
                    {
                        "adjustment_date": at(header, 1),
                        "document_amount": str(total),
                        "standard_reason": reason.standard_code,
                        "reason_text": "; ".join(reason.texts),
                    }
                ),
            )
        )
    return business


def _sign(document: Document, flag: str, default: str) -> int:
    """A retailer's debit takes money from us, its credit gives some back; some mean the flags from our side."""
    taking = "C" if document.profile.adjustment_flag == "seller" else "D"
    return 1 if (flag.strip().upper() or default) == taking else -1


def _reference(document: Document, header: list[str], *qualifiers: str) -> str:
    if _PURCHASE_ORDER in qualifiers and at(header, 10):
        return at(header, 10).strip()
    if at(header, 13) in qualifiers:
        return at(header, 14).strip()
    for segment in document.segments:
        if segment[0] in ("REF", "N9") and at(segment, 1) in qualifiers:
            return at(segment, 2).strip()
    return ""


def _reasons(document: Document, rows: EventRows, header: list[str]) -> list[_Reason]:
    """Sum the CDDs by reason: two alike in one document are two adjustments, not one sent twice."""
    found: list[_Reason] = []
    for offset, segment in enumerate(document.segments):
        name = segment[0]
        if name == "CDD":
            amount = cents_of(at(segment, 4))
            if amount is None:
                refusal = f"CDD04 is {at(segment, 4)!r}: expected an amount with implied cents"
                rows.reject(document.ref(offset), refusal, document.raw(offset))
                continue
            signed = amount * _sign(document, at(segment, 2), at(header, 5).strip().upper() or "D")
            found.append(_Reason(offset, at(segment, 1), at(segment, 1), signed, _texts(at(segment, 14))))
        elif found and name in ("REF", "N9") and at(segment, 1) in _OWN_CODE:
            found[-1].code = at(segment, 2).strip() or found[-1].code
            found[-1].texts += _texts(at(segment, 3))
        elif found and name in ("NTE", "MSG"):
            found[-1].texts += _texts(at(segment, 2) if name == "NTE" else at(segment, 1))
    merged: dict[str, _Reason] = {}
    for reason in found:
        known = merged.setdefault(reason.code, _Reason(reason.offset, reason.code, reason.standard_code))
        known.amount += reason.amount
        known.texts += [text for text in reason.texts if text not in known.texts]
    return list(merged.values())


def _texts(text: str) -> list[str]:
    return [text.strip()] if text.strip() else []
