"""856 in kernels: see `edi.documents.ship_notice`, which says what it means."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.keys import KEYS, MOST_KEYS, NO_HASH, clear_keys, hashed_with, is_new
from pipelines.sources.edi.bulk.layouts import SHIPMENT
from pipelines.sources.edi.bulk.marks import PARCEL_KIND, SSCC_KINDS, has_valid_digit, plain_sscc
from pipelines.sources.edi.bulk.page import (
    COUNT,
    NULL,
    SENT_AT,
    Page,
    add_field,
    add_row,
    add_true,
    close_object,
    emit_literal,
    emit_span,
    end_field,
    key,
    literal,
    lower_view,
    open_object,
    order_view,
    reference_view,
    set_span,
    set_text,
    span_view,
)
from pipelines.sources.edi.bulk.tape import (
    LONGEST,
    Tape,
    code,
    element,
    is_before,
    same,
    stripped,
    unpadded,
    whole_number,
    word,
)
from pipelines.sources.edi.bulk.values import (
    ODD,
    decimal,
    pack_size,
    quantity,
    sku_of,
    stamp,
    unit_factor,
)

(
    REF,
    SHIPMENT_ID,
    ORDER_ID,
    LINE,
    SKU,
    UOM,
    CARRIER,
    SERVICE,
    TRACKING,
    SSCC,
    ORIGIN_REGION,
    REGION,
    ATTRIBUTES,
) = SHIPMENT.text_cells
EVENT_AT, ESTIMATED = SHIPMENT.instant_cells
(QUANTITY,) = SHIPMENT.number_cells

_FAMILY: Final = SHIPMENT.number
_BSN, _HL, _CTT, _SE, _DTM = word("BSN"), word("HL"), word("CTT"), word("SE"), word("DTM")
_LONGEST_QUALIFIER: Final = 2
_REF, _TD5, _N1, _N4, _PRF = word("REF"), word("TD5"), word("N1"), word("N4"), word("PRF")
_LIN, _SN1, _PO4, _MAN = word("LIN"), word("SN1"), word("PO4"), word("MAN")
_SHIPMENT_LEVEL, _ITEM_LEVEL = word("S"), word("I")
_IRREGULAR_PURPOSES: Final = (word("01"), word("07"))
_FROM, _TO, _CARRIER_NUMBER, _LADING = word("SF"), word("ST"), word("CN"), word("BM")
_SHIPPED, _ESTIMATE, _SECOND_ESTIMATE = word("011"), word("017"), word("067")
_FACTS, _PARENT, _LEVEL, _PRF_AT, _LIN_AT, _SN1_AT, _PO4_AT, _SSCC, _PARCEL, _MARKED, _MARKED_ITEMS, _SOLE, _ORDERS = (
    range(13)
)
"""Rows of the notes; all but the first have a place for each loop."""

(
    _NODES,
    _TD5_AT,
    _CN,
    _HAS_CN,
    _BM,
    _HAS_BM,
    _SHIPPED_AT,
    _ESTIMATED,
    _ESTIMATED_SECOND,
    _PARTY,
    _FROM_REGION,
    _TO_REGION,
    _ORDER_COUNT,
) = range(13)
_NO_PARTY, _PARTY_FROM, _PARTY_TO, _PARTY_OTHER = range(4)
_PURPOSE, _STRUCTURE, _SHIPPED_KEY, _LADING_KEY = (
    key("purpose"),
    key("structure"),
    key("shipped"),
    key("bill_of_lading"),
)
_WRONG_DIGIT: Final = literal('"is_sscc_check_digit_wrong":')
_ORDERS_OPEN, _ORDERS_CLOSE = literal('"orders":["'), literal('"],')
_NEXT_ORDER: Final = literal('","')
_ZERO: Final = ord("0")


@kernel
def read_ship_notice(tape: Tape, first: int, last: int, page: Page) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Write the items of an 856.

    Returns:
        The span of its number (`ODD` if it is not regular), the view of its one order, the view of its orders.
    """
    header, nothing = first + 1, (0, 0)
    number, purpose = stripped(tape, element(tape, header, 2)), code(tape, element(tape, header, 1))
    if tape.names[header] != _BSN or not number or purpose in _IRREGULAR_PURPOSES:
        return ODD, nothing, nothing
    end = _read_tree(tape, header + 1, last, page)
    if end < 0 or not _totals_agree(tape, end, last, page) or not _list_orders(tape, page):
        return ODD, nothing, nothing
    rows = page.state[COUNT]
    if not _write_items(tape, header, page, number) or page.state[COUNT] == rows:
        return ODD, nothing, nothing
    facts, orders = page.notes[_FACTS], page.notes[_ORDERS]
    if facts[_ORDER_COUNT] == 1:
        return number, order_view(page, tape, orders[0]), nothing
    return number, nothing, _orders_object(tape, page)


@kernel
def _orders_object(tape: Tape, page: Page) -> tuple[int, int]:
    """Return the JSON list of several orders."""
    orders, count = page.notes[_ORDERS], page.notes[_FACTS, _ORDER_COUNT]
    if count < 2:
        return 0, 0
    begin = open_object(page)
    emit_literal(page, _ORDERS_OPEN)
    for i in range(count):
        if i:
            emit_literal(page, _NEXT_ORDER)
        emit_span(page, tape, orders[i])
    emit_literal(page, _ORDERS_CLOSE)
    return close_object(page, begin)


@kernel
def _read_tree(tape: Tape, begin: int, last: int, page: Page) -> int:
    """Note all loops and return the segment that ends them; `ODD` if one is not regular."""
    facts = page.notes[_FACTS]
    facts[:16] = 0
    facts[_ESTIMATED] = facts[_ESTIMATED_SECOND] = NULL
    node = -1
    for segment in range(begin, last):
        name = tape.names[segment]
        if name == _HL:
            node += 1
            if not _begin_node(tape, segment, page, node):
                return ODD
        elif name in (_CTT, _SE):
            facts[_NODES] = node + 1
            return segment if node >= 0 else ODD
        elif not _note(tape, segment, page, node):
            return ODD
    return ODD


@kernel
def _note(tape: Tape, segment: int, page: Page, node: int) -> bool:
    """Take what a segment says about its loop and, at the head or the shipment level, about the shipment."""
    if node >= 0 and not _note_node(tape, segment, page, node):
        return False
    if node < 0 or page.notes[_LEVEL, node] == _SHIPMENT_LEVEL:
        return _note_shipment(tape, segment, page)
    return True


@kernel
def _begin_node(tape: Tape, segment: int, page: Page, node: int) -> bool:
    """Note an HL; its id must be its position, its parent one before it."""
    notes = page.notes
    if node >= MOST_KEYS or whole_number(tape, element(tape, segment, 1), 6) != node + 1:
        return False
    if element(tape, segment, 1) % LONGEST > 1 and tape.data[element(tape, segment, 1) // LONGEST] == _ZERO:
        return False
    parent, level = element(tape, segment, 2), code(tape, element(tape, segment, 3))
    above = whole_number(tape, parent, 6) if parent else 0
    if above < 0 or above > node or (above == 0) != (node == 0) or (parent != 0 and node == 0):
        return False
    if parent and tape.data[parent // LONGEST] == _ZERO:
        return False
    if level == _SHIPMENT_LEVEL and node > 0:
        return False
    for row in (_PRF_AT, _LIN_AT, _SN1_AT, _PO4_AT, _SSCC, _PARCEL, _MARKED, _MARKED_ITEMS, _SOLE):
        notes[row, node] = 0
    notes[_PARENT, node] = above - 1
    notes[_LEVEL, node] = level
    return True


@kernel
def _note_node(tape: Tape, segment: int, page: Page, node: int) -> bool:
    """Note the first of each kind of segment that items are made of."""
    notes, name = page.notes, tape.names[segment]
    row = 0
    if name == _PRF:
        row = _PRF_AT
    elif name == _LIN:
        row = _LIN_AT
    elif name == _SN1:
        row = _SN1_AT
    elif name == _PO4:
        row = _PO4_AT
    elif name == _MAN:
        return _note_marks(tape, segment, page, node)
    if row and not notes[row, node]:
        notes[row, node] = segment
    return True


@kernel
def _note_marks(tape: Tape, segment: int, page: Page, node: int) -> bool:
    """Note SSCC and carrier package id."""
    notes = page.notes
    notes[_MARKED, node] |= 1 << 32  # the loop itself has a MAN; the low half counts marked loops below it
    for i in (1, 4):
        kind, value = code(tape, element(tape, segment, i)), element(tape, segment, i + 1)
        if kind in SSCC_KINDS:
            sscc = plain_sscc(tape, value)
            if sscc < 0:
                return False
            if not notes[_SSCC, node]:
                notes[_SSCC, node] = sscc
        elif kind == PARCEL_KIND and not notes[_PARCEL, node]:
            notes[_PARCEL, node] = stripped(tape, value)
    return True


@kernel
def _note_shipment(tape: Tape, segment: int, page: Page) -> bool:
    """Take what head and shipment level say."""
    facts, name = page.notes[_FACTS], tape.names[segment]
    if name == _DTM:
        return _note_date(tape, segment, page)
    if name == _REF:
        kind = code(tape, element(tape, segment, 1))
        if kind == _CARRIER_NUMBER and not facts[_HAS_CN]:
            facts[_CN], facts[_HAS_CN] = stripped(tape, element(tape, segment, 2)), 1
        elif kind == _LADING and not facts[_HAS_BM]:
            facts[_BM], facts[_HAS_BM] = stripped(tape, element(tape, segment, 2)), 1
    elif name == _TD5 and not facts[_TD5_AT]:
        facts[_TD5_AT] = segment
        return bool(element(tape, segment, 2) % LONGEST <= _LONGEST_QUALIFIER)
    elif name == _N1:
        kind = code(tape, element(tape, segment, 1))
        facts[_PARTY] = _PARTY_FROM if kind == _FROM else _PARTY_TO if kind == _TO else _PARTY_OTHER
    elif name == _N4 and facts[_PARTY] == _PARTY_FROM:
        facts[_FROM_REGION] = stripped(tape, element(tape, segment, 2))
    elif name == _N4 and facts[_PARTY] == _PARTY_TO:
        facts[_TO_REGION] = stripped(tape, element(tape, segment, 2))
    return True


@kernel
def _note_date(tape: Tape, segment: int, page: Page) -> bool:
    facts = page.notes[_FACTS]
    moment = stamp(page, tape, segment, True)  # noqa: FBT003 - numba
    if moment < 0:
        return False
    kind = code(tape, element(tape, segment, 1))
    if kind == _SHIPPED:
        facts[_SHIPPED_AT] = segment
    elif kind == _ESTIMATE:
        facts[_ESTIMATED] = moment
    elif kind == _SECOND_ESTIMATE:
        facts[_ESTIMATED_SECOND] = moment
    return True


@kernel
def _totals_agree(tape: Tape, end: int, last: int, page: Page) -> bool:
    """Say whether the CTT, if there is one, counts what came."""
    notes = page.notes
    nodes, total = notes[_FACTS, _NODES], 0
    for node in range(nodes):
        if notes[_SN1_AT, node]:
            amount = decimal(tape, element(tape, notes[_SN1_AT, node], 2))
            if amount < 0:
                return False
            total += amount
    trailer = -1
    for segment in range(last - 1, end - 1, -1):
        if tape.names[segment] == _CTT:
            trailer = segment
    if trailer < 0:
        return True
    stated, units = element(tape, trailer, 1), element(tape, trailer, 2)
    if stated and whole_number(tape, stated, 9) != nodes:
        return False
    return not units or decimal(tape, units) == total


@kernel
def _list_orders(tape: Tape, page: Page) -> bool:
    """Sort the orders that are named into the notes, each once."""
    notes = page.notes
    orders, count = notes[_ORDERS], 0
    for node in range(notes[_FACTS, _NODES]):
        if not notes[_PRF_AT, node]:
            continue
        order = stripped(tape, element(tape, notes[_PRF_AT, node], 1))
        if not order:
            return False
        at = count
        while at > 0 and is_before(tape, order, orders[at - 1]):
            at -= 1
        if at > 0 and same(tape, order, orders[at - 1]):
            continue
        for i in range(count, at, -1):
            orders[i] = orders[i - 1]
        orders[at] = order
        count += 1
    notes[_FACTS, _ORDER_COUNT] = count
    return True


@kernel
def _write_items(tape: Tape, header: int, page: Page, number: int) -> bool:
    """Write all items; False if one is not regular, or two are alike."""
    notes = page.notes
    facts, nodes = notes[_FACTS], notes[_FACTS, _NODES]
    _count_cartons(page)
    shipment, carrier, service = span_view(page, tape, number), (0, 0), 0
    if facts[_TD5_AT]:
        carrier = lower_view(page, tape, stripped(tape, element(tape, facts[_TD5_AT], 3)))
        service = element(tape, facts[_TD5_AT], 12) or element(tape, facts[_TD5_AT], 5)
    plain = _attributes(tape, header, page, False)  # noqa: FBT003 - numba
    order_at, order = -1, (0, 0)
    slots = clear_keys(page, nodes)
    for node in range(nodes):
        if not notes[_SN1_AT, node] or _is_box_of_items(page, node):
            continue
        segment = _nearest_order(page, node)
        if segment < 0:
            return False
        if segment != order_at:
            order_at, order = segment, order_view(page, tape, stripped(tape, element(tape, segment, 1)))
        row = _write_item(tape, header, page, node, segment, order, plain, slots)
        if row < 0:
            return False
        set_text(page, row, SHIPMENT_ID, shipment)
        set_text(page, row, CARRIER, carrier)
        set_span(page, row, SERVICE, tape, service)
    return True


@kernel
def _count_cartons(page: Page) -> None:
    """Count for each loop the marked loops below it, those of them with quantities, and remember one."""
    notes = page.notes
    for node in range(notes[_FACTS, _NODES]):
        parent = notes[_PARENT, node]
        if parent >= 0 and notes[_MARKED, node] >> 32:
            notes[_MARKED, parent] += 1
            notes[_MARKED_ITEMS, parent] += notes[_SN1_AT, node] > 0
            notes[_SOLE, parent] = node


@kernel
def _is_box_of_items(page: Page, node: int) -> bool:
    """The cartons below share the item out among them: they are the items."""
    cartons = page.notes[_MARKED, node] & 0xFFFFFFFF
    return bool(cartons > 0 and page.notes[_MARKED_ITEMS, node] == cartons)


@kernel
def _nearest_order(page: Page, node: int) -> int:
    while node >= 0:
        if page.notes[_PRF_AT, node]:
            return int(page.notes[_PRF_AT, node])
        node = page.notes[_PARENT, node]
    return -1


@kernel
def _mark(page: Page, node: int, kind: int) -> int:
    """Return the SSCC or package id of an item: that of the one carton below, else the nearest above."""
    notes = page.notes
    if notes[_MARKED, node] & 0xFFFFFFFF == 1:
        return int(notes[kind, notes[_SOLE, node]])
    while node >= 0:
        if notes[kind, node]:
            return int(notes[kind, node])
        node = notes[_PARENT, node]
    return 0


@kernel
def _write_item(
    tape: Tape,
    header: int,
    page: Page,
    node: int,
    order_segment: int,
    order: tuple[int, int],
    plain: tuple[int, int],
    slots: int,
) -> int:
    """Write one item without what it shares with the others of its shipment; its row, or `ODD`."""
    notes, facts = page.notes, page.notes[_FACTS]
    above = notes[_PARENT, node]
    if above < 0 or notes[_LEVEL, above] != _ITEM_LEVEL:
        above = node
    goods, counted = notes[_LIN_AT, node] or notes[_LIN_AT, above], notes[_SN1_AT, node]
    pack_at = notes[_PO4_AT, node] or notes[_PO4_AT, above]
    pack = pack_size(tape, pack_at) if pack_at else 0
    uom = element(tape, counted, 3)
    amount = quantity(tape, element(tape, counted, 2), unit_factor(tape, uom, pack))
    sku = sku_of(tape, goods, 2) if goods else 0
    if pack < 0 or amount < 0 or sku < 0:
        return ODD
    stated = element(tape, goods, 1) if goods else 0
    line = unpadded(tape, stated or element(tape, counted, 1))
    sscc, parcel = _mark(page, node, _SSCC), _mark(page, node, _PARCEL)
    if not _is_another(tape, page, order_segment, line, sku, sscc, parcel, uom, slots):
        return ODD
    reference = reference_view(page, _node_segment(tape, counted))
    is_wrong = sscc != 0 and not has_valid_digit(tape, sscc)
    attributes = _attributes(tape, header, page, is_wrong) if is_wrong else plain
    row = add_row(page, _FAMILY)
    set_text(page, row, REF, reference)
    set_text(page, row, ORDER_ID, order)
    set_span(page, row, LINE, tape, line)
    set_span(page, row, SKU, tape, sku)
    set_span(page, row, UOM, tape, uom)
    set_span(page, row, TRACKING, tape, parcel or facts[_CN] or facts[_BM])
    set_span(page, row, SSCC, tape, sscc)
    set_span(page, row, ORIGIN_REGION, tape, facts[_FROM_REGION])
    set_span(page, row, REGION, tape, facts[_TO_REGION])
    set_text(page, row, ATTRIBUTES, attributes)
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
    page.rows[row, ESTIMATED] = facts[_ESTIMATED] if facts[_ESTIMATED] != NULL else facts[_ESTIMATED_SECOND]
    page.rows[row, QUANTITY] = amount
    return row


@kernel
def _node_segment(tape: Tape, segment: int) -> int:
    """Return the HL that a segment stands under."""
    while tape.names[segment] != _HL:
        segment -= 1
    return segment


@kernel
def _is_another(
    tape: Tape, page: Page, order: int, line: int, sku: int, sscc: int, parcel: int, uom: int, slots: int
) -> bool:
    """Remember an item by the hash of what it is; False if an item like it was seen (or may have been)."""
    hashed = hashed_with(tape, NO_HASH, stripped(tape, element(tape, order, 1)))
    for span in (line, sku, sscc, parcel, uom):
        hashed = hashed_with(tape, hashed, span)
    return is_new(page.notes[KEYS], slots, hashed)


@kernel
def _attributes(tape: Tape, header: int, page: Page, is_wrong: bool) -> tuple[int, int]:  # noqa: FBT001 - numba
    facts = page.notes[_FACTS]
    begin = open_object(page)
    add_field(page, _PURPOSE, tape, element(tape, header, 1))
    add_field(page, _STRUCTURE, tape, element(tape, header, 5))
    if facts[_SHIPPED_AT]:
        emit_literal(page, _SHIPPED_KEY)
        emit_span(page, tape, element(tape, facts[_SHIPPED_AT], 2))
        emit_span(page, tape, element(tape, facts[_SHIPPED_AT], 3))
        end_field(page)
    add_field(page, _LADING_KEY, tape, facts[_BM])
    if is_wrong:
        add_true(page, _WRONG_DIGIT)
    return close_object(page, begin)
