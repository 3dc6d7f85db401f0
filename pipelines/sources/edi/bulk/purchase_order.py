"""850 in kernels: see `edi.documents.purchase_order`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.layouts import (
    CAPTURED,
    CHANGED,
    CURRENCY,
    CUSTOMER,
    DRAFT,
    ORDER,
    PARTNER,
    STANDARD,
    ZONE,
)
from pipelines.sources.edi.bulk.page import (
    NULL,
    SENT_AT,
    TOP,
    Page,
    add_field,
    add_pair,
    add_row,
    add_true,
    close_inner,
    close_object,
    emit,
    emit_literal,
    key,
    literal,
    open_object,
    order_view,
    reference_view,
    set_span,
    set_text,
    set_word,
)
from pipelines.sources.edi.bulk.places import AT_ID, AT_POSTAL, AT_REGION, AT_SET, country_view, locate
from pipelines.sources.edi.bulk.tape import LONGEST, Tape, code, element, is_in, same, stripped, text, unpadded, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    add_product_ids,
    counts,
    line_number,
    pack_size,
    price,
    price_divisor,
    quantity,
    set_line,
    sku_of,
    stamp,
    unit_factor,
)
from pipelines.sources.edi.documents.purchase_order import INCOTERMS

(
    TYPE,
    REF,
    ORDER_ID,
    LINE,
    CUSTOMER_ID,
    ORDER_TYPE,
    MONEY,
    SKU,
    UOM,
    PLACE_ID,
    REGION,
    COUNTRY,
    POSTAL,
    CLOCK,
    ACTOR,
    REASON,
    ATTRIBUTES,
) = ORDER.text_cells
EVENT_AT, REQUESTED, PROMISE, WINDOW_START, WINDOW_END, SHIP_START, SHIP_BY, CANCEL_AFTER = ORDER.instant_cells
QUANTITY, PACK, PRICE = ORDER.number_cells

_FAMILY: Final = ORDER.number
_BEG, _PO1, _PO4 = word("BEG"), word("PO1"), word("PO4")
_DTM, _N1, _N4, _REF, _CUR, _TD5 = word("DTM"), word("N1"), word("N4"), word("REF"), word("CUR"), word("TD5")
_FOB, _INCOTERMS, _INCOTERM_LENGTH = word("FOB"), word(INCOTERMS), 3
_CTT, _SDQ, _SCH, _SHIP_TO = word("CTT"), word("SDQ"), word("SCH"), word("ST")
_ORIGINALS: Final = np.array([0, word("00"), word("06"), word("15"), word("18")])
_REPLACEMENT: Final = word("05")
BLANKET: Final = np.array([word("BK"), word("BL")])
_DATES: Final = np.array([word(name) for name in ("002", "063", "001", "061", "038", "010", "064", "037")])
_ENDS: Final = 6
"""The first of `_DATES` are deadlines, the others starts."""

_HEADER_DATES, _LINE_DATES, _HEADER_PLACE, _LINE_PLACE, FACTS, _REFERENCES = range(6)
"""Rows of the notes."""

(
    _ROUTING,
    OWN_CURRENCY,
    _TOTAL,
    _REFERENCE_COUNT,
    PACK_SIZE,
    LINES,
    NUMBER_BEFORE,
    _IN_PLACE,
    _SHARED_AT,
    _SHARED_SIZE,
    _INCOTERM,
) = range(11)
_MOST_REFERENCES: Final = 32

_PO_DATE, _PURPOSE, _KIND, _RELEASE = key("po_date"), key("purpose"), key("order_kind"), key("release")
_INCOTERM_KEY = key("incoterm")
_ROUTING_KEY, _REFERENCES_KEY = key("routing"), literal('"references":{')
_IS_UNCONVERTED: Final = literal('"is_unconverted":')


@kernel
def read_purchase_order(tape: Tape, first: int, last: int, page: Page) -> int:
    """Write the lines of an 850 and return the span of its number; `ODD` if it is not regular."""
    header = first + 1
    number = stripped(tape, element(tape, header, 3))
    purpose = code(tape, element(tape, header, 1))
    is_replacement = purpose == _REPLACEMENT
    if tape.names[header] != _BEG or not number or not (is_replacement or is_in(_ORIGINALS, purpose)):
        return ODD
    notes = page.notes
    begin_order(page)
    order = order_view(page, tape, number)
    line = -1
    for segment in range(header + 1, last):
        if tape.names[segment] == _PO1:
            if line >= 0 and not _write_line(tape, header, line, page, order, is_replacement):
                return ODD
            line = segment
            begin_line(page)
        elif not note_order(tape, segment, page, line >= 0):
            return ODD
    if line >= 0 and not _write_line(tape, header, line, page, order, is_replacement):
        return ODD
    return number if line >= 0 and counts(tape, notes[FACTS, _TOTAL], notes[FACTS, LINES]) else ODD


@kernel
def begin_order(page: Page) -> None:
    """Clear the notes."""
    notes = page.notes
    notes[: _REFERENCES + 1, :16] = 0
    notes[_HEADER_DATES, :8] = NULL
    notes[FACTS, NUMBER_BEFORE] = -1


@kernel
def begin_line(page: Page) -> None:
    """Clear the notes of a line."""
    notes = page.notes
    notes[_LINE_DATES, :8] = NULL
    notes[_LINE_PLACE, :6] = 0
    notes[FACTS, PACK_SIZE] = 0
    notes[FACTS, _IN_PLACE] = 0
    notes[FACTS, LINES] += 1


@kernel
def note_order(tape: Tape, segment: int, page: Page, in_line: bool) -> bool:  # noqa: FBT001 - numba
    """Take what a segment says; False if it is not regular."""
    notes, name = page.notes, tape.names[segment]
    if name == _DTM:
        return _note_date(tape, segment, page, _LINE_DATES if in_line else _HEADER_DATES)
    if name == _N1:
        return _note_party(tape, segment, page, _LINE_PLACE if in_line else _HEADER_PLACE)
    if name == _N4:
        return _note_location(tape, segment, page)
    if name == _CTT:
        notes[FACTS, _TOTAL] = element(tape, segment, 1)
        return True
    if in_line:
        if name == _PO4:
            notes[FACTS, PACK_SIZE] = pack_size(tape, segment)
        return bool(name not in (_SDQ, _SCH) and notes[FACTS, PACK_SIZE] >= 0)
    return _note_header(tape, segment, page)


@kernel
def _note_header(tape: Tape, segment: int, page: Page) -> bool:
    facts, name = page.notes[FACTS], tape.names[segment]
    if name == _REF and element(tape, segment, 1):
        return _note_reference(tape, segment, page)
    if name == _CUR and element(tape, segment, 2):
        facts[OWN_CURRENCY] = element(tape, segment, 2)
    elif name == _TD5 and not facts[_ROUTING]:
        facts[_ROUTING] = element(tape, segment, 5) or element(tape, segment, 3)
    elif name == _FOB and not facts[_INCOTERM]:
        facts[_INCOTERM] = _incoterm(tape, segment)
    return True


@kernel
def _incoterm(tape: Tape, segment: int) -> int:
    """Return the span of a FOB's incoterm, empty where it names none."""
    qualifier, terms = element(tape, segment, 4), text(tape, segment, 5)
    is_incoterm = not qualifier or code(tape, qualifier) == _INCOTERMS
    return terms if is_incoterm and terms % LONGEST == _INCOTERM_LENGTH else 0


@kernel
def _note_reference(tape: Tape, segment: int, page: Page) -> bool:
    facts, references = page.notes[FACTS], page.notes[_REFERENCES]
    count = facts[_REFERENCE_COUNT]
    if count >= _MOST_REFERENCES:
        return False
    for i in range(count):
        if same(tape, element(tape, references[i], 1), element(tape, segment, 1)):
            return False
    references[count] = segment
    facts[_REFERENCE_COUNT] = count + 1
    return True


@kernel
def _note_date(tape: Tape, segment: int, page: Page, level: int) -> bool:
    kind = code(tape, element(tape, segment, 1))
    slot = -1
    for i in range(len(_DATES)):
        if _DATES[i] == kind:
            slot = i
    moment = stamp(page, tape, segment, slot < _ENDS)
    if moment < 0:
        return False
    if slot >= 0:
        page.notes[level, slot] = moment
    return True


@kernel
def _note_party(tape: Tape, segment: int, page: Page, level: int) -> bool:
    notes = page.notes
    if code(tape, element(tape, segment, 1)) != _SHIP_TO:
        notes[FACTS, _IN_PLACE] = 0
        return True
    notes[FACTS, _IN_PLACE] = level
    notes[level, :6] = 0
    notes[level, AT_SET] = 1
    notes[level, AT_ID] = stripped(tape, element(tape, segment, 4))
    return True


@kernel
def _note_location(tape: Tape, segment: int, page: Page) -> bool:
    level = page.notes[FACTS, _IN_PLACE]
    return locate(tape, segment, page.notes[level]) if level else True


@kernel
def _write_line(
    tape: Tape,
    header: int,
    segment: int,
    page: Page,
    order: tuple[int, int],
    is_replacement: bool,  # noqa: FBT001 - numba
) -> bool:
    """Write a line's event, or both events of a replacement; False if the line is not regular."""
    facts = page.notes[FACTS]
    line, count = unpadded(tape, element(tape, segment, 1)), facts[LINES]
    number = line_number(tape, line, count, facts[NUMBER_BEFORE])
    uom = element(tape, segment, 3)
    factor = unit_factor(tape, uom, facts[PACK_SIZE])
    ordered = quantity(tape, element(tape, segment, 2), factor)
    price_each = price(tape, element(tape, segment, 4), price_divisor(tape, element(tape, segment, 5), factor))
    sku = sku_of(tape, segment, 6)
    if number < 0 or ordered < 0 or price_each == ODD or sku < 0:
        return False
    facts[NUMBER_BEFORE] = number
    reference = reference_view(page, segment)
    attributes = _attributes(tape, header, segment, page, factor)
    kind = code(tape, element(tape, header, 2))
    for event in range(2 if is_replacement else 1):
        row = add_row(page, _FAMILY)
        set_word(page, row, TYPE, CHANGED if event else CAPTURED)
        set_text(page, row, REF, reference)
        set_text(page, row, ORDER_ID, order)
        set_line(page, row, LINE, tape, line, count)
        set_word(page, row, CUSTOMER_ID, PARTNER)
        set_word(page, row, ORDER_TYPE, DRAFT if is_in(BLANKET, kind) else STANDARD)
        if facts[OWN_CURRENCY]:
            set_span(page, row, MONEY, tape, facts[OWN_CURRENCY])
        else:
            set_word(page, row, MONEY, CURRENCY)
        set_span(page, row, SKU, tape, sku)
        set_span(page, row, UOM, tape, uom)
        set_word(page, row, CLOCK, ZONE)
        if event:
            set_word(page, row, ACTOR, CUSTOMER)
        else:
            set_text(page, row, ACTOR, (0, 0))
        set_text(page, row, REASON, (0, 0))
        set_text(page, row, ATTRIBUTES, attributes)
        write_place(tape, page, row)
        write_dates(page, row, page.state[SENT_AT])
        page.rows[row, QUANTITY] = ordered
        page.rows[row, PACK] = facts[PACK_SIZE] * 1000 if facts[PACK_SIZE] else NULL
        page.rows[row, PRICE] = price_each
    return True


@kernel
def write_place(tape: Tape, page: Page, row: int) -> None:
    """Fill the ship-to: the line's own, else the order's."""
    place = page.notes[_LINE_PLACE if page.notes[_LINE_PLACE, AT_SET] else _HEADER_PLACE]
    set_span(page, row, PLACE_ID, tape, place[AT_ID])
    set_span(page, row, REGION, tape, place[AT_REGION])
    set_span(page, row, POSTAL, tape, place[AT_POSTAL])
    set_text(page, row, COUNTRY, country_view(tape, page, place))


@kernel
def write_dates(page: Page, row: int, sent_at: int) -> None:
    """Fill the instants."""
    page.rows[row, EVENT_AT] = sent_at
    page.rows[row, PROMISE] = NULL
    page.rows[row, REQUESTED] = _date(page, 0, 1)
    page.rows[row, WINDOW_END] = _date(page, 1, 1)
    page.rows[row, CANCEL_AFTER] = _date(page, 2, 3)
    page.rows[row, SHIP_BY] = _date(page, 4, 5)
    page.rows[row, WINDOW_START] = _date(page, 6, 6)
    page.rows[row, SHIP_START] = _date(page, 7, 7)


@kernel
def _date(page: Page, slot: int, fallback: int) -> int:
    """Return the date of a slot, a line's before the header's, else that of the slot to fall back on."""
    header, line = page.notes[_HEADER_DATES], page.notes[_LINE_DATES]
    for wanted in (slot, fallback):
        if line[wanted] != NULL:
            return int(line[wanted])
        if header[wanted] != NULL:
            return int(header[wanted])
    return NULL


@kernel
def _attributes(tape: Tape, header: int, segment: int, page: Page, factor: int) -> tuple[int, int]:
    """Return the JSON of a line; what all lines have in common is copied from the line before."""
    facts, state = page.notes[FACTS], page.state
    begin = open_object(page)
    if facts[_SHARED_SIZE]:
        emit(page, page.arena, facts[_SHARED_AT], facts[_SHARED_SIZE])
    else:
        _add_header(tape, header, page)
    end = state[TOP]
    add_product_ids(page, tape, segment, 6)
    if factor == 0:
        add_true(page, _IS_UNCONVERTED)
    is_followed = state[TOP] > end  # else its last byte becomes the closing brace
    attributes = close_object(page, begin)
    if is_followed and state[TOP] > end:  # else it is short and was taken out of the arena again
        facts[_SHARED_AT], facts[_SHARED_SIZE] = begin + 1, end - begin - 1
    return attributes


@kernel
def _add_header(tape: Tape, header: int, page: Page) -> None:
    facts, references = page.notes[FACTS], page.notes[_REFERENCES]
    add_field(page, _PO_DATE, tape, element(tape, header, 5))
    add_field(page, _PURPOSE, tape, element(tape, header, 1))
    add_field(page, _KIND, tape, element(tape, header, 2))
    add_field(page, _RELEASE, tape, element(tape, header, 4))
    if facts[_REFERENCE_COUNT]:
        emit_literal(page, _REFERENCES_KEY)
        for i in range(facts[_REFERENCE_COUNT]):
            add_pair(page, tape, element(tape, references[i], 1), element(tape, references[i], 2))
        close_inner(page)
    add_field(page, _ROUTING_KEY, tape, facts[_ROUTING])
    add_field(page, _INCOTERM_KEY, tape, facts[_INCOTERM])
