"""945 in kernels: see `edi.documents.warehouse_shipment`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.keys import KEYS, MOST_KEYS, NO_HASH, clear_keys, hashed_with, is_new
from pipelines.sources.edi.bulk.layouts import CONFIRMED, DATE, DISPATCH, ESTIMATED, EXCEPTION, INSTANT, NOT_SHIPPED
from pipelines.sources.edi.bulk.marks import PARCEL_KIND, SSCC_KINDS, has_valid_digit, plain_sscc
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
    lower_view,
    open_object,
    reference_view,
    set_span,
    set_text,
    set_word,
    span_view,
)
from pipelines.sources.edi.bulk.places import AT_REGION
from pipelines.sources.edi.bulk.references import add_references, picked
from pipelines.sources.edi.bulk.tape import Tape, code, text, whole_number, word
from pipelines.sources.edi.bulk.values import (
    ODD,
    add_item_ids,
    day_of,
    decimal,
    instant,
    item_sku,
    midnight,
    plain_code,
    unit_factor,
)
from pipelines.sources.edi.bulk.warehouse import (
    FACTS,
    HEAD_REFERENCES,
    LINE_AT,
    LINE_REFERENCES,
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
)

(
    TYPE,
    QUALITY,
    REF,
    SHIPMENT_ID,
    ORDER_ID,
    LINE,
    SKU,
    UOM,
    NODE,
    CARRIER,
    SERVICE,
    TRACKING,
    SSCC,
    STATUS,
    REASON,
    REGION,
    ATTRIBUTES,
) = DISPATCH.text_cells
EVENT_AT, OBSERVED_AT = DISPATCH.instant_cells
(QUANTITY,) = DISPATCH.number_cells

_FAMILY: Final = DISPATCH.number
_W06, _W12, _W27, _W03, _MAN = word("W06"), word("W12"), word("W27"), word("W03"), word("MAN")
_LX, _SE = word("LX"), word("SE")
_REFUSED: Final = (word("C"), word("X"))
_SLOT_SHIPPED, _SLOT_SHIP = 8, 6
"""Places in `warehouse.STAMP_CODES` of the date of shipping, the first one that is there."""

_UNITS, _OUTER_SSCC, _OUTER_PARCEL, _INNER_SSCC, _INNER_PARCEL, _SHIPPED_AT, _QUALITY, _SLOTS = range(
    OWN_FACTS, OWN_FACTS + 8
)
_SHIP_TO_ROLES: Final = 2
_MOST_DIGITS: Final = 8
_ORDERS: Final = np.array([word("PO")])
_LADINGS: Final = np.array([word("BM"), word("MB")])
_TRACKINGS: Final = np.array([word(name) for name in ("CN", "2I", "BM", "MB")])
_REPORTING, _PO_NUMBER, _LADING, _LOT = key("reporting"), key("po_number"), key("bill_of_lading"), key("lot")
_SUBSTITUTE, _ORDERED, _DIFFERENCE = key("substitute_for"), key("ordered"), key("difference")
_REFERENCES, _LINE_REFERENCES = literal('"references":{'), literal('"line_references":{')
_UNCONVERTED, _WRONG_DIGIT = literal('"is_unconverted":'), literal('"is_sscc_check_digit_wrong":')
_MINUS: Final = ord("-")


@kernel
def read_warehouse_shipment(
    tape: Tape, first: int, last: int, page: Page
) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Write the lines of a 945.

    Returns:
        The span of its number (`ODD` if it is not regular), the view of its order, its attributes.
    """
    header, nothing = first + 1, (0, 0)
    reporting, order = plain_code(tape, header, 1), text(tape, header, 2)
    is_regular = tape.names[header] == _W06 and order and reporting >= 0 and last - first < MOST_KEYS
    if not is_regular or code(tape, reporting) in _REFUSED:
        return ODD, nothing, nothing
    begin = read_head(tape, header + 1, last, page, _W27, _W03)
    if begin < 0 or not _note_moment(tape, header, page):
        return ODD, nothing, nothing
    page.notes[FACTS, _SLOTS] = clear_keys(page, last - first)
    order_view = span_view(page, tape, order)
    number = text(tape, header, 4) or text(tape, header, 5) or order
    trailer = _read_loops(tape, header, begin, last, page, order_view, number)
    if trailer < 0:
        return ODD, nothing, nothing
    stated = text(tape, trailer, 1) if tape.names[trailer] == _W03 else 0
    if stated and decimal(tape, stated) != page.notes[FACTS, _UNITS] * 10_000:
        return ODD, nothing, nothing
    opened = open_object(page)
    _add_facts(tape, header, page)
    return number, order_view, close_object(page, opened)


@kernel
def _note_moment(tape: Tape, header: int, page: Page) -> bool:
    """Work out when it left; False where that is not regular."""
    facts, stamps, sent_at = page.notes[FACTS], page.notes[STAMPS], page.state[SENT_AT]
    segment = stamps[_SLOT_SHIPPED] or stamps[_SLOT_SHIP]
    date, time = (text(tape, segment, 2), text(tape, segment, 4)) if segment else (text(tape, header, 3), 0)
    facts[_SHIPPED_AT], facts[_QUALITY] = sent_at, ESTIMATED
    if not date:
        return True
    moment = instant(page, tape, date, time, False)  # noqa: FBT003 - numba
    next_day = midnight(page, day_of(tape, date) + 1)
    if moment < 0 or next_day < 0:
        return False
    facts[_SHIPPED_AT], facts[_QUALITY] = moment, INSTANT if time else DATE
    if not time and moment <= sent_at < next_day:
        facts[_SHIPPED_AT] = sent_at
    return True


@kernel
def _read_loops(tape: Tape, header: int, begin: int, last: int, page: Page, order: tuple[int, int], number: int) -> int:
    """Write the line of each loop and return the segment that ends them; `ODD` if one is not regular."""
    shipment = span_view(page, tape, number)
    _begin_loop(begin, page)
    for segment in range(begin + 1, last):
        name = tape.names[segment]
        if name == _W03 or segment == last - 1:
            return segment if _write_line(tape, header, page, order, shipment) else ODD
        if name == _LX:
            if not _write_line(tape, header, page, order, shipment):
                return ODD
            _begin_loop(segment, page)
        elif name == _MAN:
            if not _note_marks(tape, segment, page):
                return ODD
        elif name == _SE or not note_loop(tape, segment, page, _W12):
            return ODD
    return ODD


@kernel
def _begin_loop(segment: int, page: Page) -> None:
    begin_loop(segment, page)
    page.notes[FACTS, _OUTER_SSCC : _INNER_PARCEL + 1] = 0


@kernel
def _note_marks(tape: Tape, segment: int, page: Page) -> bool:
    """Note SSCC and package id of the loop or, behind the line, of the line: the first ones count."""
    facts = page.notes[FACTS]
    sscc_at = _INNER_SSCC if facts[LINE_AT] else _OUTER_SSCC
    parcel_at = _INNER_PARCEL if facts[LINE_AT] else _OUTER_PARCEL
    for i in (1, 4):
        mark, value = plain_code(tape, segment, i), text(tape, segment, i + 1)
        if mark < 0:
            return False
        if code(tape, mark) in SSCC_KINDS:
            sscc = plain_sscc(tape, value)
            if sscc < 0:
                return False
            facts[sscc_at] = facts[sscc_at] or sscc
        elif code(tape, mark) == PARCEL_KIND:
            facts[parcel_at] = facts[parcel_at] or value
    return True


@kernel
def _add_facts(tape: Tape, header: int, page: Page) -> None:
    references = page.notes[HEAD_REFERENCES]
    add_field(page, _REPORTING, tape, plain_code(tape, header, 1))
    add_field(page, _PO_NUMBER, tape, text(tape, header, 6) or picked(tape, references, _ORDERS))
    add_field(page, _LADING, tape, picked(tape, references, _LADINGS))
    add_references(page, _REFERENCES, tape, references)


@kernel
def _write_line(tape: Tape, header: int, page: Page, order: tuple[int, int], shipment: tuple[int, int]) -> bool:
    """Write the line of a loop; False if it is not regular or like another one."""
    facts = page.notes[FACTS]
    segment = facts[LINE_AT]
    if not segment:
        return False
    status, uom, sku = plain_code(tape, segment, 1), plain_code(tape, segment, 5), item_sku(tape, segment, 6, 7, 9)
    shipped_text, ordered_text = text(tape, segment, 3), text(tape, segment, 2)
    shipped = whole_number(tape, shipped_text, _MOST_DIGITS) if shipped_text else 0
    ordered = whole_number(tape, ordered_text, _MOST_DIGITS) if ordered_text else NULL
    if status < 0 or uom < 0 or sku < 0 or ODD in (shipped, ordered):
        return False
    stated = text(tape, segment, 4)
    if stated and not _is_difference(tape, stated, ordered, shipped):
        return False
    sscc, parcel = facts[_INNER_SSCC] or facts[_OUTER_SSCC], facts[_INNER_PARCEL] or facts[_OUTER_PARCEL]
    line, hashed = line_of(tape, page), NO_HASH
    for span in (line, sku, sscc, parcel, uom, status):
        hashed = hashed_with(tape, hashed, span)
    if not is_new(page.notes[KEYS], facts[_SLOTS], hashed):
        return False
    facts[_UNITS] += shipped
    factor = max(unit_factor(tape, uom, facts[PACK_SIZE]), 1)
    is_wrong = sscc > 0 and not has_valid_digit(tape, sscc)
    ordered_each = ordered * factor if ordered != NULL else NULL
    attributes = _attributes(tape, header, page, shipped * factor, ordered_each, is_wrong)
    row = _write_head(tape, page, segment, order, shipment)
    set_word(page, row, TYPE, CONFIRMED if shipped else EXCEPTION)
    set_span(page, row, LINE, tape, line)
    set_span(page, row, SKU, tape, sku)
    set_span(page, row, UOM, tape, uom)
    set_span(page, row, TRACKING, tape, parcel or picked(tape, page.notes[HEAD_REFERENCES], _TRACKINGS))
    set_span(page, row, SSCC, tape, sscc)
    set_span(page, row, STATUS, tape, status)
    if shipped:
        set_text(page, row, REASON, (0, 0))
    else:
        set_word(page, row, REASON, NOT_SHIPPED)
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, QUANTITY] = shipped * factor * 1000 if shipped else NULL
    return True


@kernel
def _is_difference(tape: Tape, stated: int, ordered: int, shipped: int) -> bool:
    """Say whether a stated difference, a whole number, is the one between ordered and shipped."""
    difference = whole_number(tape, stated, _MOST_DIGITS)
    return bool(difference >= 0 and (ordered == NULL or difference == abs(ordered - shipped)))


@kernel
def _write_head(tape: Tape, page: Page, segment: int, order: tuple[int, int], shipment: tuple[int, int]) -> int:
    """Begin a row, write what all lines of the shipment share and return it."""
    facts = page.notes[FACTS]
    reference, carrier = reference_view(page, segment), (0, 0)
    if facts[ROUTING_AT]:
        carrier = lower_view(page, tape, text(tape, facts[ROUTING_AT], 2))
    row = add_row(page, _FAMILY)
    set_word(page, row, QUALITY, facts[_QUALITY])
    set_text(page, row, REF, reference)
    set_text(page, row, SHIPMENT_ID, shipment)
    set_text(page, row, ORDER_ID, order)
    set_node(page, row, NODE, tape)
    set_text(page, row, CARRIER, carrier)
    set_span(page, row, SERVICE, tape, text(tape, facts[ROUTING_AT], 3) if facts[ROUTING_AT] else 0)
    set_span(page, row, REGION, tape, page.notes[party_row(page, 0, _SHIP_TO_ROLES), AT_REGION])
    page.rows[row, EVENT_AT] = facts[_SHIPPED_AT]
    page.rows[row, OBSERVED_AT] = page.state[SENT_AT]
    return row


@kernel
def _attributes(
    tape: Tape,
    header: int,
    page: Page,
    shipped: int,
    ordered: int,
    is_wrong: bool,  # noqa: FBT001 - numba
) -> tuple[int, int]:
    facts = page.notes[FACTS]
    segment = facts[LINE_AT]
    begin = open_object(page)
    _add_facts(tape, header, page)
    add_item_ids(page, tape, segment, 6, 7, 9)
    add_field(page, _LOT, tape, text(tape, segment, 9))
    add_field(page, _SUBSTITUTE, tape, text(tape, segment, 18) or text(tape, segment, 16))
    add_references(page, _LINE_REFERENCES, tape, page.notes[LINE_REFERENCES])
    if unit_factor(tape, plain_code(tape, segment, 5), facts[PACK_SIZE]) == 0:
        add_true(page, _UNCONVERTED)
    if ordered != NULL:
        emit_literal(page, _ORDERED)
        emit_whole(page, ordered)
        end_field(page)
        emit_literal(page, _DIFFERENCE)
        if ordered < shipped:
            emit_byte(page, _MINUS)
        emit_whole(page, abs(ordered - shipped))
        end_field(page)
    if is_wrong:
        add_true(page, _WRONG_DIGIT)
    return close_object(page, begin)
