"""810 in kernels: see `edi.documents.invoice`, which says what it means."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.bulk.compiled import Array, kernel
from pipelines.sources.edi.bulk.layouts import CURRENCY, FINANCE, PARTNER
from pipelines.sources.edi.bulk.page import (
    NULL,
    SENT_AT,
    Page,
    add_field,
    add_row,
    add_true,
    close_object,
    emit_byte,
    emit_literal,
    emit_whole,
    end_field,
    key,
    literal,
    open_object,
    order_view,
    reference_view,
    set_span,
    set_text,
    set_word,
    span_view,
)
from pipelines.sources.edi.bulk.tape import Tape, code, element, stripped, unpadded, whole_number, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    add_product_ids,
    day_of,
    decimal,
    instant,
    line_number,
    midnight,
    pack_size,
    price,
    price_divisor,
    quantity,
    rounded,
    set_line,
    sku_of,
    unit_factor,
)

REF, DOCUMENT_ID, ORDER_ID, LINE, SKU, CUSTOMER_ID, MONEY, ATTRIBUTES = FINANCE.text_cells
EVENT_AT, DUE_AT = FINANCE.instant_cells
QUANTITY, PRICE, AMOUNT = FINANCE.number_cells

_FAMILY: Final = FINANCE.number
_BIG, _IT1, _PO4, _TDS = word("BIG"), word("IT1"), word("PO4"), word("TDS")
_ITD, _CUR, _SAC = word("ITD"), word("CUR"), word("SAC")
_ALLOWANCE, _CHARGE = word("A"), word("C")
_CREDITS: Final = (word("CR"), word("CN"))
_CENT: Final = 100
"""Ten-thousandths in a cent."""

_MOST: Final = 1_000_000_000
"""Factors up to this may be multiplied."""

_FACTS: Final = 0
"""Row of the notes."""

_TOTAL, _TERMS, _OWN_CURRENCY, _PACK, _LINES, _NUMBER_BEFORE, _ALLOWANCES, _CHARGES = range(8)
_INVOICE_DATE, _PO_DATE, _RELEASE, _TYPE = key("invoice_date"), key("po_date"), key("release"), key("type")
_ALLOWANCES_KEY, _CHARGES_KEY, _UOM = key("allowances"), key("charges"), key("uom")
_UNCONVERTED: Final = literal('"is_unconverted":')


@kernel
def read_invoice(tape: Tape, first: int, last: int, page: Page) -> tuple[int, int]:
    """Write an 810 and return the spans of its number and its order's; `ODD` for both if it is not regular."""
    header, facts = first + 1, page.notes[_FACTS]
    number, order_number = stripped(tape, element(tape, header, 2)), stripped(tape, element(tape, header, 4))
    if tape.names[header] != _BIG or not number or not order_number:
        return ODD, ODD
    facts[:16] = 0
    facts[_NUMBER_BEFORE] = -1
    sign = -1 if code(tape, element(tape, header, 7)) in _CREDITS else 1
    order, document = order_view(page, tape, order_number), span_view(page, tape, number)
    total_row = add_row(page, _FAMILY)
    line = -1
    for segment in range(header + 1, last):
        if tape.names[segment] == _IT1:
            if line >= 0 and not _write_line(tape, line, page, order, document, sign):
                return ODD, ODD
            line = segment
            facts[_LINES] += 1
            facts[_PACK] = 0
        elif not _note(tape, segment, page, line >= 0):
            return ODD, ODD
    if line >= 0 and not _write_line(tape, line, page, order, document, sign):
        return ODD, ODD
    if not _write_total(tape, header, page, total_row, order, document, sign):
        return ODD, ODD
    return number, order_number


@kernel
def _note(tape: Tape, segment: int, page: Page, in_line: bool) -> bool:  # noqa: FBT001 - numba
    facts, name = page.notes[_FACTS], tape.names[segment]
    if name == _SAC:
        return _note_charge(tape, segment, page)
    if name == _PO4 and in_line:
        facts[_PACK] = pack_size(tape, segment)
    elif name == _TDS:
        facts[_TOTAL] = segment
    elif name == _ITD and not facts[_TERMS]:
        facts[_TERMS] = segment
    elif name == _CUR and element(tape, segment, 2):
        facts[_OWN_CURRENCY] = element(tape, segment, 2)
        return not in_line
    return bool(facts[_PACK] >= 0)


@kernel
def _note_charge(tape: Tape, segment: int, page: Page) -> bool:
    facts, kind, amount = page.notes[_FACTS], code(tape, element(tape, segment, 1)), element(tape, segment, 5)
    if kind not in (_ALLOWANCE, _CHARGE) or not amount:
        return True
    cents = whole_number(tape, amount, 12)
    facts[_ALLOWANCES if kind == _ALLOWANCE else _CHARGES] += cents
    return cents >= 0


@kernel
def _write_total(
    tape: Tape,
    header: int,
    page: Page,
    row: int,
    order: tuple[int, int],
    document: tuple[int, int],
    sign: int,
) -> bool:
    """Fill the row that stands for the whole invoice."""
    facts = page.notes[_FACTS]
    if not facts[_TOTAL]:
        return False
    cents = whole_number(tape, element(tape, facts[_TOTAL], 1), 12)
    due_at = _due_at(tape, header, page)
    if cents < 0 or due_at == ODD:
        return False
    reference = reference_view(page, facts[_TOTAL])
    begin = open_object(page)
    add_field(page, _INVOICE_DATE, tape, element(tape, header, 1))
    add_field(page, _PO_DATE, tape, element(tape, header, 3))
    add_field(page, _RELEASE, tape, element(tape, header, 5))
    add_field(page, _TYPE, tape, element(tape, header, 7))
    _add_cents(page, _ALLOWANCES_KEY, facts[_ALLOWANCES])
    _add_cents(page, _CHARGES_KEY, facts[_CHARGES])
    attributes = close_object(page, begin)
    _write(tape, page, row, reference, order, document, attributes)
    set_text(page, row, LINE, (0, 0))
    set_text(page, row, SKU, (0, 0))
    page.rows[row, DUE_AT] = due_at
    page.rows[row, QUANTITY] = NULL
    page.rows[row, PRICE] = NULL
    page.rows[row, AMOUNT] = cents * _CENT * sign
    return True


@kernel
def _add_cents(page: Page, name: Array, cents: int) -> None:
    if cents:
        emit_literal(page, name)
        emit_whole(page, cents // 100)
        emit_byte(page, ord("."))
        emit_whole(page, cents // 10 % 10)
        emit_whole(page, cents % 10)
        end_field(page)


@kernel
def _due_at(tape: Tape, header: int, page: Page) -> int:
    terms = page.notes[_FACTS, _TERMS]
    if not terms:
        return NULL
    if element(tape, terms, 6):
        return instant(page, tape, element(tape, terms, 6), 0, True)  # noqa: FBT003 - numba
    if not element(tape, terms, 7):
        return NULL
    days, issued = whole_number(tape, element(tape, terms, 7), 3), day_of(tape, element(tape, header, 1))
    if days < 0 or issued < 0:
        return ODD
    return midnight(page, issued + days + 1)


@kernel
def _write_line(
    tape: Tape,
    segment: int,
    page: Page,
    order: tuple[int, int],
    document: tuple[int, int],
    sign: int,
) -> bool:
    """Write a line; False if it is not regular."""
    facts = page.notes[_FACTS]
    line = unpadded(tape, element(tape, segment, 1))
    number = line_number(tape, line, facts[_LINES], facts[_NUMBER_BEFORE])
    uom, sku = element(tape, segment, 3), sku_of(tape, segment, 6)
    factor = unit_factor(tape, uom, facts[_PACK])
    divisor = price_divisor(tape, element(tape, segment, 5), factor)
    each = quantity(tape, element(tape, segment, 2), factor)
    price_each = price(tape, element(tape, segment, 4), divisor)
    if number < 0 or sku < 0 or ODD in (each, price_each):
        return False
    facts[_NUMBER_BEFORE] = number
    amount = _amount(tape, each, element(tape, segment, 4), divisor)
    if amount == ODD:
        return False
    reference = reference_view(page, segment)
    begin = open_object(page)
    add_field(page, _UOM, tape, uom)
    add_product_ids(page, tape, segment, 6)
    if factor == 0:
        add_true(page, _UNCONVERTED)
    attributes = close_object(page, begin)
    row = add_row(page, _FAMILY)
    _write(tape, page, row, reference, order, document, attributes)
    set_line(page, row, LINE, tape, line, facts[_LINES])
    set_span(page, row, SKU, tape, sku)
    page.rows[row, DUE_AT] = NULL
    page.rows[row, QUANTITY] = each
    page.rows[row, PRICE] = price_each
    page.rows[row, AMOUNT] = amount if amount == NULL else amount * sign
    return True


@kernel
def _amount(tape: Tape, each: int, price_span: int, divisor: int) -> int:
    """Return quantity times price in ten-thousandths; a quotient that ends in a tie depends on how it was rounded."""
    if each == NULL or not price_span:
        return NULL
    price_stated = decimal(tape, price_span)
    if each > _MOST or price_stated > _MOST:
        return ODD
    product = each * price_stated
    if divisor > 1 and 2 * (product % (1000 * divisor)) == 1000 * divisor:
        return ODD
    return rounded(product, 1000 * divisor)


@kernel
def _write(
    tape: Tape,
    page: Page,
    row: int,
    reference: tuple[int, int],
    order: tuple[int, int],
    document: tuple[int, int],
    attributes: tuple[int, int],
) -> None:
    """Fill the cells that line and total have in common."""
    facts = page.notes[_FACTS]
    set_text(page, row, REF, reference)
    set_text(page, row, DOCUMENT_ID, document)
    set_text(page, row, ORDER_ID, order)
    set_word(page, row, CUSTOMER_ID, PARTNER)
    if facts[_OWN_CURRENCY]:
        set_span(page, row, MONEY, tape, facts[_OWN_CURRENCY])
    else:
        set_word(page, row, MONEY, CURRENCY)
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
