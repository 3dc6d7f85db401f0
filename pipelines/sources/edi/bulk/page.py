"""Where kernels write: tables of fixed size for each family, an arena for long texts, and words written once.

Text cells are Arrow string views: two numbers that hold up to twelve bytes themselves, or point into the arena.
A document that does not fit any more is undone and read again after the page was turned into frames.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, entry, kernel, load, store
from pipelines.sources.edi.bulk.layouts import GROUP_WORDS, ORDER_PREFIX, ORIGIN
from pipelines.sources.edi.bulk.tape import LONGEST, SPARE, Tape

NULL: Final = -(1 << 63)
"""A number or instant that is not there."""

TOP, IS_FULL, NEEDED_DAY, COUNT, PLACE, SENT_AT, DIRECTION, NUMBER, COMPONENT, CHANGE_MEANING, LISTS_ALL, CALENDAR = (
    range(12)
)
"""Places in `Page.state`: bytes used of the arena; something did not fit; a day the calendar does not know yet; rows;
place of the document. From `SENT_AT` on, what is known of its group: its transmission; see `INBOUND`; segment position
of the tape's first one; the component separator or `NO_COMPONENT`; what POC03 means; an 846 lists every item; which
calendar its partner's is."""

INBOUND, OUTBOUND, AS_KIND_SAYS, NOT_FOR_US = range(4)
"""Directions: to us; from us; as the kind of the document says, since nobody knows the parties; do not read."""

NO_COMPONENT: Final = -1
MEANS_TOTAL, MEANS_DIFFERENCE, MEANS_BEFORE = range(3)

LAYOUT_CELL, PLACE_CELL = range(2)

INLINE: Final = 12
_PREFIX: Final = 4
"""Bytes of a text beside the length of a string view."""

_HALF: Final = 32
_LENGTH: Final = 0xFFFFFFFF
"""Where a string view has its length."""

_AT_A_TIME: Final = 64
"""Rows that `gather` turns at a time."""

_COMMA: Final = ord(",")
_OPEN: Final = ord("{")
_CLOSE: Final = ord("}")
_QUOTE: Final = ord('"')
_ZERO: Final = ord("0")
_UPPER: Final = (ord("A"), ord("Z"))


class Page(NamedTuple):
    """Everything a kernel reads from or writes to besides the tape.

    Attributes:
        rows: Event by event: layout, place, then the cells of the layout. One row is spare.
        arena: Bytes of long texts, and `SPARE` bytes.
        state: See `TOP`.
        words: String views of constants, and where in the arena the beginnings of ids are.
        days: By calendar, for each day since 2000: its start in the zone, and whether it is free of clock changes.
        notes: Scratch space of one document.
    """

    rows: Array
    arena: Array
    state: Array
    words: Array
    days: Array
    notes: Array


class Groups(NamedTuple):
    """What is known of the groups of a run.

    Attributes:
        facts: What `Page.state` has from `SENT_AT` on.
        texts: Their constants one behind the other, and `SPARE` bytes.
        bounds: Where each of them begins, `GROUP_WORDS` to a group, and where the last one ends.
    """

    facts: Array
    texts: Array
    bounds: Array


def key(name: str) -> Array:
    """Return a JSON key up to the quote that opens its value, for `emit_literal`."""
    return literal(f'"{name}":"')


def literal(text: str) -> Array:
    """Return a text for `emit_literal`."""
    return np.frombuffer(text.encode() + bytes(SPARE), np.uint8)


_TRUE: Final = literal("true,")
_END: Final = literal('",')
_BETWEEN: Final = literal('":"')


@kernel
def add_row(page: Page, layout: int) -> int:
    """Begin a row; on a full page it is one that nobody reads."""
    row = page.state[COUNT]
    if row + 1 >= len(page.rows):
        page.state[IS_FULL] = 1
        return int(row)
    page.state[COUNT] = row + 1
    page.rows[row, LAYOUT_CELL] = layout
    page.rows[row, PLACE_CELL] = page.state[PLACE]
    return int(row)


@kernel
def emit(page: Page, data: Array, start: int, length: int) -> None:
    """Append a piece of text to the arena."""
    top = page.state[TOP]
    if top + length + SPARE > len(page.arena):
        page.state[IS_FULL] = 1
        return
    for i in range(0, length, 8):
        store(page.arena, top + i, load(data, start + i))
    page.state[TOP] = top + length


@kernel
def emit_literal(page: Page, text: Array) -> None:
    """Append a constant to the arena."""
    emit(page, text, 0, len(text) - SPARE)


@kernel
def emit_span(page: Page, tape: Tape, span: int) -> None:
    """Append an element to the arena."""
    emit(page, tape.data, span // LONGEST, span % LONGEST)


@kernel
def emit_byte(page: Page, byte: int) -> None:
    """Append one byte to the arena."""
    top = page.state[TOP]
    if top + SPARE >= len(page.arena):
        page.state[IS_FULL] = 1
        return
    page.arena[top] = byte
    page.state[TOP] = top + 1


@kernel
def emit_whole(page: Page, value: int) -> None:
    """Append a number that is not negative."""
    digits, bound = 1, 10
    while value >= bound:
        digits += 1
        bound *= 10
    top = page.state[TOP]
    if top + digits + SPARE > len(page.arena):
        page.state[IS_FULL] = 1
        return
    for place in range(top + digits - 1, top - 1, -1):
        page.arena[place] = _ZERO + value % 10
        value //= 10
    page.state[TOP] = top + digits


@kernel
def view(data: Array, start: int, length: int, offset: int) -> tuple[int, int]:
    """Return the string view of a text; `offset` is where the arena has it if it is long."""
    if length > INLINE:
        return length | load(data, start) << _HALF, offset << _HALF
    if length <= _PREFIX:
        return length | (load(data, start) & ((1 << 8 * length) - 1)) << _HALF, 0
    high = load(data, start + _PREFIX)
    if length < INLINE:
        high &= (1 << 8 * (length - _PREFIX)) - 1
    return length | load(data, start) << _HALF, high


@kernel
def seal(page: Page, begin: int) -> tuple[int, int]:
    """Return the view of what was appended since `begin`; a short text is taken out of the arena again."""
    length = page.state[TOP] - begin
    if length <= INLINE:
        page.state[TOP] = begin
    return view(page.arena, begin, length, begin)


@kernel
def set_text(page: Page, row: int, cell: int, value: tuple[int, int]) -> None:
    """Write a text cell."""
    page.rows[row, cell] = value[0]
    page.rows[row, cell + 1] = value[1]


@kernel
def set_word(page: Page, row: int, cell: int, word: int) -> None:
    """Write a constant."""
    page.rows[row, cell] = page.words[word, 0]
    page.rows[row, cell + 1] = page.words[word, 1]


@kernel
def begin_group(page: Page, groups: Groups, group: int) -> None:
    """Make the facts and words of a group those of the page."""
    for fact in range(groups.facts.shape[1]):
        page.state[SENT_AT + fact] = groups.facts[group, fact]
    for word in range(GROUP_WORDS):
        place, begin = group * GROUP_WORDS + word, page.state[TOP]
        start, length = groups.bounds[place], groups.bounds[place + 1] - groups.bounds[place]
        emit(page, groups.texts, start, length)
        is_beginning = word in (ORDER_PREFIX, ORIGIN)
        page.words[word, 0], page.words[word, 1] = (begin, length) if is_beginning else seal(page, begin)


@kernel
def span_view(page: Page, tape: Tape, span: int) -> tuple[int, int]:
    """Return the view of an element."""
    start, length = span // LONGEST, span % LONGEST
    if length <= INLINE:
        return view(tape.data, start, length, 0)
    begin = page.state[TOP]
    emit(page, tape.data, start, length)
    return view(tape.data, start, length, begin)


@kernel
def set_span(page: Page, row: int, cell: int, tape: Tape, span: int) -> None:
    """Write an element into a cell."""
    set_text(page, row, cell, span_view(page, tape, span))


@kernel
def lower_view(page: Page, tape: Tape, span: int) -> tuple[int, int]:
    """Return the view of an element in lower case."""
    begin = page.state[TOP]
    for i in range(span // LONGEST, span // LONGEST + span % LONGEST):
        byte = tape.data[i]
        emit_byte(page, byte + 32 if _UPPER[0] <= byte <= _UPPER[1] else byte)
    return seal(page, begin)


@kernel
def reference_view(page: Page, segment: int) -> tuple[int, int]:
    """Return the view of a `source_ref`."""
    begin = page.state[TOP]
    emit(page, page.arena, page.words[ORIGIN, 0], page.words[ORIGIN, 1])
    emit_whole(page, page.state[NUMBER] + segment)
    return seal(page, begin)


@kernel
def order_view(page: Page, tape: Tape, span: int) -> tuple[int, int]:
    """Return the view of an order id, empty where there is no purchase order number."""
    if not span:
        return 0, 0
    begin = page.state[TOP]
    emit(page, page.arena, page.words[ORDER_PREFIX, 0], page.words[ORDER_PREFIX, 1])
    emit_span(page, tape, span)
    return seal(page, begin)


@kernel
def open_object(page: Page) -> int:
    """Begin a JSON object and return where."""
    begin = int(page.state[TOP])
    emit_byte(page, _OPEN)
    return begin


@kernel
def close_object(page: Page, begin: int) -> tuple[int, int]:
    """End a JSON object; the view of one without fields is empty."""
    if page.state[TOP] <= begin + 1:
        page.state[TOP] = begin
        return 0, 0
    page.arena[page.state[TOP] - 1] = _CLOSE
    return seal(page, begin)


@kernel
def close_inner(page: Page) -> None:
    """End an object inside another one; it must have fields."""
    if page.state[TOP]:
        page.arena[page.state[TOP] - 1] = _CLOSE
    emit_byte(page, _COMMA)


@kernel
def end_field(page: Page) -> None:
    """End a text field."""
    emit_literal(page, _END)


@kernel
def add_field(page: Page, name: Array, tape: Tape, span: int) -> None:
    """Add a text field to a JSON object unless it is empty."""
    if span:
        emit_literal(page, name)
        emit_span(page, tape, span)
        end_field(page)


@kernel
def add_pair(page: Page, tape: Tape, name: int, value: int) -> None:
    """Add a field whose name is an element too; it may be empty."""
    emit_byte(page, _QUOTE)
    emit_span(page, tape, name)
    emit_literal(page, _BETWEEN)
    emit_span(page, tape, value)
    end_field(page)


@kernel
def add_true(page: Page, name: Array) -> None:
    """Add a field that says `true`; its name ends where the value begins."""
    emit_literal(page, name)
    emit_literal(page, _TRUE)


@entry
def gather(
    rows: Array,
    words: Array,
    picked: Array,
    text_cells: Array,
    number_cells: Array,
    arena: int,
    begin: int,
    views: Array,
    numbers: Array,
    filled: Array,
) -> None:
    """Turn rows of a family into columns, a few rows of the same layout at a time.

    Args:
        rows: `Page.rows`.
        words: `Page.words`.
        picked: Which rows.
        text_cells: By layout and column, where on a row the text is, or the word it always is as its complement.
        number_cells: By layout and column, where on a row the instant or number is; negative if it is not there.
        arena: What long texts are to name as their arena.
        begin: Where in the columns the first row is to be.
        views: The text columns.
        numbers: The place, and the columns of instants and numbers.
        filled: How many rows have each text column, then each of the others; they are added to it.
    """
    first, text_count = 0, text_cells.shape[1]
    while first < len(picked):
        last, layout = first + 1, rows[picked[first], LAYOUT_CELL]
        most = min(first + _AT_A_TIME, len(picked))
        while last < most and rows[picked[last], LAYOUT_CELL] == layout:
            last += 1
        for column in range(text_count):
            cell = text_cells[layout, column]
            filled[column] += _gather_text(rows, words, picked, cell, arena, begin, first, last, views[column])
        for at in range(first, last):
            numbers[0, begin + at] = rows[picked[at], PLACE_CELL]
        for column in range(number_cells.shape[1]):
            cell, values = number_cells[layout, column], numbers[column + 1]
            for at in range(first, last):
                value = rows[picked[at], cell] if cell >= 0 else NULL
                values[begin + at] = value
                filled[text_count + column] += value != NULL
        first = last


@kernel
def _gather_text(
    rows: Array, words: Array, picked: Array, cell: int, arena: int, begin: int, first: int, last: int, views: Array
) -> int:
    """Turn the same cell of some rows into a column and return how many of them have a text."""
    if cell < 0:
        low, high = words[~cell, 0], words[~cell, 1]
        if low & _LENGTH > INLINE:
            high |= arena
        for at in range(begin + first, begin + last):
            views[at, 0] = low
            views[at, 1] = high
        return last - first if low & _LENGTH else 0
    count = 0
    for at in range(first, last):
        row = picked[at]
        low, high = rows[row, cell], rows[row, cell + 1]
        views[begin + at, 0] = low
        views[begin + at, 1] = high | arena if low & _LENGTH > INLINE else high
        count += low & _LENGTH != 0
    return count
