"""846 in kernels: see `edi.documents.inventory_advice`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, kernel
from pipelines.sources.edi.bulk.layouts import DATE, INSTANT, PARTNER, STOCK
from pipelines.sources.edi.bulk.page import (
    LISTS_ALL,
    NULL,
    SENT_AT,
    Page,
    add_field,
    add_pair,
    add_row,
    add_true,
    close_inner,
    close_object,
    emit_literal,
    key,
    literal,
    open_object,
    reference_view,
    set_span,
    set_text,
    set_word,
)
from pipelines.sources.edi.bulk.references import REFERENCE_SEGMENTS, add_references, note_reference, picked
from pipelines.sources.edi.bulk.tape import Tape, code, element, element_count, is_in, stripped, text, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    add_product_ids,
    counts,
    instant,
    is_canonical,
    is_composite,
    pack_size,
    plain_code,
    quantity,
    sku_of,
    unit_factor,
)
from pipelines.sources.edi.documents.inventory_advice import (
    AS_OF,
    AVAILABLE,
    EXPIRIES,
    LOTS,
    NODE_PARTIES,
    ON_HAND,
    ON_HOLD,
    REFUSED,
    RESERVED,
)

QUALITY, REF, SKU, NODE, LOT, ATTRIBUTES = STOCK.text_cells
EVENT_AT, OBSERVED_AT = STOCK.instant_cells
ON_HAND_CELL, RESERVED_CELL, HELD_CELL = STOCK.number_cells

_FAMILY: Final = STOCK.number
_BIA, _LIN, _QTY, _CTT, _SE = word("BIA"), word("LIN"), word("QTY"), word("CTT"), word("SE")
_DTM, _N1, _PO4, _UIT = word("DTM"), word("N1"), word("PO4"), word("UIT")
_LOT_ID: Final = word("LT")
_REFUSED: Final = np.array([word(name) for name in sorted(REFUSED)])
_PARTIES: Final = np.array([word(name) for name in NODE_PARTIES])
_AS_OF: Final = np.array([word(name) for name in AS_OF])
_EXPIRIES: Final = np.array([word(name) for name in sorted(EXPIRIES)])
_LOTS: Final = np.array([word(name) for name in LOTS])
_ON_HAND: Final = np.array([word(name) for name in ON_HAND])
_AVAILABLE: Final = np.array([word(name) for name in AVAILABLE])
_RESERVED: Final = np.array([word(name) for name in RESERVED])
_HELD: Final = np.array([word(name) for name in ON_HOLD])

_FACTS, _NODES, _STAMPS, _REFERENCES, _COUNTS = range(5)
"""Rows of the notes: see the next line; parties by kind; stamps by kind; references and QTYs of the item."""

_ITEM_AT, _PACK, _QTY_COUNT, _ITEMS, _WHEN, _QUALITY, _NODE = range(7)
_MOST_COUNTS: Final = 32
_PURPOSE, _REPORT, _UOM = key("purpose"), key("report"), key("uom")
_ALL, _CHANGED = literal('"scope":"full",'), literal('"scope":"changes",')
_QUANTITIES, _REFERENCES_KEY = literal('"quantities":{'), literal('"references":{')
_UNCONVERTED: Final = literal('"is_unconverted":')


@kernel
def read_inventory_advice(tape: Tape, first: int, last: int, page: Page) -> tuple[int, tuple[int, int]]:
    """Write the items of an 846 and return the span of its number and its attributes; `ODD` if it is not regular."""
    header, nothing = first + 1, (0, 0)
    purpose, report = plain_code(tape, header, 1), plain_code(tape, header, 2)
    is_odd = tape.names[header] != _BIA or purpose < 0 or report < 0
    if is_odd or is_in(_REFUSED, code(tape, purpose)):
        return ODD, nothing
    begin = _read_head(tape, header, last, page)
    if begin < 0 or not _read_items(tape, begin, last, page):
        return ODD, nothing
    opened = open_object(page)
    add_field(page, _PURPOSE, tape, purpose)
    add_field(page, _REPORT, tape, report)
    return text(tape, header, 3), close_object(page, opened)


@kernel
def _read_head(tape: Tape, header: int, last: int, page: Page) -> int:
    """Take node and date and return the first item; `ODD` if there is none or the head is not regular."""
    notes = page.notes
    notes[_FACTS, :8] = 0
    notes[_NODES, : len(_PARTIES)] = notes[_STAMPS, : len(_AS_OF)] = 0
    for segment in range(header + 1, last):
        name = tape.names[segment]
        if name == _LIN:
            return segment if _conclude_head(tape, header, page) else ODD
        if name in (_CTT, _SE):
            return ODD
        if name in (_N1, _DTM):
            kind = plain_code(tape, segment, 1)
            if kind < 0:
                return ODD
            if name == _N1:
                _note(notes[_NODES], _PARTIES, code(tape, kind), text(tape, segment, 4) or text(tape, segment, 2))
            else:
                _note(notes[_STAMPS], _AS_OF, code(tape, kind), segment)
    return ODD


@kernel
def _note(row: Array, kinds: Array, kind: int, value: int) -> None:
    for i in range(len(kinds)):
        if kinds[i] == kind:
            row[i] = value


@kernel
def _conclude_head(tape: Tape, header: int, page: Page) -> bool:
    """Work out node and moment; False where the moment is not regular."""
    facts, nodes, stamps = page.notes[_FACTS], page.notes[_NODES], page.notes[_STAMPS]
    for i in range(len(_PARTIES)):
        facts[_NODE] = facts[_NODE] or nodes[i]
    date, time = text(tape, header, 4), text(tape, header, 5)
    for i in range(len(_AS_OF) - 1, -1, -1):
        if stamps[i]:
            date, time = text(tape, stamps[i], 2), text(tape, stamps[i], 3)
            if not date or element(tape, stamps[i], 4):
                return False
    facts[_WHEN], facts[_QUALITY] = page.state[SENT_AT], INSTANT
    if date:
        facts[_WHEN] = instant(page, tape, date, time, False)  # noqa: FBT003 - numba
        facts[_QUALITY] = INSTANT if time else DATE
    return bool(facts[_WHEN] >= 0)


@kernel
def _read_items(tape: Tape, begin: int, last: int, page: Page) -> bool:
    """Write all items; False if one is not regular or they are not as many as stated."""
    _begin_item(begin, page)
    for segment in range(begin + 1, last):
        name = tape.names[segment]
        if name == _CTT or segment == last - 1:
            stated = text(tape, segment, 1) if name == _CTT else 0
            return _write_item(tape, page) and counts(tape, stated, page.notes[_FACTS, _ITEMS])
        if name == _LIN:
            if not _write_item(tape, page):
                return False
            _begin_item(segment, page)
        elif name == _SE or not _note_item(tape, segment, page):
            return False
    return False


@kernel
def _begin_item(segment: int, page: Page) -> None:
    facts = page.notes[_FACTS]
    facts[_ITEM_AT] = segment
    facts[_PACK] = facts[_QTY_COUNT] = 0
    facts[_ITEMS] += 1
    page.notes[_REFERENCES, 0] = 0


@kernel
def _note_item(tape: Tape, segment: int, page: Page) -> bool:
    """Take what a segment says about the item; False if it is not regular."""
    facts, name = page.notes[_FACTS], tape.names[segment]
    if name == _QTY:
        return _note_quantity(tape, segment, page)
    if name == _PO4:
        facts[_PACK] = pack_size(tape, segment)
        return bool(facts[_PACK] >= 0)
    if name in (_N1, _DTM):  # another node and the date of expiry are for the row-wise reader
        kind = plain_code(tape, segment, 1)
        return kind >= 0 and not is_in(_PARTIES if name == _N1 else _EXPIRIES, code(tape, kind))
    if is_in(REFERENCE_SEGMENTS, name):
        return note_reference(tape, segment, page.notes[_REFERENCES]) >= 0
    return bool(name != _UIT)


@kernel
def _note_quantity(tape: Tape, segment: int, page: Page) -> bool:
    """Note a QTY; False if there is one of its kind or it is not regular."""
    facts, row = page.notes[_FACTS], page.notes[_COUNTS]
    count, kind = facts[_QTY_COUNT], plain_code(tape, segment, 1)
    is_plain = is_canonical(tape, text(tape, segment, 2)) and not is_composite(tape, page, segment, 3)
    if kind <= 0 or not is_plain or plain_code(tape, segment, 3) < 0 or count >= _MOST_COUNTS:
        return False
    for i in range(count):
        if code(tape, plain_code(tape, row[i], 1)) == code(tape, kind):
            return False
    row[count] = segment
    facts[_QTY_COUNT] = count + 1
    return True


@kernel
def _told(tape: Tape, page: Page, kinds: Array) -> int:
    """Return the quantity of the first kind that is there in thousandths of an each; `NULL` if none is."""
    for kind in kinds:
        amount = _told_of(tape, page, kind)
        if amount != NULL:
            return amount
    return NULL


@kernel
def _told_of(tape: Tape, page: Page, kind: int) -> int:
    for i in range(page.notes[_FACTS, _QTY_COUNT]):
        segment = page.notes[_COUNTS, i]
        if code(tape, plain_code(tape, segment, 1)) == kind:
            return quantity(tape, text(tape, segment, 2), _factor(tape, page, segment))
    return NULL


@kernel
def _factor(tape: Tape, page: Page, segment: int) -> int:
    return unit_factor(tape, plain_code(tape, segment, 3), page.notes[_FACTS, _PACK])


@kernel
def _held(tape: Tape, page: Page) -> int:
    """Return the sum of all quantities on hold; `NULL` if none is told."""
    total = NULL
    for kind in _HELD:
        amount = _told_of(tape, page, kind)
        if amount == ODD:
            return ODD
        if amount != NULL:
            total = amount if total == NULL else total + amount
    return total


@kernel
def _write_item(tape: Tape, page: Page) -> bool:
    """Write an item; False if it is not regular or tells no stock."""
    facts = page.notes[_FACTS]
    segment, sku = facts[_ITEM_AT], sku_of(tape, facts[_ITEM_AT], 2)
    on_hand, available = _told(tape, page, _ON_HAND), _told(tape, page, _AVAILABLE)
    reserved, held = _told(tape, page, _RESERVED), _held(tape, page)
    if sku <= 0 or ODD in (on_hand, available, reserved, held) or (on_hand == NULL and available == NULL):
        return False
    if on_hand == NULL:
        on_hand = available + max(reserved, 0) + max(held, 0)
    elif reserved == NULL and available != NULL:
        reserved = max(on_hand - available - max(held, 0), 0)
    reference = reference_view(page, segment)
    attributes = _attributes(tape, page, segment)
    row = add_row(page, _FAMILY)
    set_word(page, row, QUALITY, facts[_QUALITY])
    set_text(page, row, REF, reference)
    set_span(page, row, SKU, tape, sku)
    if facts[_NODE]:
        set_span(page, row, NODE, tape, facts[_NODE])
    else:
        set_word(page, row, NODE, PARTNER)
    set_span(page, row, LOT, tape, _lot(tape, page, segment))
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, EVENT_AT] = facts[_WHEN]
    page.rows[row, OBSERVED_AT] = page.state[SENT_AT]
    page.rows[row, ON_HAND_CELL] = on_hand
    page.rows[row, RESERVED_CELL] = reserved
    page.rows[row, HELD_CELL] = held
    return True


@kernel
def _lot(tape: Tape, page: Page, segment: int) -> int:
    """Return the span of the lot: among the product ids, else a reference."""
    for i in range(2, element_count(tape, segment) - 1, 2):
        if code(tape, element(tape, segment, i)) == _LOT_ID and element(tape, segment, i + 1):
            return stripped(tape, element(tape, segment, i + 1))
    return picked(tape, page.notes[_REFERENCES], _LOTS)


@kernel
def _attributes(tape: Tape, page: Page, segment: int) -> tuple[int, int]:
    facts, row = page.notes[_FACTS], page.notes[_COUNTS]
    is_unconverted = False
    begin = open_object(page)
    add_product_ids(page, tape, segment, 2)
    emit_literal(page, _QUANTITIES)
    for i in range(facts[_QTY_COUNT]):
        add_pair(page, tape, plain_code(tape, row[i], 1), text(tape, row[i], 2))
        is_unconverted = is_unconverted or _factor(tape, page, row[i]) == 0
    close_inner(page)
    add_field(page, _UOM, tape, plain_code(tape, row[0], 3))
    if page.state[LISTS_ALL]:
        emit_literal(page, _ALL)
    else:
        emit_literal(page, _CHANGED)
    if is_unconverted:
        add_true(page, _UNCONVERTED)
    add_references(page, _REFERENCES_KEY, tape, page.notes[_REFERENCES])
    return close_object(page, begin)
