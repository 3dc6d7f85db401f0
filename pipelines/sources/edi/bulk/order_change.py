"""860 in kernels: see `edi.documents.order_change`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.layouts import CANCELLED, CHANGE, CHANGED, CUSTOMER, DRAFT, PARTNER, STANDARD, ZONE
from pipelines.sources.edi.bulk.page import (
    CHANGE_MEANING,
    MEANS_BEFORE,
    MEANS_TOTAL,
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
    BLANKET,
    CANCEL_AFTER,
    CLOCK,
    COUNTRY,
    CUSTOMER_ID,
    EVENT_AT,
    FACTS,
    LINE,
    LINES,
    MONEY,
    NUMBER_BEFORE,
    ORDER_ID,
    ORDER_TYPE,
    OWN_CURRENCY,
    PACK,
    PACK_SIZE,
    PLACE_ID,
    POSTAL,
    PRICE,
    QUANTITY,
    REASON,
    REF,
    REGION,
    SKU,
    TYPE,
    UOM,
    begin_line,
    begin_order,
    note_order,
    write_dates,
    write_place,
)
from pipelines.sources.edi.bulk.tape import Tape, code, element, is_in, text, unpadded, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    add_product_ids,
    counts,
    is_composite,
    line_number,
    plain_code,
    price,
    price_divisor,
    quantity,
    set_line,
    sku_of,
    unit_factor,
)
from pipelines.sources.edi.documents.order_change import CHANGES, DELETES, KEEPS_QUANTITY, LOWERS, NEW_ITEMS

_FAMILY: Final = CHANGE.number
*_, DIFFERENCE = CHANGE.number_cells
_BCH, _POC, _PO1, _CTT, _CUR = word("BCH"), word("POC"), word("PO1"), word("CTT"), word("CUR")
_CHANGES: Final = np.array([word(name) if name else 0 for name in sorted(CHANGES)])
_DELETES: Final = np.array([word(name) for name in sorted(DELETES)])
_KEEPS: Final = np.array([word(name) for name in sorted(KEEPS_QUANTITY)])
_NEW_ITEMS: Final = np.array([word(name) for name in sorted(NEW_ITEMS)])
_LOWERS: Final = np.array([word(name) for name in sorted(LOWERS)])
_PURPOSE, _SEQUENCE, _DATE = key("purpose"), key("change_sequence"), key("change_date")
_PO_DATE, _LEFT, _UNCONVERTED = key("po_date"), key("quantity_left"), literal('"is_unconverted":')


@kernel
def read_order_change(tape: Tape, first: int, last: int, page: Page) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Write the changes of an 860.

    Returns:
        The span of its order's number (`ODD` if it is not regular), the view of the order, its attributes.
    """
    header, nothing = first + 1, (0, 0)
    number, purpose = text(tape, header, 3), plain_code(tape, header, 1)
    is_change = tape.names[header] == _BCH and purpose >= 0 and is_in(_CHANGES, code(tape, purpose))
    if not is_change or not number:
        return ODD, nothing, nothing
    begin_order(page)
    order, facts = order_view(page, tape, number), page.notes[FACTS]
    line = trailer = -1
    for segment in range(header + 1, last):
        name = tape.names[segment]
        if name == _POC:
            if line >= 0 and not _write_line(tape, header, line, page, order):
                return ODD, nothing, nothing
            line = segment
            begin_line(page)
        elif name == _CTT:
            trailer = segment if trailer < 0 else trailer
        elif not _note(tape, segment, page, line >= 0):
            return ODD, nothing, nothing
    if line < 0 or not _write_line(tape, header, line, page, order):
        return ODD, nothing, nothing
    if trailer >= 0 and not counts(tape, text(tape, trailer, 1), facts[LINES]):
        return ODD, nothing, nothing
    begin = open_object(page)
    _add_facts(tape, header, page)
    return number, order, close_object(page, begin)


@kernel
def _note(tape: Tape, segment: int, page: Page, in_line: bool) -> bool:  # noqa: FBT001 - numba
    """Take what a segment says; False if it is not regular."""
    name = tape.names[segment]
    if name == _PO1 or (name == _CUR and (in_line or not element(tape, segment, 2))):
        return False
    return note_order(tape, segment, page, in_line)


@kernel
def _add_facts(tape: Tape, header: int, page: Page) -> None:
    add_field(page, _PURPOSE, tape, plain_code(tape, header, 1))
    add_field(page, _SEQUENCE, tape, text(tape, header, 5))
    add_field(page, _DATE, tape, text(tape, header, 11))


@kernel
def _change_of(tape: Tape, segment: int, page: Page, kind: int, factor: int) -> tuple[int, int]:
    """Return the new quantity and the difference in thousandths of an each, `NULL` where not told; `ODD` for both."""
    meaning, stated = page.state[CHANGE_MEANING], text(tape, segment, 3)
    amount = quantity(tape, stated, factor)
    if amount == ODD:
        return ODD, ODD
    if is_in(_KEEPS, kind):
        return amount if meaning == MEANS_TOTAL and amount > 0 else NULL, NULL
    is_new = is_in(_NEW_ITEMS, kind)
    if meaning == MEANS_BEFORE and not is_new:
        amount = quantity(tape, text(tape, segment, 4), factor)
        return (amount, NULL) if amount >= 0 else (ODD, ODD)
    if amount < 0:
        return ODD, ODD
    if is_new or meaning == MEANS_TOTAL:
        return amount, NULL
    return NULL, -amount if is_in(_LOWERS, kind) else amount


@kernel
def _write_line(tape: Tape, header: int, segment: int, page: Page, order: tuple[int, int]) -> bool:
    """Write what becomes of a line; False if it is not regular."""
    facts = page.notes[FACTS]
    line, reason, sku = (
        unpadded(tape, element(tape, segment, 1)),
        plain_code(tape, segment, 2),
        sku_of(tape, segment, 8),
    )
    number = line_number(tape, line, facts[LINES], facts[NUMBER_BEFORE])
    if number < 0 or reason < 0 or sku < 0:
        return False
    if is_composite(tape, page, segment, 4) or is_composite(tape, page, segment, 5):
        return False
    facts[NUMBER_BEFORE] = number
    kind = code(tape, reason)
    is_deleted = is_in(_DELETES, kind)
    reference = reference_view(page, segment)
    row = add_row(page, _FAMILY)
    set_word(page, row, TYPE, CANCELLED if is_deleted else CHANGED)
    set_text(page, row, REF, reference)
    set_text(page, row, ORDER_ID, order)
    set_line(page, row, LINE, tape, line, facts[LINES])
    set_word(page, row, CUSTOMER_ID, PARTNER)
    set_span(page, row, SKU, tape, sku)
    set_word(page, row, CLOCK, ZONE)
    set_word(page, row, ACTOR, CUSTOMER)
    set_span(page, row, REASON, tape, reason)
    if is_deleted:
        _write_nothing_else(tape, header, page, row)
        return True
    return _write_change(tape, header, segment, page, row, kind)


@kernel
def _write_nothing_else(tape: Tape, header: int, page: Page, row: int) -> None:
    """Fill the cells of a line that is deleted."""
    begin = open_object(page)
    _add_facts(tape, header, page)
    set_text(page, row, ATTRIBUTES, close_object(page, begin))
    for column in (ORDER_TYPE, MONEY, UOM, PLACE_ID, REGION, COUNTRY, POSTAL):
        set_text(page, row, column, (0, 0))
    for column in range(EVENT_AT, CANCEL_AFTER + 1):
        page.rows[row, column] = NULL
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
    for column in (QUANTITY, PACK, PRICE, DIFFERENCE):
        page.rows[row, column] = NULL


@kernel
def _write_change(tape: Tape, header: int, segment: int, page: Page, row: int, kind: int) -> bool:
    """Fill the cells of a line that is changed; False if it is not regular."""
    facts, uom = page.notes[FACTS], element(tape, segment, 5)
    factor = unit_factor(tape, uom, facts[PACK_SIZE])
    price_each = price(tape, element(tape, segment, 6), price_divisor(tape, element(tape, segment, 7), factor))
    total, difference = _change_of(tape, segment, page, kind, factor)
    if ODD in (price_each, total):
        return False
    if text(tape, header, 2):
        set_word(page, row, ORDER_TYPE, DRAFT if is_in(BLANKET, code(tape, element(tape, header, 2))) else STANDARD)
    else:
        set_text(page, row, ORDER_TYPE, (0, 0))
    set_span(page, row, MONEY, tape, facts[OWN_CURRENCY])
    set_span(page, row, UOM, tape, uom)
    begin = open_object(page)
    _add_facts(tape, header, page)
    add_field(page, _PO_DATE, tape, element(tape, header, 6))
    add_product_ids(page, tape, segment, 8)
    add_field(page, _LEFT, tape, element(tape, segment, 4))
    if factor == 0:
        add_true(page, _UNCONVERTED)
    set_text(page, row, ATTRIBUTES, close_object(page, begin))
    write_place(tape, page, row)
    write_dates(page, row, page.state[SENT_AT])
    page.rows[row, QUANTITY] = total
    page.rows[row, PACK] = facts[PACK_SIZE] * 1000 if facts[PACK_SIZE] else NULL
    page.rows[row, PRICE] = price_each
    page.rows[row, DIFFERENCE] = difference
    return True
