"""940 in kernels: see `edi.documents.warehouse_order`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.layouts import RELEASE
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
    reference_view,
    set_span,
    set_text,
    span_view,
)
from pipelines.sources.edi.bulk.places import AT_ID, AT_POSTAL, AT_REGION, country_view
from pipelines.sources.edi.bulk.references import add_references
from pipelines.sources.edi.bulk.tape import Tape, code, element, is_in, text, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    add_item_ids,
    decimal,
    item_sku,
    plain_code,
    quantity,
    unit_factor,
)
from pipelines.sources.edi.bulk.warehouse import (
    FACTS,
    HEAD_REFERENCES,
    LINE_AT,
    LINE_REFERENCES,
    LOOP_AT,
    OWN_FACTS,
    PACK_SIZE,
    ROUTING_AT,
    STAMPS,
    begin_loop,
    line_of,
    note_loop,
    party_row,
    read_head,
    set_node,
    stamp_at,
)
from pipelines.sources.edi.documents.warehouse_order import WITHDRAWN

REF, ORDER_ID, LINE, SKU, UOM, NODE, PLACE_ID, REGION, COUNTRY, POSTAL, ATTRIBUTES = RELEASE.text_cells
EVENT_AT, REQUESTED, *_ = RELEASE.instant_cells
QUANTITY, PACK = RELEASE.number_cells

_FAMILY: Final = RELEASE.number
_W05, _W01, _W66, _W76, _LX = word("W05"), word("W01"), word("W66"), word("W76"), word("LX")
_IRREGULAR: Final = np.array([word("G62"), word("N1"), word("SE")])
"""Segments that a loop may have for itself, but hardly ever has."""

_WITHDRAWN: Final = np.array([word(name) for name in sorted(WITHDRAWN)])
_DATES: Final = OWN_FACTS
"""Where the facts have the instants in the order of the columns."""

_UNITS: Final = 15
_SHIP_TO_ROLES: Final = 3
_SLOT_REQUESTED, _SLOT_WINDOW_END, _SLOT_SHIP_BY, _SLOT_CANCEL = ((0, 1, 2), (2, 2, 2), (5, 6, 6), (7, 7, 7))
_SLOT_WINDOW_START, _SLOT_SHIP_START = (3, 3, 3), (4, 4, 4)
"""Places in `warehouse.STAMP_CODES` of the dates that a column takes, the first one that is there."""

_STATUS, _PO_NUMBER, _DEPOSITOR, _ROUTING = key("status"), key("po_number"), key("depositor_order"), key("routing")
_REFERENCES, _LINE_REFERENCES = literal('"references":{'), literal('"line_references":{')
_LOOP, _UNCONVERTED = key("loop"), literal('"is_unconverted":')


@kernel
def read_warehouse_order(tape: Tape, first: int, last: int, page: Page) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Write the lines of a 940.

    Returns:
        The span of its order's number (`ODD` if it is not regular), the view of the order, its attributes.
    """
    header, nothing = first + 1, (0, 0)
    status, number = plain_code(tape, header, 1), text(tape, header, 2) or text(tape, header, 3)
    if tape.names[header] != _W05 or not number or status < 0 or is_in(_WITHDRAWN, code(tape, status)):
        return ODD, nothing, nothing
    begin = read_head(tape, header + 1, last, page, _W66, _W76)
    if begin < 0 or not _note_dates(tape, page):
        return ODD, nothing, nothing
    order = span_view(page, tape, number)
    page.notes[FACTS, _UNITS] = 0
    trailer = _read_loops(tape, header, begin, last, page, order)
    if trailer < 0:
        return ODD, nothing, nothing
    stated = element(tape, trailer, 1) if tape.names[trailer] == _W76 else 0
    if stated and decimal(tape, stated) != page.notes[FACTS, _UNITS]:
        return ODD, nothing, nothing
    opened = open_object(page)
    _add_facts(tape, header, page)
    return number, order, close_object(page, opened)


@kernel
def _read_loops(tape: Tape, header: int, begin: int, last: int, page: Page, order: tuple[int, int]) -> int:
    """Write the line of each loop and return the segment that ends them; `ODD` if one is not regular."""
    begin_loop(begin, page)
    for segment in range(begin + 1, last):
        name = tape.names[segment]
        if name == _W76 or segment == last - 1:
            return segment if _write_line(tape, header, page, order) else ODD
        if name == _LX:
            if not _write_line(tape, header, page, order):
                return ODD
            begin_loop(segment, page)
        elif is_in(_IRREGULAR, name) or not note_loop(tape, segment, page, _W01):
            return ODD
    return ODD


@kernel
def _note_dates(tape: Tape, page: Page) -> bool:
    """Work out the dates of all lines; False if one is not regular."""
    facts = page.notes[FACTS]
    facts[_DATES] = _date(tape, page, _SLOT_REQUESTED, True)  # noqa: FBT003 - numba
    facts[_DATES + 1] = _date(tape, page, _SLOT_WINDOW_END, True)  # noqa: FBT003 - numba
    facts[_DATES + 2] = _date(tape, page, _SLOT_SHIP_BY, True)  # noqa: FBT003 - numba
    facts[_DATES + 3] = _date(tape, page, _SLOT_CANCEL, True)  # noqa: FBT003 - numba
    facts[_DATES + 4] = _date(tape, page, _SLOT_WINDOW_START, False)  # noqa: FBT003 - numba
    facts[_DATES + 5] = _date(tape, page, _SLOT_SHIP_START, False)  # noqa: FBT003 - numba
    for i in range(_DATES, _DATES + 6):  # noqa: SIM110 - numba knows no generators
        if facts[i] == ODD:
            return False
    return True


@kernel
def _date(tape: Tape, page: Page, slots: tuple[int, int, int], is_end: bool) -> int:  # noqa: FBT001 - numba
    for slot in slots:
        segment = page.notes[STAMPS, slot]
        if segment:
            return stamp_at(tape, segment, page, is_end)
    return NULL


@kernel
def _add_facts(tape: Tape, header: int, page: Page) -> None:
    add_field(page, _STATUS, tape, plain_code(tape, header, 1))
    add_field(page, _PO_NUMBER, tape, text(tape, header, 3))
    add_field(page, _DEPOSITOR, tape, text(tape, header, 2))


@kernel
def _attributes(tape: Tape, header: int, page: Page, is_unconverted: bool) -> tuple[int, int]:  # noqa: FBT001 - numba
    notes, facts = page.notes, page.notes[FACTS]
    begin = open_object(page)
    _add_facts(tape, header, page)
    add_references(page, _REFERENCES, tape, notes[HEAD_REFERENCES])
    if facts[ROUTING_AT]:
        add_field(page, _ROUTING, tape, text(tape, facts[ROUTING_AT], 10) or text(tape, facts[ROUTING_AT], 5))
    add_field(page, _LOOP, tape, text(tape, facts[LOOP_AT], 1))
    add_references(page, _LINE_REFERENCES, tape, notes[LINE_REFERENCES])
    add_item_ids(page, tape, facts[LINE_AT], 3, 4, 8)
    if is_unconverted:
        add_true(page, _UNCONVERTED)
    return close_object(page, begin)


@kernel
def _write_line(tape: Tape, header: int, page: Page, order: tuple[int, int]) -> bool:
    """Write the line of a loop; False if it is not regular."""
    facts = page.notes[FACTS]
    segment, pack = facts[LINE_AT], facts[PACK_SIZE]
    if not segment:
        return False
    uom, counted, sku = plain_code(tape, segment, 2), text(tape, segment, 1), item_sku(tape, segment, 3, 4, 8)
    factor = unit_factor(tape, uom, pack)
    amount = quantity(tape, counted, factor)
    if uom < 0 or sku < 0 or amount < 0:
        return False
    facts[_UNITS] += decimal(tape, counted)
    reference = reference_view(page, segment)
    attributes = _attributes(tape, header, page, factor == 0)
    row = add_row(page, _FAMILY)
    set_text(page, row, REF, reference)
    set_text(page, row, ORDER_ID, order)
    set_span(page, row, LINE, tape, line_of(tape, page))
    set_span(page, row, SKU, tape, sku)
    set_span(page, row, UOM, tape, uom)
    set_node(page, row, NODE, tape)
    place = page.notes[party_row(page, 0, _SHIP_TO_ROLES)]
    set_span(page, row, PLACE_ID, tape, place[AT_ID])
    set_span(page, row, REGION, tape, place[AT_REGION])
    set_span(page, row, POSTAL, tape, place[AT_POSTAL])
    set_text(page, row, COUNTRY, country_view(tape, page, place))
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
    for i in range(6):
        page.rows[row, REQUESTED + i] = facts[_DATES + i]
    page.rows[row, QUANTITY] = amount
    page.rows[row, PACK] = pack * 1000 if pack else NULL
    return True
