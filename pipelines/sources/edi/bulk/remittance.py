"""820 in kernels: see `edi.documents.remittance`, which says what it means.

Adjustments, notes and references of a payment, and payments that do not tie out, are for the row-wise reader.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.keys import KEYS, MOST_KEYS, NO_HASH, clear_keys, hashed_with, is_new
from pipelines.sources.edi.bulk.layouts import CASH, CURRENCY, DATE, INSTANT, PARTNER
from pipelines.sources.edi.bulk.page import (
    NULL,
    SENT_AT,
    Page,
    add_field,
    add_row,
    close_object,
    key,
    open_object,
    order_view,
    reference_view,
    set_span,
    set_text,
    set_word,
    span_view,
)
from pipelines.sources.edi.bulk.references import REFERENCE_SEGMENTS
from pipelines.sources.edi.bulk.tape import Tape, code, element, is_in, text, word
from pipelines.sources.edi.bulk.values import ODD, decimal, instant, is_canonical, plain_code

QUALITY, REF, DOCUMENT_ID, REFERENCE_ID, ORDER_ID, CUSTOMER_ID, MONEY, ATTRIBUTES = CASH.text_cells
EVENT_AT, OBSERVED_AT = CASH.instant_cells
(AMOUNT,) = CASH.number_cells

_FAMILY: Final = CASH.number
_BPR, _TRN, _ENT, _RMR, _ADX = word("BPR"), word("TRN"), word("ENT"), word("RMR"), word("ADX")
_NOTES: Final = np.array([word("NTE"), word("MSG")])
_CUR: Final = word("CUR")
_ORDER: Final = word("PO")
_FACTS: Final = 0
"""Row of the notes."""

_TRACE, _MONEY_AT, _WHEN, _QUALITY, _TOTAL, _SLOTS = range(6)
_PAYMENT_DATE, _METHOD, _HANDLING, _TOTAL_KEY = key("payment_date"), key("method"), key("handling"), key("total")
_QUALIFIER, _GROSS, _DISCOUNT = key("qualifier"), key("gross"), key("discount")


@kernel
def read_remittance(tape: Tape, first: int, last: int, page: Page) -> tuple[int, tuple[int, int]]:
    """Write the payments of an 820 and return the span of its number and its attributes; `ODD` if it is not regular."""
    header, nothing, facts = first + 1, (0, 0), page.notes[_FACTS]
    method, handling, total = plain_code(tape, header, 4), plain_code(tape, header, 1), text(tape, header, 2)
    is_odd = tape.names[header] != _BPR or method < 0 or handling < 0 or last - first > MOST_KEYS
    if is_odd or not _find_facts(tape, header, last, page):
        return ODD, nothing
    facts[_TOTAL], facts[_SLOTS] = 0, clear_keys(page, last - first)
    is_paying = False
    for segment in range(header + 1, last):
        name = tape.names[segment]
        if name == _RMR:
            if not _write_payment(tape, segment, page):
                return ODD, nothing
            is_paying = True
        elif name == _ENT:
            is_paying = False
        elif name == _ADX or (is_paying and (is_in(_NOTES, name) or is_in(REFERENCE_SEGMENTS, name))):
            return ODD, nothing
    if decimal(tape, total) != facts[_TOTAL]:
        return ODD, nothing
    begin = open_object(page)
    add_field(page, _PAYMENT_DATE, tape, text(tape, header, 16))
    add_field(page, _METHOD, tape, method)
    add_field(page, _HANDLING, tape, handling)
    add_field(page, _TOTAL_KEY, tape, total)
    return int(facts[_TRACE]), close_object(page, begin)


@kernel
def _find_facts(tape: Tape, header: int, last: int, page: Page) -> bool:
    """Find number, currency and date of the payment; False if one is not regular."""
    facts = page.notes[_FACTS]
    facts[:8] = 0
    for segment in range(header + 1, last):
        name = tape.names[segment]
        if name == _TRN and not facts[_TRACE]:
            facts[_TRACE] = text(tape, segment, 2)
            if not facts[_TRACE]:
                return False
        elif name == _CUR and not facts[_MONEY_AT]:
            facts[_MONEY_AT] = segment
    date = text(tape, header, 16)
    facts[_WHEN], facts[_QUALITY] = page.state[SENT_AT], INSTANT
    if date:
        facts[_WHEN], facts[_QUALITY] = instant(page, tape, date, 0, False), DATE  # noqa: FBT003 - numba
    return bool(facts[_TRACE] and facts[_WHEN] >= 0)


@kernel
def _amount(tape: Tape, segment: int, index: int) -> int:
    """Return an amount in ten-thousandths; `NULL` where there is none."""
    span = text(tape, segment, index)
    if not span:
        return NULL
    return decimal(tape, span) if is_canonical(tape, span) else ODD


@kernel
def _write_payment(tape: Tape, segment: int, page: Page) -> bool:
    """Write what was paid of an invoice; False if it is not regular, does not tie out or was paid before."""
    facts = page.notes[_FACTS]
    kind, number = plain_code(tape, segment, 1), text(tape, segment, 2)
    paid, gross, discount = _amount(tape, segment, 4), _amount(tape, segment, 5), _amount(tape, segment, 6)
    if kind < 0 or not number or ODD in (paid, gross, discount) or element(tape, segment, 8):
        return False
    due = gross - max(discount, 0) if gross != NULL else paid
    if paid == NULL:
        paid = due
    if paid < 0 or paid != due or not is_new(page.notes[KEYS], facts[_SLOTS], hashed_with(tape, NO_HASH, number)):
        return False
    facts[_TOTAL] += paid
    reference = reference_view(page, segment)
    order = order_view(page, tape, number) if code(tape, kind) == _ORDER else (0, 0)
    document = span_view(page, tape, facts[_TRACE])
    begin = open_object(page)
    add_field(page, _QUALIFIER, tape, kind)
    add_field(page, _GROSS, tape, text(tape, segment, 5))
    if discount > 0:
        add_field(page, _DISCOUNT, tape, text(tape, segment, 6))
    attributes = close_object(page, begin)
    row = add_row(page, _FAMILY)
    set_word(page, row, QUALITY, facts[_QUALITY])
    set_text(page, row, REF, reference)
    set_text(page, row, DOCUMENT_ID, document)
    set_span(page, row, REFERENCE_ID, tape, number)
    set_text(page, row, ORDER_ID, order)
    set_word(page, row, CUSTOMER_ID, PARTNER)
    currency = text(tape, facts[_MONEY_AT], 2) if facts[_MONEY_AT] else 0
    if currency:
        set_span(page, row, MONEY, tape, currency)
    else:
        set_word(page, row, MONEY, CURRENCY)
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, EVENT_AT] = facts[_WHEN]
    page.rows[row, OBSERVED_AT] = page.state[SENT_AT]
    page.rows[row, AMOUNT] = paid
    return True
