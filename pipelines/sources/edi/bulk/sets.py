"""Reads the sets of a run one after the other, as far as they are regular and the page has room."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.bulk.acknowledgement import read_acknowledgement
from pipelines.sources.edi.bulk.compiled import Array, entry, kernel
from pipelines.sources.edi.bulk.functional_ack import (
    ATTRIBUTES,
    DOCUMENT_ID,
    EVENT_AT,
    GROUP,
    INTERCHANGE,
    KIND,
    ORDER_ID,
    PARTNER_ID,
    REASON,
    REF,
    SET,
    STATUS,
    TYPE,
    read_functional_ack,
)
from pipelines.sources.edi.bulk.functional_ack import DIRECTION as DIRECTION_COLUMN
from pipelines.sources.edi.bulk.inventory_advice import read_inventory_advice
from pipelines.sources.edi.bulk.invoice import read_invoice
from pipelines.sources.edi.bulk.layouts import (
    DOCUMENT,
    GROUP_CONTROL,
    IN,
    INTERCHANGE_CONTROL,
    OUT,
    PARTNER,
    RECEIVED,
    SENT,
)
from pipelines.sources.edi.bulk.order_change import read_order_change
from pipelines.sources.edi.bulk.page import (
    AS_KIND_SAYS,
    COUNT,
    DIRECTION,
    IS_FULL,
    NEEDED_DAY,
    NOT_FOR_US,
    OUTBOUND,
    PLACE,
    SENT_AT,
    TOP,
    Groups,
    Page,
    add_field,
    add_row,
    begin_group,
    close_object,
    key,
    open_object,
    order_view,
    reference_view,
    set_span,
    set_text,
    set_word,
)
from pipelines.sources.edi.bulk.purchase_order import read_purchase_order
from pipelines.sources.edi.bulk.remittance import read_remittance
from pipelines.sources.edi.bulk.scan import FIRST, IS_ODD, LAST, OWNER
from pipelines.sources.edi.bulk.ship_notice import read_ship_notice
from pipelines.sources.edi.bulk.tape import Tape, code, element, word
from pipelines.sources.edi.bulk.values import ODD
from pipelines.sources.edi.bulk.warehouse_order import read_warehouse_order
from pipelines.sources.edi.bulk.warehouse_shipment import read_warehouse_shipment

DONE, PAGE_FULL, DAY_MISSING = range(3)
"""Why `read_sets` stopped: nothing left, no room, a day to be looked up."""

_FAMILY: Final = DOCUMENT.number
_850, _855, _856, _810, _997 = word("850"), word("855"), word("856"), word("810"), word("997")
_940, _945, _846, _860, _820 = word("940"), word("945"), word("846"), word("860"), word("820")
_TYPE_KEY: Final = key("type")
_NO_DAY: Final = -1
_NO_GROUP: Final = -1


@entry
def read_sets(
    tape: Tape, sets: Array, groups: Groups, is_refused: Array, begin: int, page: Page, place: int
) -> tuple[int, int]:
    """Read sets from an index on, mark those that are not regular, and return where and why it stopped."""
    group = _NO_GROUP
    for index in range(begin, len(sets)):
        page.state[IS_FULL] = 0
        page.state[NEEDED_DAY] = _NO_DAY
        page.state[PLACE] = 2 * (place + index)
        if sets[index, OWNER] != group:
            group = sets[index, OWNER]
            begin_group(page, groups, group)
        rows, top = page.state[COUNT], page.state[TOP]
        is_read = sets[index, IS_ODD] == 0 and not page.state[IS_FULL] and _read_set(tape, sets[index], page)
        if is_read and not page.state[IS_FULL]:
            continue
        page.state[COUNT], page.state[TOP] = rows, top
        if page.state[NEEDED_DAY] != _NO_DAY:
            return index, DAY_MISSING
        if page.state[IS_FULL]:
            return index, PAGE_FULL
        is_refused[index] = True
    return len(sets), DONE


@kernel
def _read_set(tape: Tape, found: Array, page: Page) -> bool:
    """Write the events of one set; False if it is not regular or runs against the direction of sales."""
    first, last = found[FIRST], found[LAST]
    kind = code(tape, element(tape, first, 1))
    is_ours = kind in (_855, _856, _810, _940)
    direction = page.state[DIRECTION]
    if direction == NOT_FOR_US:
        return False
    is_out = is_ours if direction == AS_KIND_SAYS else direction == OUTBOUND
    if kind in (_850, _855, _856, _810):
        number, order, attributes = _read_sale(tape, first, last, page, kind, is_out)
    else:
        number, order, attributes = _read_other(tape, first, last, page, kind, is_out)
    if number < 0:
        return False
    page.state[PLACE] += 1  # its own event comes behind those it tells of
    row = add_row(page, _FAMILY)
    set_word(page, row, TYPE, SENT if is_out else RECEIVED)
    set_text(page, row, REF, reference_view(page, first))
    set_span(page, row, KIND, tape, element(tape, first, 1))
    set_word(page, row, DIRECTION_COLUMN, OUT if is_out else IN)
    set_word(page, row, PARTNER_ID, PARTNER)
    set_word(page, row, INTERCHANGE, INTERCHANGE_CONTROL)
    set_word(page, row, GROUP, GROUP_CONTROL)
    set_span(page, row, SET, tape, element(tape, first, 2))
    set_span(page, row, DOCUMENT_ID, tape, number)
    set_text(page, row, ORDER_ID, order)
    set_text(page, row, STATUS, (0, 0))
    set_text(page, row, REASON, (0, 0))
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
    return True


@kernel
def _read_sale(
    tape: Tape,
    first: int,
    last: int,
    page: Page,
    kind: int,
    is_out: bool,  # noqa: FBT001 - numba
) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Write the events of an order, its answer, shipment or invoice: number, order and attributes of the document."""
    number = order_number = ODD
    order, attributes = (0, 0), (0, 0)
    if kind == _850 and not is_out:
        number = order_number = read_purchase_order(tape, first, last, page)
    elif kind == _855 and is_out:
        number = order_number = read_acknowledgement(tape, first, last, page)
        attributes = _type_of(tape, first + 1, page)
    elif kind == _856 and is_out:
        number, order, attributes = read_ship_notice(tape, first, last, page)
    elif kind == _810 and is_out:
        number, order_number = read_invoice(tape, first, last, page)
    if order_number > 0:
        order = order_view(page, tape, order_number)
    return number, order, attributes


@kernel
def _read_other(
    tape: Tape,
    first: int,
    last: int,
    page: Page,
    kind: int,
    is_out: bool,  # noqa: FBT001 - numba
) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Write the events of any other set as `_read_sale` does."""
    number, order, attributes = ODD, (0, 0), (0, 0)
    if kind == _997:
        number = read_functional_ack(tape, first, last, page, is_out)
    elif kind == _940 and is_out:
        number, order, attributes = read_warehouse_order(tape, first, last, page)
    elif kind == _945 and not is_out:
        number, order, attributes = read_warehouse_shipment(tape, first, last, page)
    elif kind == _860 and not is_out:
        number, order, attributes = read_order_change(tape, first, last, page)
    elif kind == _846 and not is_out:
        number, attributes = read_inventory_advice(tape, first, last, page)
    elif kind == _820 and not is_out:
        number, attributes = read_remittance(tape, first, last, page)
    return number, order, attributes


@kernel
def _type_of(tape: Tape, header: int, page: Page) -> tuple[int, int]:
    begin = open_object(page)
    add_field(page, _TYPE_KEY, tape, element(tape, header, 2))
    return close_object(page, begin)
