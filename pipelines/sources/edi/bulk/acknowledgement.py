"""855 in kernels: see `edi.documents.acknowledgement`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.layouts import (
    CANCELLED,
    ORDER,
    PARTNER,
    PROMISED,
    SELLER_OOS,
    SELLER_OTHER,
    ZONE,
)
from pipelines.sources.edi.bulk.page import (
    NULL,
    SENT_AT,
    Page,
    add_field,
    add_row,
    add_true,
    close_object,
    key,
    literal,
    open_object,
    order_view,
    reference_view,
    set_span,
    set_text,
    set_word,
)
from pipelines.sources.edi.bulk.purchase_order import (
    ACTOR,
    ATTRIBUTES,
    CANCEL_AFTER,
    CLOCK,
    COUNTRY,
    CUSTOMER_ID,
    EVENT_AT,
    LINE,
    MONEY,
    ORDER_ID,
    ORDER_TYPE,
    PACK,
    PLACE_ID,
    POSTAL,
    PRICE,
    PROMISE,
    QUANTITY,
    REASON,
    REF,
    REGION,
    SKU,
    TYPE,
    UOM,
)
from pipelines.sources.edi.bulk.tape import Tape, code, element, same, stripped, unpadded, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    instant,
    line_number,
    pack_size,
    quantity,
    set_line,
    sku_of,
    stamp,
    unit_factor,
)

_FAMILY: Final = ORDER.number
_BAK, _PO1, _PO4, _DTM, _ACK = word("BAK"), word("PO1"), word("PO4"), word("DTM"), word("ACK")
_REFUSED_PURPOSES: Final = (word("01"), word("07"))
_REJECTED_TYPES: Final = (word("RD"), word("RJ"))
_QUANTITY_CUT: Final = word("IQ")
_OUT_OF_STOCK: Final = (word("ID"), word("IR"))
_REFUSED_FIRST, _REFUSED_LAST = word("R1"), word("R8")
_DATES: Final = np.array([word(name) for name in ("067", "069", "017", "002", "068", "079", "010")])
_MOST_ACKS: Final = 32

_HEADER_DATES, _LINE_DATES, _ACKS, _FACTS, _PROMISES, _QUANTITIES, _FIRSTS = range(7)
"""Rows of the notes."""

_PACK, _LINES, _NUMBER_BEFORE, _ACK_COUNT = range(4)
_BASIS, _UNCONVERTED = key("date_qualifier"), literal('"is_unconverted":')


@kernel
def read_acknowledgement(tape: Tape, first: int, last: int, page: Page) -> int:
    """Write the answers of an 855 and return the span of its order's number; `ODD` if it is not regular."""
    header = first + 1
    number, purpose = stripped(tape, element(tape, header, 3)), code(tape, element(tape, header, 1))
    if tape.names[header] != _BAK or not number or purpose in _REFUSED_PURPOSES:
        return ODD
    notes = page.notes
    notes[: _FIRSTS + 1, :16] = 0
    notes[_HEADER_DATES, :8] = NULL
    notes[_FACTS, _NUMBER_BEFORE] = -1
    order = order_view(page, tape, number)
    line = -1
    for segment in range(header + 1, last):
        name = tape.names[segment]
        if name == _PO1:
            if line >= 0 and not _write_line(tape, header, line, page, order):
                return ODD
            line = segment
            notes[_LINE_DATES, :8] = NULL
            notes[_FACTS, _PACK] = notes[_FACTS, _ACK_COUNT] = 0
            notes[_FACTS, _LINES] += 1
        elif name == _DTM:
            if not _note_date(tape, segment, page, _LINE_DATES if line >= 0 else _HEADER_DATES):
                return ODD
        elif line >= 0 and not _note_line(tape, segment, page):
            return ODD
    if line < 0 or not _write_line(tape, header, line, page, order):
        return ODD
    return number


@kernel
def _note_line(tape: Tape, segment: int, page: Page) -> bool:
    facts = page.notes[_FACTS]
    if tape.names[segment] == _PO4:
        facts[_PACK] = pack_size(tape, segment)
    elif tape.names[segment] == _ACK:
        if facts[_ACK_COUNT] >= _MOST_ACKS:
            return False
        page.notes[_ACKS, facts[_ACK_COUNT]] = segment
        facts[_ACK_COUNT] += 1
    return bool(facts[_PACK] >= 0)


@kernel
def _note_date(tape: Tape, segment: int, page: Page, level: int) -> bool:
    moment = stamp(page, tape, segment, True)  # noqa: FBT003 - numba
    if moment < 0:
        return False
    kind = code(tape, element(tape, segment, 1))
    for slot in range(len(_DATES)):
        if _DATES[slot] == kind:
            page.notes[level, slot] = moment
    return True


@kernel
def _line_promise(page: Page) -> int:
    header, line = page.notes[_HEADER_DATES], page.notes[_LINE_DATES]
    for slot in range(len(_DATES)):
        if line[slot] != NULL:
            return int(line[slot])
        if header[slot] != NULL:
            return int(header[slot])
    return NULL


@kernel
def _write_line(
    tape: Tape,
    header: int,
    segment: int,
    page: Page,
    order: tuple[int, int],
) -> bool:
    """Write what was said about a line; False if it is not regular."""
    facts = page.notes[_FACTS]
    line = unpadded(tape, element(tape, segment, 1))
    number = line_number(tape, line, facts[_LINES], facts[_NUMBER_BEFORE])
    sku = sku_of(tape, segment, 6)
    if number < 0 or sku < 0:
        return False
    facts[_NUMBER_BEFORE] = number
    if facts[_ACK_COUNT]:
        return _write_answers(tape, segment, page, order, sku)
    factor = unit_factor(tape, element(tape, segment, 3), facts[_PACK])
    ordered = quantity(tape, element(tape, segment, 2), factor)
    if ordered == ODD:
        return False
    kind = element(tape, header, 2)
    if code(tape, kind) in _REJECTED_TYPES:
        row = _write(tape, segment, segment, page, order, sku, ordered, kind, 0)
        _set_cancelled(page, row, SELLER_OOS)
    else:
        row = _write(tape, segment, segment, page, order, sku, ordered, kind, 0)
        page.rows[row, PROMISE] = _line_promise(page)
    return True


@kernel
def _write_answers(tape: Tape, segment: int, page: Page, order: tuple[int, int], sku: int) -> bool:
    """Write a line by its ACKs: alike ones are summed, what an IQ leaves over is a cut."""
    kinds = _sum_answers(tape, segment, page)
    if kinds < 0:
        return False
    notes = page.notes
    stated, is_cut = 0, False
    for i in range(kinds):
        ack = notes[_FIRSTS, i]
        reason, amount = element(tape, ack, 1), notes[_QUANTITIES, i]
        kind = code(tape, reason)
        stated += amount
        is_cut = is_cut or kind == _QUANTITY_CUT
        is_refused = kind >= _REFUSED_FIRST and kind <= _REFUSED_LAST and kind % 256 == _REFUSED_FIRST % 256
        if kind in _OUT_OF_STOCK or is_refused:
            row = _write(tape, ack, segment, page, order, sku, amount, reason, 0)
            _set_cancelled(page, row, SELLER_OTHER if is_refused else SELLER_OOS)
        else:
            basis = element(tape, ack, 4)
            row = _write(tape, ack, segment, page, order, sku, amount, reason, basis)
            page.rows[row, PROMISE] = notes[_PROMISES, i]
    if is_cut:
        factor = unit_factor(tape, element(tape, segment, 3), notes[_FACTS, _PACK])
        ordered = quantity(tape, element(tape, segment, 2), factor)
        if ordered == ODD:
            return False
        if ordered > stated:
            reason = _cut_reason(tape, page, kinds)
            row = _write(tape, segment, segment, page, order, sku, ordered - stated, reason, 0)
            _set_cancelled(page, row, SELLER_OOS)
    return True


@kernel
def _cut_reason(tape: Tape, page: Page, kinds: int) -> int:
    """Return the span of the code of a cut."""
    for i in range(kinds):
        reason = element(tape, page.notes[_FIRSTS, i], 1)
        if code(tape, reason) == _QUANTITY_CUT:
            return reason
    return 0


@kernel
def _sum_answers(tape: Tape, segment: int, page: Page) -> int:
    """Sum a line's ACKs by code and date into the notes; return how many kinds there are, `ODD` if not regular."""
    notes = page.notes
    kinds = 0
    for i in range(notes[_FACTS, _ACK_COUNT]):
        ack = notes[_ACKS, i]
        amount = quantity(
            tape,
            element(tape, ack, 2) or element(tape, segment, 2),
            unit_factor(tape, element(tape, ack, 3) or element(tape, segment, 3), notes[_FACTS, _PACK]),
        )
        promise = _line_promise(page)
        if element(tape, ack, 5):
            promise = instant(page, tape, element(tape, ack, 5), 0, True)  # noqa: FBT003 - numba
        if amount < 0 or promise == ODD:
            return ODD
        known = kinds
        for j in range(kinds):
            is_same_code = same(tape, element(tape, notes[_FIRSTS, j], 1), element(tape, ack, 1))
            if is_same_code and notes[_PROMISES, j] == promise:
                known = j
        if known == kinds:
            notes[_FIRSTS, kinds], notes[_PROMISES, kinds], notes[_QUANTITIES, kinds] = ack, promise, 0
            kinds += 1
        notes[_QUANTITIES, known] += amount
    return kinds


@kernel
def _set_cancelled(page: Page, row: int, actor: int) -> None:
    set_word(page, row, TYPE, CANCELLED)
    set_word(page, row, ACTOR, actor)


@kernel
def _write(
    tape: Tape,
    source: int,
    segment: int,
    page: Page,
    order: tuple[int, int],
    sku: int,
    amount: int,
    reason: int,
    basis: int,
) -> int:
    """Write a promise without its date and return its row."""
    facts = page.notes[_FACTS]
    uom = element(tape, segment, 3)
    reference = reference_view(page, source)
    begin = open_object(page)
    add_field(page, _BASIS, tape, basis)
    if unit_factor(tape, uom, facts[_PACK]) == 0:
        add_true(page, _UNCONVERTED)
    attributes = close_object(page, begin)
    row = add_row(page, _FAMILY)
    set_word(page, row, TYPE, PROMISED)
    set_text(page, row, REF, reference)
    set_text(page, row, ORDER_ID, order)
    set_line(page, row, LINE, tape, unpadded(tape, element(tape, segment, 1)), facts[_LINES])
    set_word(page, row, CUSTOMER_ID, PARTNER)
    set_span(page, row, SKU, tape, sku)
    set_span(page, row, UOM, tape, uom)
    set_word(page, row, CLOCK, ZONE)
    set_span(page, row, REASON, tape, reason)
    set_text(page, row, ATTRIBUTES, attributes)
    for column in (ORDER_TYPE, MONEY, PLACE_ID, REGION, COUNTRY, POSTAL, ACTOR):
        set_text(page, row, column, (0, 0))
    for column in range(EVENT_AT, CANCEL_AFTER + 1):
        page.rows[row, column] = NULL
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
    page.rows[row, QUANTITY] = amount
    page.rows[row, PACK] = facts[_PACK] * 1000 if facts[_PACK] else NULL
    page.rows[row, PRICE] = NULL
    return row
